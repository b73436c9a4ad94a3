package golang

import (
	"errors"
	"fmt"
	"go/version"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/source"
)

const (
	netrcWord = "netrc"
	// authScript is the file that our own command of GOAUTH runs, and authShell the shell that does.
	authScript = "goauth.sh"
	authShell  = "/bin/sh"
	// firstAuth is the first toolchain that reads GOAUTH.
	firstAuth = "go1.24"
	// maxScript bounds an earlier script of ours.
	maxScript = 1 << 20
)

// authWords are the commands of GOAUTH in force. What a file of the checkout says of it counts for nothing here.
func (v *view) authWords() []string {
	s := v.set.get("GOAUTH")
	if strings.TrimSpace(s.value) == "" || s.origin == source.Checkout {
		return []string{netrcWord}
	}
	var out []string
	for command := range strings.SplitSeq(s.value, ";") {
		if command = strings.TrimSpace(command); command != "" {
			out = append(out, command)
		}
	}
	return out
}

// ownAuth is the script of a command of GOAUTH that an earlier setup has written; empty where it is no such. Only this user
// can have written it.
func ownAuth(command string) string {
	words, err := splitFlags(command)
	if err != nil || len(words) != 2 || words[0] != authShell || filepath.Base(words[1]) != authScript || !filepath.IsAbs(words[1]) {
		return ""
	}
	data, err := inject.ReadPrivate(words[1], maxScript)
	if err != nil {
		return ""
	}
	return string(data)
}

// handOver tells the go command of credentials (go 1.26, go help goauth): a login for a whole host by a netrc file, where
// GOAUTH reads one; all else that a header can say by a command, which is a shell that prints what stands in a file. The
// program itself is not that command: it may be gone, or lie in another container, when go runs.
func (v *view) handOver(grants []credential.Grant) (changes []inject.Change, notes []string) {
	words := v.authWords()
	users, readable := v.userNetrc()
	logins := credential.ParseNetrc(users)
	before := ""
	others := slices.DeleteFunc(slices.Clone(words), func(c string) bool {
		script := ownAuth(c)
		before += script
		return script != "" || c == off
	})
	var lines, stanzas, whose, hosts []string
	news := false
	for _, g := range grants {
		cannot := func(why string) {
			notes = append(notes, fmt.Sprintf("go cannot show the credential of %s (%s) to %s: %s", g.From, g.Kind(), g.At.HostPort(), why))
		}
		name, value, ok := g.Header()
		machine := strings.TrimPrefix(g.At.String(), "https://")
		line, simple := credential.NetrcLine(machine, g.Credential)
		switch {
		case g.At.Scheme != "https":
			cannot("it shows none over plain http")
		case !ok:
			cannot("it has no setting for client certificates")
		case simple && g.At.Path == "" && readable && slices.Contains(words, netrcWord):
			if c, has := logins.For("https://" + machine); !has || !c.Same(g.Credential) {
				lines, hosts = append(lines, line), append(hosts, g.At.HostPort()+" ("+g.From+")")
			}
		case v.m.OS == "windows":
			cannot("on Windows there is no shell that is known to be there")
		case version.IsValid(v.installed) && version.Compare(v.installed, firstAuth) < 0:
			cannot("it takes " + firstAuth + " or later, and " + v.installed + " is installed")
		default:
			stanza := "printf '%s\\n' " + quoteShell(g.At.String()) + " '' " + quoteShell(name+": "+value) + " ''\n"
			news = news || !strings.Contains(before, stanza)
			stanzas, whose = append(stanzas, stanza), append(whose, g.At.HostPort()+" ("+g.From+")")
		}
	}
	if len(lines) > 0 {
		// ours come first: the first of a machine counts, and what stands behind "default" is not read
		changes = append(changes, inject.Change{Kind: "env", Ecosystem: source.Go, Name: "NETRC", Shown: inject.NotYet,
			Why:  "the login for " + strings.Join(hosts, ", ") + ", beside those of the user's own netrc",
			File: &inject.File{Name: netrcWord, Data: []byte(strings.Join(lines, "") + users)}})
	}
	if news {
		script := "# What the go command shows to private sources (go help goauth). It is goproxy-action's, and ends with the job.\n" + strings.Join(stanzas, "")
		changes = append(changes, inject.Change{Kind: "env", Ecosystem: source.Go, Name: "GOAUTH", Shown: inject.NotYet,
			Why: "what to show to " + strings.Join(whose, ", ") + ", which no netrc can say",
			File: &inject.File{Name: authScript, Data: []byte(script), Value: func(path string) string {
				if strings.ContainsAny(path, "';\n\r\t") {
					return ""
				}
				if strings.ContainsAny(path, ` "`) {
					path = "'" + path + "'" // as cmd/internal/quoted reads it
				}
				return strings.Join(append([]string{authShell + " " + path}, others...), ";")
			}}})
	}
	return changes, notes
}

// userNetrc is the text of the netrc file that the go command reads now, and whether it can be put behind ours.
func (v *view) userNetrc() (text string, ok bool) {
	name := credential.NetrcPath(v.m.Lookup, v.m.OS)
	if name == "" {
		return "", true
	}
	if !filepath.IsAbs(name) || ecosystem.Inside(v.co.Fence, name) {
		return "", false
	}
	data, err := credential.ReadFile(name, credential.MaxNetrc)
	return string(data), err == nil || errors.Is(err, fs.ErrNotExist)
}

// quoteShell is a word of a shell that stands for itself.
func quoteShell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
