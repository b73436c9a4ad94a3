package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Default is the origin of a value that nobody gave.
const Default = "default"

// Value is a setting with where it came from: "flag --mode", "input mode", ".goproxy/config.yaml:3", Default, or empty
// where there is neither a value nor a default.
type Value[T any] struct {
	V      T
	Origin string
}

// Given tells whether somebody said so.
func (v Value[T]) Given() bool { return v.Origin != "" && v.Origin != Default }

// Config is all settings. Maps are keyed by ecosystem (source.Go, source.NPM) and hold only what was given; a list that
// was given empty is empty and not nil.
type Config struct {
	// Directory is the checkout; File the configuration in it, with slashes and inside of it. A File that was Given must
	// exist.
	Directory, File Value[string]
	// Mode is Enforce or Audit. FileMode is the mode as the file alone says it; zero where it says none.
	Mode, FileMode Value[string]
	// Probe is ProbeAuto, ProbeAll or ProbeNone.
	Probe Value[string]
	// Strategy is one of the names in internal/choose. The others say what it needs: Weights and Order are by the ids of
	// sources or hosts; Region is empty, MaxLag and Jobs are zero where nobody said so.
	Strategy Value[string]
	Weights  map[string]Value[int]
	Order    Value[[]string]
	Region   Value[string]
	MaxLag   Value[time.Duration]
	Jobs     Value[int]
	// Tools are some of go, npm, git in this order; nil means those that the checkout has files of.
	Tools Value[[]string]
	// HTTPSProxy and HTTPProxy may hold a password; empty means that none is set.
	HTTPSProxy, HTTPProxy Value[string]
	NoProxy               Value[[]string]
	// Token is a secret.
	Token Value[string]
	// Official and Sources are addresses without a trailing slash; they may hold a password.
	Official map[string]Value[string]
	Sources  map[string]Value[[]string]
	// Mirrors are rows that extend the catalogue (see catalogue.Of), each address once; their URLs may hold a password.
	Mirrors Value[[]source.Source]
	// Credentials are in the order of the file.
	Credentials Value[[]Credential]
	// Trusted are hosts as source.Location.HostPort spells them, or domains with a leading dot, which take in the names
	// below them only.
	Trusted map[string]Value[[]string]
	// Addresses are what sources may have; not Given means any.
	Addresses      Value[[]netip.Prefix]
	RequireAddress Value[bool]
	// Direct is true when downloads may end at version control hosts.
	Direct Value[bool]
	// SumDBKeys are verifier keys.
	SumDBKeys Value[[]string]
	// ModuleHosts are hosts as in Trusted, and ModulePrefixes patterns as in GOPRIVATE, that module paths may begin with;
	// not Given means any.
	ModuleHosts, ModulePrefixes Value[[]string]
	// ModulePublic are patterns, as in GOPRIVATE, of own modules whose names everybody may know.
	ModulePublic Value[[]string]
	// Verify is VerifyOff, VerifyAuto or VerifyOn; HeadAge is for how long the log may stand still.
	Verify  Value[string]
	HeadAge Value[time.Duration]
	// Releases is ReleasesOff, ReleasesChanged or ReleasesAll.
	Releases Value[string]
	// Age is how old versions have to be, and AgeExclude the patterns of those that need not (see AnyAge).
	Age        map[string]Value[time.Duration]
	AgeExclude Value[[]string]
	// Scripts are the packages of npm that may run a script when they are installed: names, name@version and @scope/*; not
	// Given means that nothing is said of them.
	Scripts Value[[]string]
	// Scopes are hosts, as in Trusted, by the names of packages that come from there alone: @scope, a name, or the beginning
	// of one with a * behind it.
	Scopes map[string]Value[string]
	// Policies are directories, .rego files and bundles in the checkout, with slashes; not Given means PolicyDir where it
	// is there.
	Policies Value[[]string]
	// PolicyKey is a public key in PEM, or the path in the checkout of a file that holds one; empty means none.
	PolicyKey Value[string]
	// Severity is off, note, warning or error by rule. Whether there is such a rule is for the caller to say.
	Severity map[string]Value[string]
	// WaiverDays is how many days from now a waiver may end at most.
	WaiverDays Value[int]
}

// Lookup finds a flag or an input by its setting's name; nil finds nothing.
type Lookup func(name string) (string, bool)

func defaults() Config {
	return Config{
		Directory: Value[string]{".", Default},
		File:      Value[string]{File, Default},
		Mode:      Value[string]{Enforce, Default},
		Probe:     Value[string]{ProbeAuto, Default},
		Strategy:  Value[string]{StrategyKeep, Default},
		Tools:     Value[[]string]{nil, Default},
		Direct:    Value[bool]{true, Default},

		Verify:         Value[string]{VerifyAuto, Default},
		HeadAge:        Value[time.Duration]{7 * 24 * time.Hour, Default},
		Releases:       Value[string]{ReleasesChanged, Default},
		RequireAddress: Value[bool]{false, Default},
		WaiverDays:     Value[int]{180, Default},
	}
}

// Load reads all settings: a flag comes before an input, that before the file, that before the default. An input that is
// empty counts as not given. content is the file at path (relative to the checkout, with slashes), nil where there is
// none; linked means that it was reached through a symbolic link, so that nothing of it is quoted. Errors are Problems of
// code Usage.
func Load(content []byte, path string, linked bool, flags, inputs Lookup) (Config, error) {
	c := defaults()
	if content != nil {
		if err := read(&c, content, path, linked); err != nil {
			return Config{}, err
		}
		if c.Mode.Given() {
			c.FileMode = c.Mode
		}
	}
	if err := given(&c, flags, inputs); err != nil {
		return Config{}, err
	}
	if c.Strategy.V == StrategyRegional && c.Region.V == "" {
		return Config{}, problem.New(problem.Usage, c.Strategy.Origin, "name the region in the configuration file (choose.region), such as CN, or take another strategy: "+
			strings.Join(slices.DeleteFunc(slices.Clone(strategies), func(s string) bool { return s == StrategyRegional }), ", "), "the strategy regional takes a region")
	}
	return c, nil
}

// Where says which checkout and which file in it flags and inputs name: what has to be known before Load.
func Where(flags, inputs Lookup) (directory, file Value[string], err error) {
	c := defaults()
	err = given(&c, flags, inputs)
	return c.Directory, c.File, err
}

// given applies inputs and flags.
func given(c *Config, flags, inputs Lookup) error {
	for _, s := range Settings() {
		if s.Input && inputs != nil {
			if v, ok := inputs(s.Name); ok && strings.TrimSpace(v) != "" {
				if err := s.give(c, v, "input "+s.Name); err != nil {
					return err
				}
			}
		}
		origin := "flag --" + s.Flag
		if s.Argument != "" {
			origin = "argument " + s.Argument
		} else if s.Flag == "" {
			continue
		}
		if flags != nil {
			if v, ok := flags(s.Name); ok {
				if err := s.give(c, v, origin); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s Setting) give(c *Config, value, origin string) error {
	texts := []string{strings.TrimSpace(value)}
	if s.Kind == List {
		texts = split(value)
	}
	f := s.apply(c, texts, origin)
	if f == nil {
		return nil
	}
	found := "the value"
	if !s.Secret && f.item < len(texts) && texts[f.item] != "" {
		found = quote(texts[f.item])
	}
	return problem.New(problem.Usage, origin, f.next(false), "%s %s", found, f.cause(s.Secret))
}

// apply checks what is the same for all settings, then sets.
func (s Setting) apply(c *Config, texts []string, origin string) *fault {
	for i, t := range texts {
		switch {
		case t == "":
			return &fault{item: i, why: "is empty", hint: "write a value, or leave it out"}
		case !utf8.ValidString(t) || strings.ContainsFunc(t, func(c rune) bool { return unicode.IsControl(c) && !(s.Lines && c == '\n') }):
			return &fault{item: i, why: "holds a control character", hint: "write plain text on one line"}
		case s.Allowed != nil && (s.Kind != Pairs || i == 1) && !slices.Contains(s.Allowed, t):
			return &fault{item: i, why: "is not allowed", hint: "allowed: " + strings.Join(s.Allowed, ", ")}
		}
	}
	return s.set(c, texts, origin)
}

// split takes a list apart that was written with commas or on several lines.
func split(value string) []string {
	var out []string
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// cause and next are what is wrong and what to do; hidden leaves out what may be a piece of the text.
func (f *fault) cause(hidden bool) string {
	if f.detail == nil || hidden {
		return f.why
	}
	return f.why + ": " + source.Plain(f.detail.Error(), 200)
}

func (f *fault) next(hidden bool) string {
	switch {
	case f.write == "":
		return f.hint
	case hidden:
		return "write it in its usual form: lower case, no scheme, no path, no trailing dot"
	}
	return "write " + quote(f.write)
}

// quote makes a found text fit for a message: short, on one line, without credentials.
func quote(s string) string { return `"` + source.Plain(source.Redact(s), 80) + `"` }

// Secrets are the forms in which this configuration's secrets may turn up in a log, to be masked.
func (c Config) Secrets() []string {
	urls := []string{c.HTTPSProxy.V, c.HTTPProxy.V}
	for _, e := range []string{source.Go, source.NPM} {
		urls = append(append(urls, c.Official[e].V), c.Sources[e].V...)
	}
	for _, m := range c.Mirrors.V {
		urls = append(urls, m.URL)
	}
	var out []string
	if c.Token.V != "" {
		out = append(out, c.Token.V)
	}
	for _, u := range urls {
		out = append(out, source.Secrets(u)...)
	}
	return out
}

// CheckInputs refuses an input of the action that there is none of, as the environment shows them (INPUT_MODE=audit): a
// misspelt "mode" would else be enforced, or not, without a word. Empty ones count as not given.
func CheckInputs(environ []string) error {
	known := map[string]bool{}
	var names []string
	for _, s := range Settings() {
		if s.Input {
			known[strings.ToUpper(s.Name)] = true
			names = append(names, s.Name)
		}
	}
	var unknown []string
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if rest, ok := strings.CutPrefix(name, "INPUT_"); ok && !known[rest] && strings.TrimSpace(value) != "" {
			unknown = append(unknown, quote(strings.ToLower(rest)))
		}
	}
	if unknown == nil {
		return nil
	}
	slices.Sort(unknown)
	return problem.New(problem.Usage, "inputs of the action", "allowed: "+strings.Join(names, ", "),
		"there is no input %s", strings.Join(unknown, ", "))
}
