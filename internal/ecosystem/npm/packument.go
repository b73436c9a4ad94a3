package npm

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	// maxPackument bounds a packument, the document that a registry has of a package. The largest have some 40 MB.
	maxPackument = 64 << 20
	// maxText bounds a value of it that is kept.
	maxText = 4 << 10
	// maxNesting bounds how deep it nests; real ones have some ten levels.
	maxNesting = 1000
)

// claim is what a registry says of one version.
type claim struct {
	// known is true where the registry has it.
	known bool
	// published is zero where the registry does not say when.
	published time.Time
	// deprecated is true where it is, and reason what its authors say about that.
	deprecated bool
	reason     string
}

var (
	errPackument = errors.New("answered with what is no packument of at most 64 MB")
	errSeen      = errors.New("all was seen")
)

// readPackument finds what is said of the wanted versions, their dates only where dated, and ends as soon as it has that.
// It keeps nothing else, so that it takes the same memory whatever the size.
func readPackument(from io.Reader, wanted map[string]*claim, dated bool) error {
	p := &packument{r: bufio.NewReaderSize(from, 32<<10)}
	of := func(visit func(*claim) error) error {
		return p.object(func(version string) error {
			if c := wanted[version]; c != nil {
				return visit(c)
			}
			return p.skip(nil)
		})
	}
	versions, times := false, !dated
	err := p.object(func(key string) error {
		switch {
		case versions && times:
			return errSeen
		case key == "versions":
			versions = true
			return of(p.version)
		case key == "time" && dated:
			times = true
			return of(p.date)
		}
		return p.skip(nil)
	})
	if err == nil && !versions {
		return errPackument
	}
	if errors.Is(err, errSeen) {
		return nil
	}
	return err
}

// version reads a manifest.
func (p *packument) version(c *claim) error {
	c.known = true
	return p.object(func(key string) error {
		if key != "deprecated" {
			return p.skip(nil)
		}
		var text raw
		err := p.skip(&text)
		switch text := string(text); text {
		case "false", "null", `""`:
		default:
			c.deprecated = true
			_ = json.Unmarshal([]byte(text), &c.reason) // what is no text is no reason
		}
		return err
	})
}

func (p *packument) date(c *claim) error {
	var text raw
	err := p.skip(&text)
	_ = json.Unmarshal(text, &c.published) // what is no date is none
	return err
}

// packument walks JSON as it comes. What it passes over is parted rightly, but not checked to be JSON in all.
type packument struct{ r *bufio.Reader }

// raw is a value as written; too long a one is cut, and so is none.
type raw []byte

func (v *raw) add(c byte) {
	if v != nil && len(*v) <= maxText {
		*v = append(*v, c)
	}
}

// next is the next byte that is no white space.
func (p *packument) next() (byte, error) {
	for {
		switch c, err := p.r.ReadByte(); {
		case err != nil:
			return 0, errPackument
		case strings.IndexByte(" \t\r\n", c) < 0:
			return c, nil
		}
	}
}

// object calls visit for each key, with the reader before the value, which visit has to consume. What is no object has no
// key.
func (p *packument) object(visit func(key string) error) error {
	c, err := p.next()
	if err != nil {
		return err
	}
	if c != '{' {
		_ = p.r.UnreadByte() // after a read it cannot fail
		return p.skip(nil)
	}
	if c, err = p.next(); err != nil || c == '}' {
		return err
	}
	for {
		var text raw
		var key string
		if c != '"' {
			return errPackument
		}
		if err := p.str(&text); err != nil {
			return err
		}
		_ = json.Unmarshal(text, &key) // too long a one is none that is looked for
		if c, err = p.next(); err != nil || c != ':' {
			return errPackument
		}
		if err := visit(key); err != nil {
			return err
		}
		switch c, err = p.next(); {
		case err != nil || c == '}':
			return err
		case c != ',':
			return errPackument
		}
		if c, err = p.next(); err != nil {
			return err
		}
	}
}

// str reads a string behind its opening quote.
func (p *packument) str(to *raw) error {
	to.add('"')
	for escaped := false; ; {
		c, err := p.r.ReadByte()
		if err != nil {
			return errPackument
		}
		to.add(c)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		}
	}
}

// skip consumes a value of any kind.
func (p *packument) skip(to *raw) error {
	for depth := 0; ; {
		c, err := p.next()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			err = p.str(to)
		case '{', '[':
			if depth++; depth > maxNesting {
				return errPackument
			}
			to.add(c)
			continue
		case '}', ']':
			depth--
			to.add(c)
		case ',', ':':
			if depth == 0 {
				return errPackument
			}
			to.add(c)
			continue
		default:
			err = p.word(c, to)
		}
		if err != nil || depth == 0 {
			return err
		}
		if depth < 0 {
			return errPackument
		}
	}
}

// word reads a number, true, false or null.
func (p *packument) word(c byte, to *raw) error {
	for {
		to.add(c)
		var err error
		if c, err = p.r.ReadByte(); err != nil {
			return errPackument
		}
		if strings.IndexByte(" \t\r\n,:]}\"[{", c) >= 0 {
			return p.r.UnreadByte()
		}
	}
}
