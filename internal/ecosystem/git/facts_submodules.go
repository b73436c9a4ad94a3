package git

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxSubmodules bounds what policies have to judge. Chromium has 200.
const maxSubmodules = 10_000

// target is where git would go.
type target struct {
	// kind is one of decide.Submodule.
	kind  string
	place decide.Place
	// fault goes on from what holds the address; empty where there is none.
	fault string
}

var (
	helper = regexp.MustCompile(`^([A-Za-z0-9]+)::`)
	scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)
	// scp is host:path; with a slash before the colon it is a path.
	scp = regexp.MustCompile(`^(?:([^/:]*)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@]+):(.*)$`)
	// direct are the schemes that git has a program of its own for.
	direct = []string{"https", "http", "ssh", "git+ssh", "ssh+git", "git", "file", "ftp", "ftps"}
	// sameService are names by which a forge answers ssh on the port of https.
	sameService = map[string]string{"ssh.github.com:443": "github.com", "altssh.gitlab.com:443": "gitlab.com", "altssh.bitbucket.org:443": "bitbucket.org"}
)

// targetOf reads an address as git does (2.51: connect.c, transport.c, submodule.c).
func targetOf(raw string) target {
	if strings.HasPrefix(raw, "-") {
		return target{kind: decide.SubmoduleRefused, fault: "has an address that begins with a dash, as an option does"}
	}
	if m := helper.FindStringSubmatch(raw); m != nil {
		return target{kind: decide.SubmoduleCommand, fault: "would have git start git-remote-" + source.Plain(m[1], 40) + " (" + source.Plain(m[1], 40) + "::)"}
	}
	if strings.HasPrefix(raw, "./") || strings.HasPrefix(raw, "../") {
		return target{kind: decide.SubmoduleRelative}
	}
	located := raw
	if m := scheme.FindStringSubmatch(raw); m != nil {
		name := strings.ToLower(m[1])
		switch {
		case !slices.Contains(direct, name):
			return target{kind: decide.SubmoduleCommand, fault: "would have git start git-remote-" + source.Plain(m[1], 40) + " (" + source.Plain(m[1], 40) + "://)"}
		case name == "file":
			return target{kind: decide.SubmoduleLocal, place: decide.Place{Scheme: "file"}, fault: "comes from a directory, which is another one on each machine"}
		case name == "ssh+git":
			located = "ssh" + raw[len(m[1]):]
		}
	} else if m := scp.FindStringSubmatch(raw); m != nil {
		located = "ssh://" + m[2] + "/" + strings.TrimPrefix(m[3], "/")
	} else {
		return target{kind: decide.SubmoduleLocal, place: decide.Place{Scheme: "file"}, fault: "comes from a directory, which is another one on each machine"}
	}
	place := decide.PlaceOf(located)
	if place.Broken != "" {
		return target{kind: decide.SubmoduleInvalid, place: place, fault: "has an address that cannot be judged: " + place.Broken}
	}
	if host := sameService[place.Host+":"+place.Port]; host != "" && place.Scheme == "ssh" {
		place.Host, place.Port = host, ""
	}
	return target{kind: decide.SubmoduleRemote, place: place}
}

// submodules are the entries of a .gitmodules, in the file's order. A setting that stands there twice is told twice:
// which one counts depends on who reads it.
func submodules(file lockfile.File) ([]decide.Submodule, error) {
	variables, err := parseConfig(file)
	if err != nil {
		return nil, err
	}
	type named struct{ path, branch, ignore string }
	entries := map[string]*named{}
	for _, v := range variables {
		if v.section != "submodule" || v.sub == "" {
			continue
		}
		e := entries[v.sub]
		if e == nil {
			e = &named{}
			entries[v.sub] = e
		}
		switch v.name {
		case "path":
			e.path = v.value
		case "branch":
			e.branch = v.value
		case "ignore":
			e.ignore = v.value
		}
	}
	var out []decide.Submodule
	told := map[string]bool{} // names
	for _, v := range variables {
		e := entries[v.sub]
		if v.section != "submodule" || e == nil {
			continue
		}
		if len(out) >= maxSubmodules {
			return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", source.Plain(file.Path, 200), v.at.Line, v.at.Column),
				"leave those that this repository needs", "is where the file comes to tell more than %d things of submodules", maxSubmodules)
		}
		s := decide.Submodule{Name: source.Plain(v.sub, 200), Path: source.Plain(e.path, 200), Branch: source.Plain(e.branch, 100),
			Ignore: source.Plain(e.ignore, 20), Origin: source.Checkout, Position: v.at}
		if !told[v.sub] && climbs(v.sub) {
			told[v.sub] = true
			refused := s
			refused.Kind, refused.Position = decide.SubmoduleRefused, v.header
			refused.Fault, refused.Key = "has a name that leads out of the directory of submodules", "submodule name "+v.sub
			out = append(out, refused)
		}
		switch {
		case v.name == "url" && v.value != "":
			a := targetOf(v.value)
			s.Kind, s.Place, s.Fault, s.Relative = a.kind, a.place, a.fault, a.kind == decide.SubmoduleRelative
			if s.Key = "submodule " + v.sub + " " + v.value; s.Kind == decide.SubmoduleRemote {
				// another module of a host that is in use already brings in nobody new
				s.Key = fmt.Sprintf("submodule %s://%s userinfo %t", s.Scheme, source.Location{Host: s.Host, Port: s.Port}.HostPort(), s.Userinfo && s.Scheme != "ssh")
			}
		case v.name == "path" && strings.HasPrefix(v.value, "-"):
			s.Kind, s.Fault = decide.SubmoduleRefused, "has a path that begins with a dash, as an option does"
		case v.name == "path" && (climbs(v.value) || strings.HasPrefix(v.value, "/") || insideGit(v.value)):
			s.Kind, s.Fault = decide.SubmoduleRefused, "has a path that leads out of the checkout or into .git"
		case v.name == "update" && strings.HasPrefix(v.value, "!"):
			s.Kind, s.Fault = decide.SubmoduleCommand, "would have git start a command (update = !…)"
		default:
			continue
		}
		if s.Key == "" {
			s.Key = "submodule " + v.sub + " " + v.name + " " + v.value
		}
		out = append(out, s)
	}
	return out, nil
}

// parts are those of a path, whatever the system that it was written on.
func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
}

// climbs tells whether a path goes up.
func climbs(path string) bool { return slices.Contains(parts(path), "..") }

// insideGit tells whether a part of a path is .git to some file system.
func insideGit(path string) bool {
	return slices.ContainsFunc(parts(path), func(p string) bool { return strings.EqualFold(strings.TrimRight(p, ". "), ".git") })
}
