package npm

import (
	"net/url"
	"path"
	"strings"
)

// servedPlainly is true for the path at which a registry of the npm registry's own scheme has a package: it ends in
// /name/-/name-version.tgz, without the scope in the file's name. Most paths are such, so that nothing is allocated here.
func servedPlainly(name, version, path string) bool {
	rest, tarball := strings.CutSuffix(path, ".tgz")
	rest, versioned := strings.CutSuffix(rest, version)
	rest, dashed := strings.CutSuffix(rest, "-")
	rest, based := strings.CutSuffix(rest, base(name))
	rest, apart := strings.CutSuffix(rest, "/-/")
	rest, named := strings.CutSuffix(rest, name)
	if !tarball || !versioned || version == "" || !dashed || !based || name == "" || !apart || !named {
		return false
	}
	// a scope before the name, or a way round, is for a closer look
	return rest == "/" || strings.HasSuffix(rest, "/") && !strings.ContainsAny(rest, "%@") && !strings.Contains(rest, "//") && !strings.Contains(rest, "/.")
}

// pathOf is the path of an address of http; empty for any other.
func pathOf(address string) string {
	if !isHTTP(address) {
		return ""
	}
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "?")
	_, rest, _ := strings.Cut(address, "://")
	_, at, _ := strings.Cut(rest, "/")
	return at
}

// base is a name without its scope.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// other is what a registry serves in the place of a package, "evil@1.0.0"; empty where the path is the package's own, and
// where it is of no scheme that says whose it is.
func other(name, version, at string) string {
	if servedPlainly(name, version, at) {
		return ""
	}
	if isSpec(version) {
		version = ""
	}
	servedName, servedVersion := served(at)
	if servedName == "" || servedName == name && (version == "" || sameVersion(servedVersion, version)) {
		return ""
	}
	return servedName + "@" + servedVersion
}

// served reads name and version out of the path of a registry's tarball; both are empty where it follows none of these:
//
//	…/name/-/name-version.tgz              the npm registry's own, and all that copy it; some have the scope in the file's
//	                                       name, or directories before it
//	…/name/download/name-version.tgz       cnpm
//	/download/@owner/name/version/digest   GitHub Packages
//	…/name/version/name-version.tgz        the storage behind a mirror
func served(at string) (name, version string) {
	if strings.IndexByte(at, '%') >= 0 {
		plain, err := url.PathUnescape(at)
		if err != nil {
			return "", ""
		}
		at = plain
	}
	at = path.Clean("/" + at)
	if rest, ok := strings.CutPrefix(at, "/download/@"); ok {
		if parts := strings.Split(rest, "/"); len(parts) == 4 && begins(parts[2]) && isDigest(parts[3]) {
			return "@" + parts[0] + "/" + parts[1], parts[2]
		}
	}
	directory, file := path.Split(at)
	file, ok := strings.CutSuffix(file, ".tgz")
	if !ok {
		return "", ""
	}
	for _, mark := range [...]string{"/-/", "/download/"} {
		if i := strings.LastIndex(directory, mark); i >= 0 {
			name = lastName(directory[:i])
			version, ok = strings.CutPrefix(file, base(name)+"-")
			if ok && begins(version) {
				return name, version
			}
			return "", ""
		}
	}
	directory, version = path.Split(strings.TrimSuffix(directory, "/"))
	name = lastName(strings.TrimSuffix(directory, "/"))
	if begins(version) && name != "" && file == base(name)+"-"+version {
		return name, version
	}
	return "", ""
}

// lastName is the package that a path ends in, with its scope.
func lastName(at string) string {
	before, name := path.Split(at)
	if _, scope := path.Split(strings.TrimSuffix(before, "/")); strings.HasPrefix(scope, "@") {
		return scope + "/" + name
	}
	return name
}

// begins is true for what begins as a version does.
func begins(version string) bool { return version != "" && version[0] >= '0' && version[0] <= '9' }

// isDigest is true for a digest in hexadecimal digits.
func isDigest(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}

// sameVersion compares versions as registries write them into addresses: build metadata is not kept, and what was published
// before versions were strict has a hyphen more or less before a letter.
func sameVersion(a, b string) bool {
	if a == b {
		return true
	}
	loose := func(version string) string {
		version, _, _ = strings.Cut(strings.TrimLeft(version, "v="), "+")
		if i := strings.IndexByte(version, '-'); i >= 0 && !begins(version[i+1:]) {
			version = version[:i] + version[i+1:]
		}
		return version
	}
	return loose(a) == loose(b)
}
