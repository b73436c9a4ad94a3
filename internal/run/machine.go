package run

import (
	"os"
	"os/user"
	"slices"
	"strconv"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/machine"
	"github.com/org/goproxy-action/internal/source"
)

// maxCandidates bounds the proxies that are tried beside the one in force.
const maxCandidates = 8

// readMachine reads what the tools of this machine are told about the network. Its secrets are masked from now on.
func (j *job) readMachine() {
	o := machine.Options{Lookup: j.Lookup, OS: j.OS, Fence: j.checkout.Fence}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil && os.Getuid() >= 0 {
		o.Account = u.HomeDir
	}
	r := machine.Read(o)
	for _, s := range r.Settings {
		for _, secret := range source.Secrets(s.Value) {
			j.mask(secret)
		}
	}
	j.notes = append(j.notes, r.Notes...)
	j.told = &r
}

// otherProxies are those that tools are told of and that are not in force for this program.
func (j *job) otherProxies() []detect.Candidate {
	var out []detect.Candidate
	for _, p := range j.told.Proxies() {
		if p.URL == nil || len(out) == maxCandidates || slices.Contains([]string{j.proxies.HTTPS.Value, j.proxies.HTTP.Value}, p.URL.String()) {
			continue
		}
		// the one in force with other words, or with another login
		if detect.SameProxy(p.URL.String(), j.proxies.HTTPS.Value) && p.URL.User == nil {
			continue
		}
		out = append(out, detect.Candidate{URL: p.URL.String(), Origins: p.Origins})
	}
	return out
}

// bundles are the certificates that the tools go by, as far as that is known: of those that are looked at, and of those
// that somebody has told.
func (j *job) bundles() []detect.Bundle {
	out := []detect.Bundle{{Tool: "go"}} // the system's store, or SSL_CERT_FILE and SSL_CERT_DIR, as this program itself
	for _, tool := range []string{machine.Git, machine.NPM, machine.PNPM, machine.Yarn, machine.Berry, machine.Bun, machine.Pip, machine.Cargo, "curl", "python"} {
		s, told := j.told.Bundle(tool)
		b := detect.Bundle{Tool: tool, Own: slices.Contains([]string{machine.NPM, machine.PNPM, machine.Yarn, machine.Berry}, tool)}
		switch {
		case told && s.Key != "SSL_CERT_DIR":
			b.Path, b.Origin, b.Adds = s.Value, s.Origin, s.Key == "NODE_EXTRA_CA_CERTS"
		case tool != machine.Git && tool != machine.NPM:
			continue
		}
		out = append(out, b)
	}
	return out
}
