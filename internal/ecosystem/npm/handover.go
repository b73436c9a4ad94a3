package npm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/org/goproxy-action/internal/credential"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
	"github.com/org/goproxy-action/internal/toolfile"
)

const userConfigVariable = "npm_config_userconfig"

// handOver tells npm of credentials by a userconfig of this run: the user's own as it is, its variables unexpanded, with
// lines for the registries behind it. Variables such as npm_config_//host/:_authToken would do without a file, but dash
// drops them.
func (r *room) handOver(grants []credential.Grant) (changes []inject.Change, notes []string) {
	var lines, hosts []string
	for _, g := range grants {
		key := strings.TrimPrefix(g.At.String(), g.At.Scheme+":") + "/:"
		var own []string
		switch g.Kind() {
		case credential.Bearer:
			token, _ := g.Token()
			own = []string{key + "_authToken=" + token}
		case credential.Basic:
			user, password, _ := g.Login()
			own = []string{key + "_auth=" + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
		case credential.MTLS:
			cert, file := g.Files()
			if strings.ContainsAny(cert+file, "\n\r;#\\\"'$") {
				notes = append(notes, fmt.Sprintf("npm cannot be told of the certificate of %s: its path holds a sign that an .npmrc cannot", g.From))
				continue
			}
			own = []string{key + "certfile=" + cert, key + "keyfile=" + file}
		case credential.Header, credential.None:
			notes = append(notes, fmt.Sprintf("npm cannot show the credential of %s to %s: it sends no headers of one's own", g.From, g.At.HostPort()))
			continue
		}
		lines, hosts = append(lines, own...), append(hosts, g.At.HostPort()+" ("+g.From+")")
	}
	if len(lines) == 0 {
		return nil, notes
	}
	s := &settings{m: r.m, co: r.co}
	name := s.userConfig(s.environment())
	var users []byte
	if name != "" {
		var err error
		if !filepath.IsAbs(name) || ecosystem.Inside(r.co.Fence, name) {
			err = errors.New("it lies where the author of the checkout may have written it")
		} else if users, err = ecosystem.ReadFile(name, maxRC); errors.Is(err, fs.ErrNotExist) {
			err = nil
		} else if err == nil {
			_, err = parseRC(lockfile.File{Path: name, Data: users})
		}
		if err != nil {
			return nil, append(notes, fmt.Sprintf("npm is told of no credential, since %s, which it reads, cannot be put in front of one: %v", source.Plain(name, 200), err))
		}
	}
	text := string(users)
	fresh := lines[:0]
	for _, l := range lines {
		if !strings.Contains("\n"+text+"\n", "\n"+l+"\n") {
			fresh = append(fresh, l)
		}
	}
	if len(fresh) == 0 {
		return nil, notes
	}
	file := &inject.File{Name: "npmrc", Data: []byte(withLines(text, fresh))}
	why := "the credentials for " + strings.Join(hosts, ", ") + ", beside the user's own settings"
	for _, variable := range []string{userConfigVariable, strings.ToUpper(userConfigVariable)} {
		if _, set := r.m.Lookup(variable); set || variable == userConfigVariable { // of two spellings npm takes the one that comes last
			changes = append(changes, inject.Change{Kind: "env", Ecosystem: source.NPM, Name: variable, Shown: inject.NotYet, Why: why, File: file})
		}
	}
	return changes, notes
}

// withLines puts lines behind a .npmrc's own, where they count in place of equal ones, but before its first section, whose
// lines have no meaning to npm.
func withLines(text string, lines []string) string {
	text = strings.TrimPrefix(text, "\ufeff") // which has a meaning at the beginning alone
	at := 0
	for at < len(text) {
		end := strings.IndexAny(text[at:], "\r\n") // to npm, a lone carriage return ends a line too
		if end < 0 {
			end = len(text) - at
		}
		if toolfile.RCSection(text[at : at+end]) {
			break
		}
		at = min(at+end+1, len(text))
	}
	head := text[:at]
	if head != "" && !strings.HasSuffix(head, "\n") {
		head += "\n"
	}
	return head + strings.Join(lines, "\n") + "\n" + text[at:]
}
