package golang

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/net/publicsuffix"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// bare is an entry of GOPROXY or GOSUMDB up to its last @.
var bare = regexp.MustCompile(`[^\s,|]*@`)

// shown is a value of GOPROXY or GOSUMDB without its secrets. source.Redact finds them by "://"; the go command takes an
// address without a scheme as well, and an invalid value may hold anything.
func shown(value string) string {
	return bare.ReplaceAllStringFunc(source.Redact(value), func(s string) string {
		if strings.Contains(s, "://") {
			return s
		}
		return "***@"
	})
}

func trimBase(raw string) string { return strings.TrimRight(raw, "/") }

// proxy is one entry of GOPROXY; raw is its address, with the scheme that the go command adds.
type proxy struct {
	decide.Proxy
	raw string
}

// parseProxies reads GOPROXY as the go command does (go 1.26, modfetch.proxyList), and goes on behind "direct" and
// "off", where that stops. A value without any entry, which the go command refuses, is one invalid entry.
func parseProxies(value, goos string) []proxy {
	var list []proxy
	before := ""
	for rest := value; rest != ""; {
		raw, next := rest, ""
		if i := strings.IndexAny(rest, ",|"); i >= 0 {
			raw, next, rest = rest[:i], rest[i:i+1], rest[i+1:]
		} else {
			rest = ""
		}
		if raw = strings.TrimSpace(raw); raw == "" {
			continue // the separator before it stays the last one that separated anything
		}
		p := proxy{raw: raw, Proxy: decide.Proxy{Kind: raw, Before: before, Index: len(list)}}
		if raw != "direct" && raw != "off" {
			absolute := path.IsAbs(raw) || filepath.IsAbs(raw) || goos == "windows" && len(raw) > 2 && raw[1] == ':'
			if strings.ContainsAny(raw, ".:/") && !strings.Contains(raw, ":/") && !absolute {
				p.raw = "https://" + raw
			}
			p.Kind, p.Place = classify(p.raw)
		}
		if p.Kind == "url" {
			for i := range list {
				list[i].Followed = true
			}
		}
		list, before = append(list, p), next
	}
	if len(list) == 0 && value != "" {
		list = []proxy{{Proxy: decide.Proxy{Kind: "invalid", Place: &decide.Place{Broken: "the list holds no entry"}}}}
	}
	return list
}

// classify tells what the go command makes of an address in GOPROXY.
func classify(raw string) (kind string, at *decide.Place) {
	p := decide.PlaceOf(raw)
	u, err := url.Parse(raw)
	switch {
	case p.Broken != "":
	case err != nil:
		p.Broken = "address cannot be parsed as a URL"
	case u.Scheme == "file" && *u == (url.URL{Scheme: u.Scheme, Path: u.Path, RawPath: u.RawPath}):
		return "file", nil
	case u.Scheme == "file":
		p.Broken = "a file address holds a path alone"
	case u.Scheme == "https" || u.Scheme == "http":
		return "url", &p
	default:
		p.Broken = "scheme is none of https, http and file"
	}
	return "invalid", &p
}

// renderProxies is the list in one spelling, so that two values that mean the same are equal.
func renderProxies(list []proxy) string {
	var b strings.Builder
	for _, p := range list {
		if p.Kind == "url" {
			p.raw = trimBase(p.raw)
		}
		b.WriteString(p.Before + p.raw)
	}
	return b.String()
}

const (
	defaultDB = "sum.golang.org"
	// defaultKey is built into the go command: cmd/go/internal/modfetch/key.go.
	defaultKey = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
	// aliasDB is the same log under a name that is reached in mainland China; the go command knows it.
	aliasDB = "sum.golang.google.cn"

	on      = "on"
	off     = "off"
	invalid = "invalid"
)

// database is a GOSUMDB value.
type database struct {
	// mode is on, off or invalid; key is "name+hash+key"; url is as written, empty where there is none. known is true
	// when somebody vouches for the key.
	mode, name, key, url string
	known                bool
}

// sound tells that the database is on and its key is one that somebody vouches for.
func (d database) sound() bool { return d.mode == on && d.known }

// parseSumDB reads GOSUMDB as the go command does (go 1.26, modfetch.dbDial). Empty is the default. A URL that has no
// canonical form is invalid.
func parseSumDB(value string, trusted []string) database {
	switch value {
	case off:
		return database{mode: off}
	case "":
		value = defaultDB
	case aliasDB:
		value = defaultDB + " https://" + aliasDB
	}
	fields := strings.Fields(value)
	if len(fields) == 0 || len(fields) > 2 {
		return database{mode: invalid}
	}
	d := database{mode: on, key: fields[0]}
	if d.key == defaultDB {
		d.key = defaultKey
	}
	verifier, err := note.NewVerifier(d.key)
	if err != nil {
		return database{mode: invalid}
	}
	d.name = verifier.Name()
	d.known = d.key == defaultKey || slices.Contains(trusted, d.key)
	if loc, err := source.Locate("https://" + d.name); err != nil || loc.Userinfo || strings.ContainsAny(d.name, "?#") || strings.HasSuffix(d.name, "/") {
		return database{mode: invalid}
	}
	if len(fields) == 2 {
		loc, err := source.Locate(fields[1])
		if err != nil || loc.Scheme != "https" && loc.Scheme != "http" {
			return database{mode: invalid}
		}
		d.url = trimBase(fields[1])
	}
	return d
}

// setting is the value of GOSUMDB for the database at a URL; an empty one leaves the place to the go command.
func (d database) setting(url string) string {
	name := d.key
	if name == defaultKey {
		name = defaultDB
	}
	return strings.TrimSpace(name + " " + url)
}

// forges host the repositories of many owners, each below a first element of its own.
var forges = [...]string{"github.com", "gitlab.com", "bitbucket.org", "gitee.com", "codeberg.org", "gitea.com", "git.sr.ht", "hg.sr.ht", "launchpad.net"}

// vanities are public hosts whose modules everybody uses.
var vanities = [...]string{"golang.org", "golang.org/x", "google.golang.org", "cloud.google.com", "gopkg.in", "go.uber.org", "k8s.io",
	"sigs.k8s.io", "go.etcd.io", "go.opentelemetry.io", "go.opencensus.io", "go.mongodb.org", "go.yaml.in", "rsc.io", "modernc.org",
	"filippo.io", "gotest.tools", "honnef.co", "helm.sh", "mvdan.cc", "gorm.io", "istio.io", "knative.dev", "oras.land", "gonum.org",
	"go4.org", "dario.cat", "cel.dev"}

// nobody is an owner, a module and a domain label that stands for "anybody's".
const nobody = "zz--nobody"

// broad tells whether a pattern takes in modules that belong to nobody in particular: all, those of a public host as a
// whole, or those of every domain below a public suffix.
func broad(pattern string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	for _, f := range forges {
		if module.MatchPrefixPatterns(pattern, f+"/"+nobody+"/"+nobody) {
			return true
		}
	}
	for _, h := range vanities {
		if module.MatchPrefixPatterns(pattern, h+"/"+nobody) {
			return true
		}
	}
	for _, tld := range [...]string{"com", "org", "net", "io", "dev", "cn"} {
		if module.MatchPrefixPatterns(pattern, nobody+"."+tld+"/"+nobody) {
			return true
		}
	}
	first, _, _ := strings.Cut(pattern, "/")
	domain := strings.TrimLeft(first, "*?")
	if domain == first || !strings.HasPrefix(domain, ".") {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(domain[1:])
	return icann && suffix == domain[1:]
}

// parsePatterns reads a list of GOPRIVATE, GONOPROXY, GONOSUMDB or GOINSECURE. "none" is the go command's documented
// way to write a list that matches nothing, and is left out.
func parsePatterns(s setting) []decide.Pattern {
	var out []decide.Pattern
	for raw := range strings.SplitSeq(s.value, ",") {
		text := strings.TrimSpace(raw)
		if text == "" || raw == "none" {
			continue
		}
		first, _, _ := strings.Cut(text, "/")
		out = append(out, decide.Pattern{Name: s.name, Pattern: text, Broad: broad(text), Spaced: raw != text,
			Hostless: !strings.ContainsAny(first, ".*?["), From: s.origins()})
	}
	return out
}

// normalPatterns takes the white space away that keeps patterns from matching, except where a pattern would then take in
// public modules: what did no harm so far shall not begin to.
func normalPatterns(value string) string {
	var out []string
	spaced := false
	for raw := range strings.SplitSeq(value, ",") {
		text := strings.TrimSpace(raw)
		if text != raw && text != "" && broad(text) {
			text = raw
		}
		spaced = spaced || text != raw
		if text != "" {
			out = append(out, text)
		}
	}
	if !spaced {
		return value
	}
	return strings.Join(out, ",")
}

// addPatterns appends patterns to a list that may be empty.
func addPatterns(value string, more ...string) string {
	if value == "" {
		return strings.Join(more, ",")
	}
	return strings.Join(append([]string{value}, more...), ",")
}

// splitFlags splits GOFLAGS into words as the go command does (cmd/internal/quoted): a word may stand in quotes, within
// which nothing is special.
func splitFlags(s string) ([]string, error) {
	const space = " \t\n\r"
	var out []string
	for s = strings.TrimLeft(s, space); s != ""; s = strings.TrimLeft(s, space) {
		end, skip := strings.IndexAny(s, space), 0
		if s[0] == '"' || s[0] == '\'' {
			quote := s[:1]
			s = s[1:]
			if end, skip = strings.Index(s, quote), 1; end < 0 {
				return nil, fmt.Errorf("a quote %s is not closed", quote)
			}
		} else if end < 0 {
			end = len(s)
		}
		out = append(out, s[:end])
		s = s[end+skip:]
	}
	return out, nil
}

// parseFlags reads GOFLAGS up to the first word that is no flag, which is a flag with Broken set, as all of a value is
// that cannot be split: the go command refuses both (go 1.26, cmd/go/internal/base.InitGOFLAGS). The value of -ldflags is
// kept back, since builds pass secrets in it; what is broken is not quoted, since it may be half a secret.
func parseFlags(s setting) []decide.Flag {
	words, err := splitFlags(s.value)
	if err != nil {
		return []decide.Flag{{Broken: err.Error(), From: s.origins()}}
	}
	var out []decide.Flag
	for i, w := range words {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(w, "-"), "-"), "=")
		if !strings.HasPrefix(w, "-") || name == "" || name[0] == '-' {
			return append(out, decide.Flag{Broken: fmt.Sprintf("word %d is not a flag", i+1), From: s.origins()})
		}
		if name == "ldflags" {
			value = "***"
		}
		out = append(out, decide.Flag{Name: name, Value: source.Redact(value), From: s.origins()})
	}
	return out
}

// parseVCS reads GOVCS as the go command does (go 1.26, cmd/go/internal/vcs.parseGOVCS), which refuses all of a value
// that it cannot read. Behind the entries it adds private:all and public:git|hg; an entry behind one that takes in all
// public modules is never come to for them.
func parseVCS(s setting) []decide.VCS {
	text := strings.TrimSpace(s.value)
	if text == "" {
		return nil
	}
	var out []decide.VCS
	have, settled := map[string]bool{}, false
	for item := range strings.SplitSeq(text, ",") {
		pattern, tools, found := strings.Cut(item, ":")
		pattern, tools = strings.TrimSpace(pattern), strings.TrimSpace(tools)
		broken := ""
		switch {
		case !found || pattern == "" || tools == "":
			broken = "an entry is not a pattern, a colon and names"
		case pattern == "." || pattern == ".." || strings.HasPrefix(pattern, "./") || strings.HasPrefix(pattern, "../"):
			broken = "a pattern is a relative path"
		case have[pattern]:
			broken = "a pattern stands twice"
		}
		have[pattern] = true
		rule := decide.VCS{Entry: source.Plain(strings.TrimSpace(item), 200), From: s.origins()}
		for name := range strings.SplitSeq(tools, "|") {
			switch name = strings.TrimSpace(name); {
			case name == "" && broken == "":
				broken = "an entry has an empty name"
			case name == "all" || name == "svn" || name == "bzr" || name == "fossil":
				if !settled && (pattern == "public" || pattern != "private" && broad(pattern)) {
					rule.Fault = fmt.Sprintf("lets public modules be fetched by other tools than git and hg (%s)", rule.Entry)
				}
			}
		}
		if broken != "" {
			return []decide.VCS{{Fault: fmt.Sprintf("cannot be read, so every direct download will fail (%s)", broken), From: s.origins()}}
		}
		settled = settled || pattern == "public" || pattern == "*"
		out = append(out, rule)
	}
	return out
}
