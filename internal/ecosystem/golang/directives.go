package golang

import (
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/mod/modfile"

	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// addDirectives takes in what a go.mod says beside what it requires and replaces.
func (v *view) addDirectives(m *main) {
	for _, x := range m.mod.Exclude {
		v.excludes = append(v.excludes, decide.Exclude{Module: x.Mod.Path, Version: x.Mod.Version, Position: position(m.file, x.Syntax.Start)})
	}
	own := ""
	if m.mod.Module != nil {
		own = m.mod.Module.Mod.Path
	}
	for _, t := range m.mod.Tool {
		foreign := host(t.Path) != host(own) || slices.Contains(forges[:], host(own)) && second(t.Path) != second(own)
		v.tools = append(v.tools, decide.Tool{Path: t.Path, Foreign: foreign, Key: toolKey(m.file, t), Origin: source.Checkout,
			Position: position(m.file, t.Syntax.Start)})
	}
	v.addDebug(m.file, m.mod.Godebug)
	v.addLines(m.file, m.mod.Go, m.mod.Toolchain, m.mod.Godebug, m.mod.Retract)
}

// addLines takes in what no rule of ours asks for one by one.
func (v *view) addLines(file lockfile.File, goLine *modfile.Go, toolchain *modfile.Toolchain, debug []*modfile.Godebug, retract []*modfile.Retract) {
	add := func(name, value, comment string, line *modfile.Line) {
		v.directives = append(v.directives, decide.Directive{Name: name, Value: source.Plain(value, 200), Comment: source.Plain(comment, 500),
			Position: position(file, line.Start)})
	}
	if goLine != nil {
		add("go", goLine.Version, "", goLine.Syntax)
	}
	if toolchain != nil {
		add("toolchain", toolchain.Name, "", toolchain.Syntax)
	}
	for _, g := range debug {
		add("godebug", g.Key+"="+g.Value, "", g.Syntax)
	}
	for _, r := range retract {
		versions := r.Low
		if r.High != r.Low {
			versions = "[" + r.Low + ", " + r.High + "]"
		}
		add("retract", versions, r.Rationale, r.Syntax)
	}
}

// addUse takes in a use directive that leads out of the checkout.
func (v *view) addUse(file lockfile.File, use *modfile.Use) {
	key := useKey(file, use)
	if !outside(file, use.Path) {
		if !v.escapes(file, use.Path) {
			return
		}
		key += linked
	}
	v.uses = append(v.uses, decide.Use{Target: use.Path, Key: key, Origin: source.Checkout, Position: position(file, use.Syntax.Start)})
}

func toolKey(file lockfile.File, t *modfile.Tool) string {
	return fmt.Sprintf("tool %s %s", modfile.AutoQuote(file.Path), modfile.AutoQuote(t.Path))
}

func useKey(file lockfile.File, u *modfile.Use) string {
	return fmt.Sprintf("use %s %s", modfile.AutoQuote(file.Path), modfile.AutoQuote(u.Path))
}

func (v *view) addDebug(file lockfile.File, list []*modfile.Godebug) {
	for _, g := range list {
		if effect := weakens(g.Key, g.Value); effect != "" {
			v.debug = append(v.debug, decide.Debug{Setting: g.Key + "=" + g.Value, Effect: effect, Position: position(file, g.Syntax.Start)})
		}
	}
}

// weakens says in words what a setting of GODEBUG takes from the safety of a program; empty for one that takes nothing.
// The sources are the sections of $GOROOT/doc/godebug.md (go 1.26) and the documentation that they point to. Settings that
// restore old behaviour without a risk, and "default", which a go line does as well, are none.
func weakens(key, value string) string {
	switch key + "=" + value {
	case "execerrdot=0": // Go 1.19
		return "lets programs be started from the current directory"
	case "jstmpllitinterp=1": // Go 1.21, html/template
		return "lets templates write into template literals of JavaScript, unescaped"
	case "tls10server=1": // Go 1.22
		return "lets TLS servers accept TLS 1.0"
	case "tlsrsakex=1": // Go 1.22
		return "allows key exchange by RSA, without forward secrecy"
	case "tlsunsafeekm=1": // Go 1.22, tls.ConnectionState.ExportKeyingMaterial
		return "exports keys of TLS connections without extended master secret"
	case "tls3des=1": // Go 1.23
		return "allows cipher suites with 3DES"
	case "x509sha1=1": // until Go 1.24, x509.InsecureAlgorithmError
		return "accepts certificates signed with SHA-1"
	case "rsa1024min=0": // Go 1.24
		return "accepts RSA keys below 1024 bits"
	case "tlssha1=1": // Go 1.25
		return "accepts signatures with SHA-1 in TLS 1.2"
	case "fips140ems=0": // Go 1.26.6
		return "drops extended master secret in FIPS 140-3 mode"
	case "htmlmetacontenturlescape=0": // Go 1.26.1
		return "leaves addresses in meta tags of templates unescaped"
	case "httpcookiemaxnum=0", "urlmaxqueryparams=0": // Go 1.26
		return "takes away a limit that keeps requests from using up memory"
	}
	if bits, err := strconv.Atoi(value); key == "tlsmaxrsasize" && err == nil && bits > 8192 { // Go 1.22
		return "takes RSA keys in TLS that keep a processor busy"
	}
	return ""
}
