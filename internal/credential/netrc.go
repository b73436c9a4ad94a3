package credential

import (
	"strings"
)

// Netrc is what the go command makes of a netrc file (go 1.26, cmd/go/internal/auth): the machines that have a login and a
// password, in order. It reads pairs of words line by line; there are no quotes, a macro ends at an empty line, and what
// stands under "default" is used for nobody.
type Netrc []Machine

// Machine is one login of a netrc file. Name is a host, a host with its port, or either with the beginning of a path.
type Machine struct {
	Name string
	Credential
}

// MaxNetrc bounds a netrc file, in bytes. One with a hundred machines has 10 KB.
const MaxNetrc = 256 << 10

// ParseNetrc reads a netrc file. Nothing is malformed to the go command; what it does not understand it passes over. A
// login that no header can carry is left out.
func ParseNetrc(text string) Netrc {
	var all Netrc
	var name, login, password string
	macro := false
	for line := range strings.SplitSeq(text, "\n") {
		if macro {
			macro = line != ""
			continue
		}
		words := strings.Fields(line)
		i := 0
		for ; i+1 < len(words); i += 2 {
			switch value := words[i+1]; words[i] {
			case "machine":
				name, login, password = value, "", ""
			case "login":
				login = value
			case "password":
				password = value
			case "macdef":
				macro = true
			}
			if name != "" && login != "" && password != "" {
				if c, err := NewBasic(login, password); err == nil {
					all = append(all, Machine{name, c})
				}
				name, login, password = "", "", ""
			}
		}
		if i < len(words) && words[i] == "default" {
			break // nothing may come after it
		}
	}
	return all
}

// For is the login for an https address, found as the go command finds it: the machine whose name is the longest beginning
// of host, port and path, ending at a slash, and of several the first. The port counts as it is written.
func (n Netrc) For(rawurl string) (Credential, bool) {
	rest, ok := strings.CutPrefix(rawurl, "https://")
	if !ok {
		return Credential{}, false
	}
	rest = strings.TrimSuffix(rest, "/")
	for {
		for _, m := range n {
			if strings.TrimSuffix(strings.TrimPrefix(m.Name, "https://"), "/") == rest {
				return m.Credential, true
			}
		}
		slash := strings.LastIndexByte(rest, '/')
		if slash < 0 {
			return Credential{}, false
		}
		rest = rest[:slash]
	}
}

// NetrcLine is the line for a machine, and ok is false for what a netrc file cannot say: other kinds, and white space in a
// name or password.
func NetrcLine(machine string, c Credential) (line string, ok bool) {
	user, password, ok := c.Login()
	for _, word := range []string{machine, user, password} {
		if len(strings.Fields(word)) != 1 || strings.Fields(word)[0] != word {
			return "", false
		}
	}
	return "machine " + machine + " login " + user + " password " + password + "\n", ok
}
