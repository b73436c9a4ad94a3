package npm

import (
	"encoding/base64"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/source"
)

// Kinds of a lock file's entries.
const (
	kindRegistry = "registry"
	kindTarball  = "tarball"
	kindGit      = "git"
	kindFile     = "file"
	kindInvalid  = "invalid"
)

func broken(err error) decide.Place { return decide.Place{Broken: err.Error()} }

// hosted are npm's short names of git hosts.
var hosted = map[string]string{"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org",
	"gist": "gist.github.com", "sourcehut": "git.sr.ht"}

// locateEntry says what kind of place npm would take the text of a lock file for, in npm-package-arg's order.
func locateEntry(name, raw string) (string, source.Location, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	if scheme = strings.ToLower(scheme); !ok {
		switch {
		case strings.HasPrefix(raw, ".") || strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, "~/"):
			return kindFile, source.Location{Scheme: "file"}, nil
		case strings.Count(raw, "/") == 1 && raw[0] != '@':
			return shorthand("github.com", raw)
		case strings.HasSuffix(strings.ToLower(raw), ".tgz"):
			return kindFile, source.Location{Scheme: "file"}, nil
		}
		return kindInvalid, source.Location{}, errors.New("names no place that npm knows")
	}
	if len(scheme) == 1 || scheme == "file" && !strings.HasPrefix(rest, "//") {
		return kindFile, source.Location{Scheme: "file"}, nil
	}
	if host := hosted[scheme]; host != "" && !strings.HasPrefix(rest, "//") {
		return shorthand(host, rest)
	}
	loc, err := source.Locate(raw)
	if err != nil {
		// git+ssh://git@host:group/project is git's scp form with a scheme before it
		if plain, ok := strings.CutPrefix(strings.TrimPrefix(raw, "git+"), "ssh://"); ok {
			if loc, e := source.Locate(plain); e == nil {
				return kindGit, loc, nil
			}
		}
		return kindInvalid, source.Location{}, err
	}
	if strings.HasPrefix(scheme, "git+") {
		return kindGit, loc, nil
	}
	kind := kindAt(name, loc)
	if kind == kindGit && strings.HasPrefix(scheme, "http") && strings.Contains(raw, "%") {
		kind = kindTarball // npm does not know the host in an address that it cannot decode
	}
	if kind == kindInvalid {
		return kind, source.Location{}, errors.New("address has a scheme that npm does not fetch")
	}
	return kind, loc, nil
}

func kindAt(name string, loc source.Location) string {
	switch {
	case loc.Scheme == "git" || loc.Scheme == "ssh" || isHostedGit(loc):
		return kindGit
	case loc.Scheme == "file":
		return kindFile
	case loc.Scheme != "https" && loc.Scheme != "http":
		return kindInvalid
	case ofRegistry(name, loc.Path):
		return kindRegistry
	}
	return kindTarball
}

func shorthand(host, repo string) (string, source.Location, error) {
	repo, _, _ = strings.Cut(repo, "#")
	if i := strings.LastIndexByte(repo, '@'); i >= 0 { // gitlab:user:token@group/project
		repo = repo[i+1:]
	}
	loc, err := source.Locate("https://" + host + "/" + repo)
	if err != nil {
		return kindInvalid, loc, err
	}
	return kindGit, loc, nil
}

// forges are the hosts of hosted that serve their repositories over https.
var forges = map[string]bool{"github.com": true, "bitbucket.org": true, "git.sr.ht": true, "gist.github.com": true, "gitlab.com": true}

// isHostedGit is true for the address of a repository at a host that npm knows, which it clones though it says https. The
// paths are those of hosted-git-info 9; npm downloads from any other, whatever its name ends in.
func isHostedGit(loc source.Location) bool {
	host := strings.TrimPrefix(loc.Host, "www.")
	if !forges[host] {
		return false
	}
	parts := append(strings.Split(strings.TrimPrefix(loc.Path, "/"), "/"), "", "", "") // user, project, what of it
	https := loc.Scheme == "https"
	named := parts[0] != "" && strings.TrimSuffix(parts[1], ".git") != ""
	switch host {
	case "github.com":
		return named && (parts[2] == "" || parts[2] == "tree")
	case "bitbucket.org":
		return named && https && parts[2] != "get"
	case "git.sr.ht":
		return named && https && parts[2] != "archive"
	case "gist.github.com":
		return https && parts[0] != "" && parts[2] != "raw"
	case "gitlab.com": // groups nest
		user, project := path.Split(strings.TrimPrefix(loc.Path, "/"))
		return https && strings.Trim(user, "/") != "" && strings.TrimSuffix(project, ".git") != "" &&
			!strings.Contains(user, "/-/") && !strings.Contains(loc.Path, "/archive.tar.gz")
	}
	return false
}

// elsewhere is true for what comes from a repository or from a file, and from no registry. Nearly all that is asked is an
// address of a registry, and is told by its host.
func elsewhere(raw string) bool {
	if head, _, ok := splitOrigin(raw); ok && !isForge(head) {
		return false
	}
	kind, _, err := locateEntry("", raw)
	return err == nil && (kind == kindGit || kind == kindFile) || commitArchive(raw)
}

// isForge is true where the host of an address may be a forge's.
func isForge(head string) bool {
	return slices.ContainsFunc([]string{"github.com", "gitlab.com", "bitbucket.org", "git.sr.ht"}, func(host string) bool { return strings.Contains(head, host) })
}

// commitArchive is true for the address at which a forge serves a commit as a tarball. yarn 1 and pnpm fetch it from there
// in place of a clone, and note no integrity. The forms are those of pnpm 12 and yarn 1.22.
func commitArchive(address string) bool {
	rest, ok := strings.CutPrefix(address, "https://")
	host, rest, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut(rest, "?")
	parts := strings.Split(path, "/")
	switch n := len(parts); {
	case !ok || n < 4:
	case host == "codeload.github.com":
		return n == 4 && parts[2] == "tar.gz" && isCommit(parts[3])
	case host == "bitbucket.org":
		return n == 4 && parts[2] == "get" && isCommit(strings.TrimSuffix(parts[3], ".tar.gz"))
	case host == "gitlab.com" && parts[n-2] == "repository":
		name, commit, _ := strings.Cut(query, "=")
		return parts[n-1] == "archive.tar.gz" && (name == "ref" || name == "sha") && isCommit(commit)
	case host == "gitlab.com":
		return n > 5 && parts[n-4] == "-" && parts[n-3] == "archive" && isCommit(parts[n-2])
	}
	return false
}

func isCommit(text string) bool {
	return len(text) == 40 && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// ofRegistry tells a registry's tarball from any other by its path: /name/-/file by the npm registry's own scheme and
// those that follow it, /name/download/file by cnpm, /download/name/ by GitHub Packages.
func ofRegistry(name, path string) bool {
	for i := 0; name != ""; {
		n := strings.Index(path[i:], name)
		if n < 0 {
			break
		}
		start := i + n
		before, after := path[:start], path[start+len(name):]
		if strings.HasSuffix(before, "/") && (strings.HasPrefix(after, "/-/") || strings.HasPrefix(after, "/download/") ||
			strings.HasPrefix(after, "/") && strings.HasSuffix(before, "/download/")) {
			return true
		}
		i = start + 1
	}
	if scoped := strings.ToLower(path); strings.Contains(scoped, "%2f") {
		return ofRegistry(name, strings.ReplaceAll(scoped, "%2f", "/"))
	}
	return false
}

// Classes of an integrity, the strongest first.
var algorithms = [...]struct {
	name string
	size int
}{{"sha512", 64}, {"sha384", 48}, {"sha256", 32}, {"sha1", 20}, {"md5", 16}}

// integrityClass is the strongest algorithm that has a well-formed hash in it, "none" for an empty one, and "broken"
// where there is no such hash, or where the hash that npm would compare with is malformed. npm takes an integrity that it
// cannot parse for none and installs without a check.
func integrityClass(integrity string) string {
	if integrity == "" {
		return "none"
	}
	best := len(algorithms)
	good := false
	for rest := integrity; rest != ""; {
		var hash string
		if i := strings.IndexAny(rest, " \t\r\n"); i >= 0 {
			hash, rest = rest[:i], rest[i+1:]
		} else {
			hash, rest = rest, ""
		}
		name, digest, _ := strings.Cut(hash, "-")
		for i, a := range algorithms {
			if a.name != name || i > best {
				continue
			}
			digest, _, _ = strings.Cut(digest, "?") // options, which nobody reads
			var out [66]byte
			ok := len(digest) == base64.StdEncoding.EncodedLen(a.size)
			if ok {
				n, err := strictBase64.Decode(out[:], []byte(digest))
				ok = err == nil && n == a.size
			}
			good = ok || good && i == best
			best = i
		}
	}
	if !good {
		return "broken"
	}
	return algorithms[best].name
}

var strictBase64 = base64.StdEncoding.Strict()
