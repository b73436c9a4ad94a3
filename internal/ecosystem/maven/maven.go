// Package maven is what we know of Maven Central, so that its mirrors can be measured: which repository Maven would ask
// for it on this machine, and how one is proven. Nothing is set up for Java, and no file of a checkout is read.
package maven

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

const (
	// central is the id of the repository that Maven has built in, and usual its address as the catalogue has it.
	central = "central"
	usual   = "https://repo1.maven.org/maven2"
)

// New reads Maven's settings on this machine outside of the fence. It starts nothing and asks no network.
func New(m ecosystem.Machine, fence string) *ecosystem.Ecosystem { return read(m, fence, home(m)) }

// home is the user's directory as Java finds it: in the list of users and not in HOME (measured with OpenJDK 17).
func home(m ecosystem.Machine) string {
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		return u.HomeDir
	}
	dir, _ := m.Lookup("HOME")
	return dir
}

func read(m ecosystem.Machine, fence, home string) *ecosystem.Ecosystem {
	e := &ecosystem.Ecosystem{Name: source.Maven, Catalogue: m.Mirrors, Target: target(genuine()), Trusted: []string{"repo.maven.apache.org"}}
	name := "mvn"
	if m.OS == "windows" {
		name = "mvn.cmd"
	}
	exe, real := m.Tool(fence, name)
	e.Installed = exe != ""
	var files []string // the user's own settings before those of the installation
	if home != "" {
		files = append(files, filepath.Join(home, ".m2", "settings.xml"))
	}
	if real != "" {
		files = append(files, filepath.Join(filepath.Dir(filepath.Dir(real)), "conf", "settings.xml"))
	}
	var mirrors []mirror
	for _, name := range files {
		data, err := ecosystem.Settings(fence, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found []mirror
		if err == nil {
			found, err = parse(data)
		}
		if err != nil {
			e.Notes = append(e.Notes, fmt.Sprintf("Maven's settings in %s are left out: %v", source.Plain(name, 200), err))
		}
		for _, f := range found { // what the user's file says of an id hides what the installation's says of it
			if !slices.ContainsFunc(mirrors, func(o mirror) bool { return o.ID == f.ID }) {
				mirrors = append(mirrors, f)
			}
		}
	}
	raw, origin := usual, source.Builtin
	if found, ok := choose(mirrors); ok {
		if found.Blocked {
			e.Notes = append(e.Notes, "Maven's settings block "+central)
			return e
		}
		raw, origin = expand(found.URL, m.Lookup), source.Runner
	}
	s, err := m.Named(source.Maven, raw, origin)
	if err != nil {
		e.Notes = append(e.Notes, fmt.Sprintf("the mirror of Maven's settings is left out: %v", err))
		return e
	}
	e.InForce = []source.Source{s}
	e.Effective = map[string]string{central: source.Redact(raw)}
	return e
}

// mirror is one of a settings.xml.
type mirror struct {
	ID      string `xml:"id"`
	Of      string `xml:"mirrorOf"`
	URL     string `xml:"url"`
	Blocked bool   `xml:"blocked"`
}

// parse reads the mirrors of a settings.xml. The error quotes nothing of the file.
func parse(data []byte) ([]mirror, error) {
	var file struct {
		XMLName xml.Name `xml:"settings"`
		Mirrors []mirror `xml:"mirrors>mirror"`
	}
	if err := xml.Unmarshal(data, &file); err != nil {
		if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
			return nil, fmt.Errorf("it is no valid XML, as line %d shows", syntax.Line)
		}
		return nil, errors.New("it is no settings.xml that is understood here")
	}
	for i := range file.Mirrors {
		for _, text := range []*string{&file.Mirrors[i].ID, &file.Mirrors[i].Of, &file.Mirrors[i].URL} {
			*text = strings.TrimSpace(*text)
		}
	}
	return file.Mirrors, nil
}

// choose is the mirror of central: the first that names it alone, else the first whose pattern takes it in (Maven,
// DefaultMirrorSelector).
func choose(mirrors []mirror) (mirror, bool) {
	for _, m := range mirrors {
		if m.Of == central {
			return m, true
		}
	}
	for _, m := range mirrors {
		if takesIn(m.Of) {
			return m, true
		}
	}
	return mirror{}, false
}

// takesIn tells whether a pattern of mirrorOf takes in central, whose address is of https and of no local host.
func takesIn(pattern string) bool {
	all := false
	for part := range strings.SplitSeq(pattern, ",") {
		switch strings.TrimSpace(part) {
		case "!" + central:
			return false
		case central:
			return true
		case "*", "external:*":
			all = true
		}
	}
	return all
}

var environment = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{env\.([^}]+)\}`) })

// expand puts in variables of the environment; one that is not set stays as it is written.
func expand(text string, lookup func(string) (string, bool)) string {
	return environment().ReplaceAllStringFunc(text, func(found string) string {
		if v, ok := lookup(found[len("${env.") : len(found)-1]); ok {
			return v
		}
		return found
	})
}
