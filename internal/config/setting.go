// Package config is the one sheet of settings: the action's inputs, the command line's flags and the keys of the
// configuration file are rows of one table, and each value knows where it came from.
package config

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/catalogue"
	"github.com/org/goproxy-action/internal/source"
)

// File is where the configuration is looked for, relative to the checkout.
const File = ".goproxy/config.yaml"

// PolicyDir is where policies are looked for where none are named, relative to the checkout.
const PolicyDir = ".goproxy/policy"

// Kind is the shape of a setting's value.
type Kind int

// Kinds. A List is a sequence in the file; where it is also a flag or an input it is written with commas there, and may
// be in the file. Pairs are a mapping whose keys are free. Rows are a sequence of mappings, whose keys the row's own check
// knows; Entries one with keys of their own, which the file alone can hold.
const (
	Text Kind = iota
	List
	Pairs
	Rows
	Entries
)

// Setting is one row of the table.
type Setting struct {
	// Name is the input's and the flag's; for a row of the file alone it is the same as YAML.
	Name string
	// YAML is the path in the file, its parts joined by dots; empty where the file cannot hold it.
	YAML string
	// Flag is the name of the command line's flag without dashes, Argument that of its argument; empty where it has none.
	// What may be a secret has neither, since everybody on a machine can read a command line.
	Flag, Argument string
	// Input is true when the action has it.
	Input bool
	// Default is what holds when nobody says anything, in words fit for documentation; empty means nothing.
	Default string
	// ActionDefault is the default in action.yml. It is empty for what the file may say: an input with a default is always
	// set, and would hide the file.
	ActionDefault string
	// Allowed are the only values; nil means any that the row's own check accepts.
	Allowed []string
	Kind    Kind
	// Secret is true when the value may hold one, and is never shown.
	Secret bool
	// Lines is true when the value may be of several lines.
	Lines bool
	// Doc is one or more sentences; Example is a value as the file (or, without YAML, the workflow) would hold it.
	Doc, Example string

	set func(*Config, []string, string) *fault
}

// fault is why a value is refused.
type fault struct {
	// item is the index of the offending text; why goes on from "the value ...". detail may name parts of the text; nil
	// where there is none.
	item int
	// whole is true where all texts together are meant.
	whole  bool
	why    string
	detail error
	// hint is the next step. write is the right spelling; it is the file's own text in another form, and so is not shown
	// where the file's text is not.
	hint, write string
}

// Values of the settings that have few.
const (
	Enforce = "enforce"
	Audit   = "audit"

	ProbeAuto = "auto"
	ProbeAll  = "all"
	ProbeNone = "none"

	StrategyKeep     = "keep"
	StrategyRegional = "regional"

	VerifyOff  = "off"
	VerifyAuto = "auto"
	VerifyOn   = "on"

	ReleasesOff     = "off"
	ReleasesChanged = "changed"
	ReleasesAll     = "all"

	allow = "allow"
	deny  = "deny"
)

// strategies are those of internal/choose, which a test there compares.
var strategies = []string{StrategyKeep, "latency", "throughput", "weighted", "failover", "consistent", StrategyRegional, "auto"}

var verifies = []string{VerifyOff, VerifyAuto, VerifyOn} // the strictest last

var releases = []string{ReleasesOff, ReleasesChanged, ReleasesAll} // the strictest last

var severities = []string{"off", "note", "warning", "error"} // the gravest last

// ruleID takes in the ids of the default rules, those that a policy of the user's may give, and PACKAGE.RULE.
var ruleID = regexp.MustCompile(`^(?:[A-Z][A-Z0-9_-]{1,31}|[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)+)$`)

// Settings is the table, in the order of the documentation. The caller may change the result.
func Settings() []Setting {
	return []Setting{
		{Name: "directory", Argument: "DIR", Input: true, Default: ".", Example: "services/api",
			Doc: "The checkout to look at, relative to the workspace.",
			set: plain(func(c *Config) *Value[string] { return &c.Directory })},
		{Name: "mode", YAML: "mode", Flag: "mode", Input: true, Default: Enforce, Allowed: []string{Enforce, Audit}, Example: Enforce,
			Doc: "enforce fails before anything is downloaded where a policy says no; audit reports what enforce would have done.",
			set: plain(func(c *Config) *Value[string] { return &c.Mode })},
		{Name: "probe", YAML: "probe", Flag: "probe", Input: true, Default: ProbeAuto, Allowed: []string{ProbeAuto, ProbeAll, ProbeNone}, Example: ProbeAuto,
			Doc: "Which sources are measured: auto asks what is in force, and others only where that fails; all asks every known one; none asks nobody.",
			set: plain(func(c *Config) *Value[string] { return &c.Probe })},
		{Name: "strategy", YAML: "choose.strategy", Flag: "strategy", Input: true, Default: StrategyKeep, Allowed: strategies, Example: "weighted",
			Doc: "How a source is chosen: keep leaves what is in force as long as it works, and asks nobody else; latency, throughput, weighted, failover, consistent, regional and auto ask all that may be chosen, see docs/strategies.md.",
			set: plain(func(c *Config) *Value[string] { return &c.Strategy })},
		{Name: "jobs", YAML: "choose.jobs", Flag: "jobs", Input: true, Default: "CI_NODE_TOTAL", Example: "12",
			Doc: "How many jobs run in parallel, for the strategy auto: from 8 on each draws its source by weight. GitLab says it in CI_NODE_TOTAL; in a matrix of GitHub hand over strategy.job-total.",
			set: setJobs},
		{Name: "choose.weights", YAML: "choose.weights", Kind: Pairs, Default: "equal ones for all that are not clearly slower than the fastest", Example: "{official: 3, goproxy.cn: 1}",
			Doc: "For the strategy weighted: whole numbers by the id of a source or its host. With 3 and 1 three jobs of four take the first. 0 is for what is taken only where nothing else works; sources without a weight come after those that have one.",
			set: setWeights},
		{Name: "choose.order", YAML: "choose.order", Kind: List, Default: "what is in force, then sources, then the catalogue", Example: "[goproxy.corp.example, official]",
			Doc: "For the strategy failover: ids of sources or hosts, the first choice first. Sources that are not listed come behind.",
			set: setOrder},
		{Name: "choose.region", YAML: "choose.region", Example: "CN",
			Doc: "For the strategy regional, which takes it: a region as the catalogue of mirrors has it.",
			set: setRegion},
		{Name: "choose.max-lag", YAML: "choose.max-lag", Default: "24h", Example: "12h",
			Doc: "For the strategy consistent: how far the newest version of a source may lie behind that of the freshest, in hours or days. Where it is set, auto is consistent.",
			set: setMaxLag},
		{Name: "tools", YAML: "tools", Flag: "tools", Input: true, Kind: List, Default: "what the checkout has files of", Example: "[go, npm]",
			Doc: "The tools that are set up: go, npm, git.", set: setTools},
		{Name: "config", Flag: "config", Input: true, Default: File, Example: "ci/goproxy.yaml",
			Doc: "The configuration file, relative to the directory. Naming one that does not exist is an error.", set: setFile},
		{Name: "https-proxy", YAML: "proxy.https", Input: true, Secret: true, Example: "http://proxy.example:3128",
			Doc: "The forward proxy that the following steps shall use for https addresses. A name and password in it are masked.",
			set: setProxy(func(c *Config) *Value[string] { return &c.HTTPSProxy })},
		{Name: "http-proxy", YAML: "proxy.http", Input: true, Secret: true, Example: "http://proxy.example:3128",
			Doc: "The same for http addresses.",
			set: setProxy(func(c *Config) *Value[string] { return &c.HTTPProxy })},
		{Name: "no-proxy", YAML: "proxy.no-proxy", Flag: "no-proxy", Input: true, Kind: List, Example: "[.corp.example, 10.0.0.0/8]",
			Doc: "Hosts, domains with a leading dot, addresses and CIDRs that are reached without the proxy. They are added to what the runner has.", set: setNoProxy},
		{Name: "token", Input: true, Secret: true, ActionDefault: "${{ github.token }}", Example: "${{ secrets.READ_TOKEN }}",
			Doc: "A token for GitHub's API, used to read the commit that a change is measured against. It needs contents: read, and pull-requests: read on pull requests.",
			set: plain(func(c *Config) *Value[string] { return &c.Token })},
		{Name: "output", Flag: "output", Input: true, Kind: List, Example: "sarif=results.sarif,json=report.json",
			Doc: "Further reports, each as FORMAT=FILE: text, json, markdown, sarif, junit, codequality; env for lines that a shell reads, dotenv for later jobs of GitLab.",
			set: func(*Config, []string, string) *fault { return nil }}, // the command line's
		{Name: "binary", Input: true, Example: "bin/goproxy-action",
			Doc: "A ready binary: a path, absolute or relative to the workspace, or an http or https address. It takes binary-sha256.",
			set: func(*Config, []string, string) *fault { return nil }}, // the launcher's
		{Name: "binary-sha256", Input: true, Example: "6ae8a75555209fd6c44157c0aed8016e763ff435a19cf186f76863140143ff72",
			Doc: "The SHA-256 of the file that binary names, as 64 hexadecimal digits. Another file is not started.",
			set: func(*Config, []string, string) *fault { return nil }}, // the launcher's
		{Name: "download-base-url", Input: true, Default: "where the release was published", Example: "https://mirror.example/goproxy-action/v1.0.0",
			Doc: "The directory that the release's files are downloaded from. What comes from there is started only if it has the digest that this release of the action knows.",
			set: func(*Config, []string, string) *fault { return nil }}, // the launcher's

		{Name: "official.go", YAML: "official.go", Example: "https://goproxy.corp.example",
			Doc: "What stands for the module proxy that the Go toolchain has built in, where that is not known or shall not be asked.", set: setOfficial(source.Go)},
		{Name: "official.npm", YAML: "official.npm", Example: "https://npm.corp.example",
			Doc: "The same for npm's registry.", set: setOfficial(source.NPM)},
		{Name: "sources.go", YAML: "sources.go", Kind: List, Example: "[https://goproxy.corp.example]",
			Doc: "Further module proxies to choose from, asked before the catalogue.", set: setSources(source.Go)},
		{Name: "sources.npm", YAML: "sources.npm", Kind: List, Example: "[https://npm.corp.example]",
			Doc: "Further registries to choose from, asked before the catalogue.", set: setSources(source.NPM)},
		{Name: "mirrors", YAML: "mirrors", Kind: Rows, Default: "the catalogue",
			Example: `[{url: "https://goproxy.corp.example", ecosystem: go, operator: Corp IT, region: EU}, {url: "https://goproxy.io", ecosystem: go, off: not allowed here}]`,
			Doc:     "Rows that extend the catalogue, with its columns ([catalogue.md](catalogue.md)): " + strings.Join(catalogue.Names(), ", ") + ". A row with off takes the place of that address out.", set: setMirrors},
		{Name: "credentials", YAML: "credentials", Kind: Entries, Default: "for Go, the logins of the user's netrc", Example: "[{source: https://goproxy.corp.example, type: bearer, token-env: CORP_TOKEN}]",
			Doc: "How to prove oneself to private sources, each to its own source alone: see [credentials.md](credentials.md). Secrets are named, by the variable of the environment or the file of the machine that holds them, and never written here.",
			set: func(*Config, []string, string) *fault { return nil }}, // the file's reader sets it
		{Name: "trusted.go", YAML: "trusted.go", Kind: List, Default: "the catalogue, and what the runner itself names", Example: "[goproxy.corp.example, .mirrors.example]",
			Doc: "The only hosts that Go modules may come from. A leading dot takes in all names below a domain. An empty list trusts nobody.", set: setTrusted(source.Go)},
		{Name: "trusted.npm", YAML: "trusted.npm", Kind: List, Default: "the catalogue, and what the runner itself names", Example: "[npm.corp.example]",
			Doc: "The only hosts that npm packages may come from.", set: setTrusted(source.NPM)},
		{Name: "trusted.git", YAML: "trusted.git", Kind: List, Default: "github.com, gist.github.com, gitlab.com, bitbucket.org, codeberg.org, and what the runner itself names", Example: "[git.corp.example, github.com]",
			Doc: "The only hosts that submodules may come from, and that git's configuration may lead addresses to.", set: setTrusted(source.Git)},
		{Name: "trusted.addresses", YAML: "trusted.addresses", Kind: List, Default: "any address", Example: "[10.0.0.0/8, 192.0.2.7]",
			Doc: "The only addresses that sources may have: CIDRs or single addresses.", set: setAddresses},
		{Name: "trusted.require-address", YAML: "trusted.require-address", Allowed: []string{"true", "false"}, Default: "false", Example: "true",
			Doc: "Whether a source whose address cannot be seen, as behind a forward proxy, is refused.",
			set: yes("true", func(c *Config) *Value[bool] { return &c.RequireAddress })},
		{Name: "direct", YAML: "direct", Allowed: []string{allow, deny}, Default: allow, Example: deny,
			Doc: "Whether module downloads may end at the version control hosts (direct in GOPROXY, or a GONOPROXY or GOPRIVATE that takes in public modules).",
			set: yes(allow, func(c *Config) *Value[bool] { return &c.Direct })},
		{Name: "verify", YAML: "verify", Flag: "verify", Input: true, Default: VerifyAuto, Allowed: verifies, Example: VerifyOn,
			Doc: "Whether the lines of go.sum are compared with the transparency log of the checksum database: auto where the log or a proof file answers, on fails where a line could not be compared, off compares nothing.",
			set: plain(func(c *Config) *Value[string] { return &c.Verify })},
		{Name: "checksum-database.max-head-age", YAML: "checksum-database.max-head-age", Default: "7d", Example: "48h",
			Doc: "For how long no source may give a newer head of the log than the one that is remembered, in hours or days. A log that stands still for longer is shown to you alone, or its sources hold back what is new.",
			set: setHeadAge},
		{Name: "checksum-database.keys", YAML: "checksum-database.keys", Kind: List, Example: "[" + exampleKey + "]",
			Doc: "Keys of checksum databases that are trusted beside the one built into Go, as name+hash+key.", set: setKeys},
		{Name: "modules.hosts", YAML: "modules.hosts", Kind: List, Default: "any host", Example: "[github.com, golang.org, .corp.example]",
			Doc: "The only hosts that paths of required Go modules may begin with. A leading dot takes in all names below a domain. An empty list takes none.",
			set: setModuleHosts},
		{Name: "modules.prefixes", YAML: "modules.prefixes", Kind: List, Default: "any path", Example: "[github.com/corp, golang.org/x]",
			Doc: "The only paths that required Go modules may have, as in GOPRIVATE: each part may hold * and ?, and takes in all paths below it.",
			set: setModulePrefixes},
		{Name: "modules.public", YAML: "modules.public", Kind: List, Example: "[github.com/corp/public]",
			Doc: "Own modules whose names everybody may know, as in GOPRIVATE. Modules of the owner of this repository's own modules are taken for private, and neither the checksum database nor public module proxies are asked about them, unless they are listed here.",
			set: setPublic},
		{Name: "releases", YAML: "releases", Default: ReleasesChanged, Allowed: releases, Example: ReleasesAll,
			Doc: "Of which versions the sources are asked what they say (age, retracted, deprecated): changed are those that a change introduces, where the commit it is measured against is known; all are all that are required or locked, as far as 10 seconds suffice; off are none.",
			set: plain(func(c *Config) *Value[string] { return &c.Releases })},
		{Name: "age.go", YAML: "age.go", Default: "any age", Example: "72h",
			Doc: "How old a version of a Go module has to be, in hours (72h) or days (3d). Its date is the commit's, as its author wrote it.", set: setAge(source.Go)},
		{Name: "age.npm", YAML: "age.npm", Default: "any age", Example: "3d",
			Doc: "How long ago a version of an npm package has to be published. Its date is the registry's.", set: setAge(source.NPM)},
		{Name: "age.exclude", YAML: "age.exclude", Kind: List, Example: "[github.com/corp, '@corp/*']",
			Doc: "Modules, as in GOPRIVATE, and packages (name, @scope/*) that may be of any age.", set: setAgeExclude},
		{Name: "scripts.npm", YAML: "scripts.npm", Kind: List, Default: "what a change brings in is a warning, the rest a note", Example: "[esbuild, sharp@0.33.5, '@corp/*']",
			Doc: "The only npm packages that may run a script when they are installed, as far as the lock file says which do: a name, a name with its version, or all names of a scope. An empty list allows none.",
			set: setScripts},
		{Name: "scopes", YAML: "scopes", Kind: Pairs, Default: "what an .npmrc names a registry for", Example: "{'@corp': npm.corp.example, 'corp-*': npm.corp.example}",
			Doc: "The names of your own npm packages, each with the host that they come from: a scope, a name, or the beginning of names. A package of such a name from elsewhere is an error.", set: setScopes},
		{Name: "policies", YAML: "policies", Kind: List, Default: "`" + PolicyDir + "`, if it is there", Example: "[policy, ci/corp.tar.gz]",
			Doc: "Policies beside the default rules: directories, .rego files and bundles (.tar.gz), relative to the directory. --policy of the command line adds to them.", set: setPolicies},
		{Name: "policy-key", YAML: "policy-key", Lines: true, Example: ".goproxy/policy-key.pem",
			Doc: "The public key that signs bundles, RSA or ECDSA: a PEM file, relative to the directory, or its text. --policy-key of the command line replaces it. With a key, a bundle that it has not signed is refused.",
			set: plain(func(c *Config) *Value[string] { return &c.PolicyKey })},
		{Name: "severity", YAML: "severity", Kind: Pairs, Allowed: severities, Default: "as the rule says", Example: "{GO001: error, LCK004: off}",
			Doc: "The severity of single rules: off, note, warning or error.", set: setSeverity},
		{Name: "waivers.max-days", YAML: "waivers.max-days", Default: "180", Example: "90",
			Doc: "For how many days from now a waiver may be given at most.", set: setWaiverDays},
	}
}

// exampleKey is a well-formed verifier key (x/mod/sumdb/note's own example).
const exampleKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

// Output is one output of the action.
type Output struct{ Name, Doc string }

// Outputs are what the action tells the following steps.
func Outputs() []Output {
	return []Output{
		{"class", "The class of the network: direct, restricted, proxied, captive, offline or unknown."},
		{"decision", "allow, deny or error."},
		{"goproxy", "GOPROXY as the following steps have it, without credentials."},
		{"gosumdb", "GOSUMDB as the following steps have it."},
		{"npm-registry", "The npm registry as the following steps have it, without credentials."},
		{"changed", "true when a setting was changed for the following steps, else false."},
		{"report", "The path of the report in JSON."},
	}
}

func plain(field func(*Config) *Value[string]) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		*field(c) = Value[string]{v[0], origin}
		return nil
	}
}

func yes(word string, field func(*Config) *Value[bool]) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		*field(c) = Value[bool]{v[0] == word, origin}
		return nil
	}
}

// maxJobs and maxWeight are more than any CI system starts at once, and more than shares need.
const maxJobs, maxWeight = 10_000, 1_000

func setJobs(c *Config, v []string, origin string) *fault {
	n, err := strconv.Atoi(v[0])
	if err != nil || n < 1 || n > maxJobs {
		return &fault{why: "is no number of jobs", hint: "write a whole number from 1 to " + strconv.Itoa(maxJobs)}
	}
	c.Jobs = Value[int]{n, origin}
	return nil
}

func setWeights(c *Config, v []string, origin string) *fault {
	if f := noSource(v[0]); f != nil {
		return f
	}
	n, err := strconv.Atoi(v[1])
	if err != nil || n < 0 || n > maxWeight {
		return &fault{item: 1, why: "is no weight", hint: "write a whole number from 0 to " + strconv.Itoa(maxWeight)}
	}
	put(&c.Weights, v[0], Value[int]{n, origin})
	return nil
}

func setOrder(c *Config, v []string, origin string) *fault {
	for i, entry := range v {
		if f := noSource(entry); f != nil {
			f.item = i
			return f
		}
		if slices.Contains(v[:i], entry) {
			return &fault{item: i, why: "is listed twice", hint: "keep one"}
		}
	}
	c.Order = Value[[]string]{list(v), origin}
	return nil
}

// noSource is what is wrong with a name of a source: its id or its host, in the form that they are compared in.
func noSource(name string) *fault {
	if f := noHost(name); f != nil && f.write == "" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "*") {
		return &fault{why: "names no source", hint: "write an id such as " + source.Official + " or goproxy.cn, or a host; goproxy-action detect lists them"}
	} else if f != nil {
		return f
	}
	return nil
}

func setRegion(c *Config, v []string, origin string) *fault {
	if len(v[0]) > 60 || strings.Contains(v[0], ",") {
		return &fault{why: "is no region", hint: "write one region as the catalogue of mirrors has it, such as CN"}
	}
	c.Region = Value[string]{v[0], origin}
	return nil
}

func setMaxLag(c *Config, v []string, origin string) *fault {
	lag, fault := parseAge(v[0])
	if fault == nil {
		c.MaxLag = Value[time.Duration]{lag, origin}
	}
	return fault
}

func setTools(c *Config, v []string, origin string) *fault {
	known := []string{source.Go, source.NPM, source.Git}
	if len(v) == 1 && v[0] == "auto" {
		c.Tools = Value[[]string]{nil, origin}
		return nil
	}
	if len(v) == 0 {
		return &fault{why: "names no tool", hint: "name some of " + strings.Join(known, ", ") + ", or write auto"}
	}
	for i, t := range v {
		if !slices.Contains(known, t) {
			return &fault{item: i, why: "is no tool that is known here", hint: "allowed: " + strings.Join(known, ", ") + ", or auto alone"}
		}
	}
	v = slices.Clone(v)
	slices.SortFunc(v, func(a, b string) int { return slices.Index(known, a) - slices.Index(known, b) })
	c.Tools = Value[[]string]{slices.Compact(v), origin}
	return nil
}

func setFile(c *Config, v []string, origin string) *fault {
	p := filepath.ToSlash(v[0])
	if !filepath.IsLocal(v[0]) || path.Clean(p) == "." {
		return &fault{why: "does not lie in the directory", hint: "name a file inside of it, such as " + File}
	}
	c.File = Value[string]{path.Clean(p), origin}
	return nil
}

// scripted takes in a package's name, with a version behind it or not, and all packages of a scope.
var scripted = regexp.MustCompile(`^(?:@[A-Za-z0-9~][A-Za-z0-9._~-]*/\*|(?:@[A-Za-z0-9~][A-Za-z0-9._~-]*/)?[A-Za-z0-9~][A-Za-z0-9._~-]*(?:@[0-9][0-9A-Za-z.+-]*)?)$`)

func setScripts(c *Config, v []string, origin string) *fault {
	for i, entry := range v {
		if !scripted.MatchString(entry) {
			return &fault{item: i, why: "is no package of npm", hint: "write a name such as esbuild, a name with a version such as sharp@0.33.5, or '@corp/*'"}
		}
	}
	c.Scripts = Value[[]string]{list(v), origin}
	return nil
}

// owned takes in a scope, and a package's name or the beginning of names. Fewer than three letters are anybody's.
var owned = regexp.MustCompile(`^(?:@[a-z0-9~][a-z0-9._~-]*|(?:@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*|@[a-z0-9~][a-z0-9._~-]*/[a-z0-9~][a-z0-9._~-]*\*|[a-z0-9~][a-z0-9._~-]{2,}\*)$`)

func setScopes(c *Config, v []string, origin string) *fault {
	if scope, all := strings.CutSuffix(v[0], "/*"); all && owned.MatchString(scope) {
		return &fault{why: "is not the form that scopes are written in", write: scope}
	}
	if !owned.MatchString(v[0]) {
		return &fault{why: "is no name of packages", hint: "write a scope such as '@corp', a name such as corp-tools, or a beginning of three letters and more such as 'corp-*'"}
	}
	if f := noHost(v[1]); f != nil {
		f.item = 1
		return f
	}
	put(&c.Scopes, v[0], Value[string]{v[1], origin})
	return nil
}

func setPolicies(c *Config, v []string, origin string) *fault {
	list := []string{}
	for i, text := range v {
		p := filepath.ToSlash(text)
		if !filepath.IsLocal(text) || path.Clean(p) == "." {
			return &fault{item: i, why: "does not lie in the directory", hint: "name a directory, a .rego file or a bundle inside of it, such as " + PolicyDir}
		}
		list = append(list, path.Clean(p))
	}
	c.Policies = Value[[]string]{list, origin}
	return nil
}

func setSeverity(c *Config, v []string, origin string) *fault {
	if !ruleID.MatchString(v[0]) {
		return &fault{why: "is no rule", hint: "rules are called like GO001, or main.deny for what deny of package main finds"}
	}
	put(&c.Severity, v[0], Value[string]{v[1], origin})
	return nil
}

// maxMirrors bounds the rows of the user's: each is a place to ask.
const maxMirrors = 100

func setMirrors(c *Config, v []string, origin string) *fault {
	s, wrong := catalogue.Row(v, source.User)
	if wrong == nil && slices.ContainsFunc(c.Mirrors.V, func(o source.Source) bool { return catalogue.Same(o, s) }) {
		wrong = &catalogue.Fault{Whole: true, Why: "is of an address that has a row already", Hint: "keep one"}
	}
	if wrong == nil && len(c.Mirrors.V) == maxMirrors {
		wrong = &catalogue.Fault{Whole: true, Why: "is one too many", Hint: "keep " + strconv.Itoa(maxMirrors) + " rows"}
	}
	if wrong != nil {
		return &fault{item: wrong.Item, whole: wrong.Whole, why: wrong.Why, detail: wrong.Detail, hint: wrong.Hint}
	}
	if c.Mirrors.Origin == "" {
		c.Mirrors.Origin = origin
	}
	c.Mirrors.V = append(c.Mirrors.V, s)
	return nil
}

// maxWaiverDays is ten years: what shall hold longer is no exception.
const maxWaiverDays = 3660

func setWaiverDays(c *Config, v []string, origin string) *fault {
	days, err := strconv.Atoi(v[0])
	if err != nil || days < 1 || days > maxWaiverDays {
		return &fault{why: "is no number of days", hint: "write a whole number from 1 to " + strconv.Itoa(maxWaiverDays)}
	}
	c.WaiverDays = Value[int]{days, origin}
	return nil
}

// put keeps m's zero value usable, so that an absent map means "nothing was said".
func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
