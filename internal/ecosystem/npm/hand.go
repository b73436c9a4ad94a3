package npm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// others are the settings files of the tools that stand in for npm. Each counts where its tool is started, in its own
// directory or one below, so all that are there are judged, each for itself.
var others = []struct {
	name, tool string
	values     func(*settings, lockfile.File) ([]value, error)
}{
	{".yarnrc", "yarn", (*settings).classicValues},
	{".yarnrc.yml", "yarn", (*settings).berryValues},
	{"bunfig.toml", "bun", (*settings).bunfigValues},
	{workspaceName, "pnpm", (*settings).workspaceValues},
	{".pnpmfile.cjs", "pnpm", hookFile},
	{".pnpmfile.mjs", "pnpm", hookFile},
	{corepackName, "corepack", (*settings).corepackValues},
	{envNames[0], "bun", (*settings).bunEnvValues},
	{envNames[1], "bun", (*settings).bunEnvValues},
	{envNames[2], "bun", (*settings).bunEnvValues},
	{envNames[3], "bun", (*settings).bunEnvValues},
}

const workspaceName = "pnpm-workspace.yaml"

// readOthers reads them all, and what a pnpm-workspace.yaml includes.
func (s *settings) readOthers() {
	for _, o := range others {
		for _, name := range s.co.Files(o.name) {
			s.readOther(name, o.values)
		}
	}
	s.readPnpmFields()
}

func (s *settings) readOther(name string, read func(*settings, lockfile.File) ([]value, error)) bool {
	file, err := s.co.Read(name, maxHand)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	s.files, s.read[name] = append(s.files, name), true
	var values []value
	if err == nil {
		values, err = read(s, file)
	}
	if err == nil && len(values) > maxSettings {
		err = badSettings(file, values[maxSettings].at, "its tool", "holds more than %d settings of registries, connections and checks", maxSettings)
	}
	if err != nil {
		s.errs = append(s.errs, err)
		return true
	}
	for i := range values {
		v := &values[i]
		v.origin, v.from, v.nested, v.linked = source.Checkout, v.at.File, true, file.Linked
		if isAddress(v.kind) && v.broken == "" && holdsVariable(v.text) {
			v.broken = "holds a variable, which is not expanded here"
		}
	}
	s.values = append(s.values, values...)
	return true
}

// hookFile is a file that pnpm loads whatever it holds: by default, where no setting names another.
func hookFile(s *settings, file lockfile.File) ([]value, error) {
	v := value{tool: "pnpm", name: path.Base(file.Path), text: file.Path, kind: aboutProgram, at: lockfile.Position{File: file.Path, Line: 1, Column: 1}}
	v.program = file.Path
	s.digest(&v)
	return []value{v}, nil
}

// isAddress is true for what is set to an address.
func isAddress(kind string) bool {
	return kind == aboutRegistry || kind == aboutMirror || kind == aboutProxy
}

// ofTheRunner is true for a value that decides nothing by itself: a mirror that is no address, and a proxy that a variable
// of the runner's names, with nothing to fall back on.
func ofTheRunner(kind, text string) bool {
	return kind == aboutMirror && !strings.Contains(text, ":") && !holdsVariable(text) || kind == aboutProxy && loneVariable.MatchString(text)
}

var loneVariable = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*(?::?-|\?)?\}$`)

// holdsVariable is true for ${NAME} of yarn and pnpm, and for $NAME of bun.
func holdsVariable(text string) bool { return variable.MatchString(text) }

var variable = regexp.MustCompile(`\$[{A-Za-z_]`)

// put makes a value of a leaf by what it means; nothing where it means nothing here.
func (s *settings) put(out []value, l leaf, name string, m meaning, tool string) []value {
	v := value{tool: tool, name: name, text: strings.TrimSpace(l.text), kind: m.kind, at: l.at}
	switch {
	case l.empty:
		return out
	case m.kind == aboutCredential:
		if v.text == "" || holdsVariable(v.text) {
			return out
		}
		v.text, v.fault = hidden, inClear
	case ofTheRunner(m.kind, v.text):
		return out
	case m.kind == aboutProgram && !s.judgeProgram(&v), m.kind == aboutStore && !s.judgeStore(&v):
		return out
	case m.fault != nil:
		v.fault = m.fault(v.text)
	}
	return append(out, v)
}

const inClear = "holds a secret that everybody who can read the repository has"

// lookedUp are programs that are found by name, and modules that may be packages: one without a slash is no file of the
// checkout.
var lookedUp = []string{"script-shell", "shell", "git", "python", "npm-path", "node-options", "env.NODE_OPTIONS", "preload", "test.preload",
	"serve.static.plugins", "install.security.scanner"}

// systemProgram is a program where systems have theirs.
var systemProgram = regexp.MustCompile(`(?i)^(?:/bin|/usr/bin|/usr/local/bin|/opt/homebrew/bin|[a-z]:[\\/]+(?:windows|program files(?: \(x86\))?)(?:[\\/]+[a-z0-9 ._-]+)*)[\\/]+[a-z0-9_-][a-z0-9._-]*$`)

// judgeProgram finds the file that a tool would start or load, and what is wrong with its place. It is false for a value
// that names no file of the author's: nothing, or a program of the machine.
func (s *settings) judgeProgram(v *value) bool {
	text, name := v.text, v.name
	if v.tool == "pnpm" {
		name = dashed(name)
	}
	if name == "node-options" || name == "env.NODE_OPTIONS" {
		if text = loadedModule(text); text == "" {
			return false
		}
		v.text = text
	}
	if v.name == "injectEnvironmentFiles" {
		text = strings.TrimSuffix(text, "?")
	}
	slashed := strings.ReplaceAll(text, `\`, "/")
	drive := len(slashed) > 1 && slashed[1] == ':'
	scoped := strings.HasPrefix(slashed, "@") // a package with a scope
	switch {
	case text == "" || text == "null" || text == "false":
		return false
	case holdsVariable(text):
		v.fault = "starts what a variable names, which is not expanded here"
	case slices.Contains(lookedUp, name) && (!strings.Contains(slashed, "/") || scoped || systemProgram.MatchString(text) && !strings.Contains(slashed, "..")):
		return false
	case strings.Contains(text, "://"):
		v.fault = "starts what stands at an address"
	case slashed == "~" || strings.HasPrefix(slashed, "~/"):
		v.fault = "starts what lies in the home directory"
	case drive || strings.HasPrefix(slashed, "/"):
		rel, inside := ecosystem.Rel(s.co.Dir(), filepath.Clean(filepath.FromSlash(slashed)))
		if drive && filepath.VolumeName(slashed) == "" || !inside {
			v.fault = "starts what lies outside the checkout"
			break
		}
		v.program = filepath.ToSlash(rel)
	default:
		if v.program = path.Join(path.Dir(v.at.File), slashed); !filepath.IsLocal(filepath.FromSlash(v.program)) {
			v.program, v.fault = "", "starts what lies outside the checkout"
		}
	}
	if v.program != "" {
		s.digest(v)
	}
	return true
}

// judgeStore is true for a directory that is there in the checkout: pnpm, yarn 1 and bun install what they find unpacked
// in theirs, and do not compare it with the lock file again.
func (s *settings) judgeStore(v *value) bool {
	dir := path.Join(path.Dir(v.at.File), strings.ReplaceAll(v.text, `\`, "/"))
	if v.text == "" || path.IsAbs(v.text) || !filepath.IsLocal(filepath.FromSlash(dir)) {
		return false
	}
	names, err := s.co.List(dir)
	v.kind, v.fault = aboutCaution, "takes packages from a directory of the checkout, where nobody compares them with the lock file"
	return err == nil && len(names) > 0
}

// loadedModule is the first module that options of node load before anything else; empty where they load none.
func loadedModule(options string) string {
	words := strings.Fields(options)
	for i, word := range words {
		word = strings.Trim(word, `"'`)
		name, value, has := strings.Cut(word, "=")
		switch name {
		case "-r", "--require", "--import", "--loader", "--experimental-loader":
			if !has && i+1 < len(words) {
				value = words[i+1]
			}
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}

// digest notes what the program holds, so that a change of it is told from what was there.
func (s *settings) digest(v *value) {
	file, err := s.co.Read(v.program, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.sum = "none"
	case err != nil:
		v.fault = "starts what cannot be read in the checkout"
	default:
		sum := sha256.Sum256(file.Data)
		v.sum = hex.EncodeToString(sum[:])
	}
}

// Led are the files of the checkout, beside those of Names, to which its settings of the npm family lead: programs to be
// started, and further settings. What cannot be read is passed over.
func Led(co *lockfile.Checkout) []string {
	s := readSettings(repositoryAlone(), co, true)
	files, names := s.files, Names()
	for _, v := range s.values {
		if v.program != "" {
			files = append(files, v.program)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(files, func(file string) bool {
		again := seen[file]
		seen[file] = true
		return again || slices.Contains(names, path.Base(file))
	})
}

func repositoryAlone() ecosystem.Machine {
	return ecosystem.Machine{Lookup: func(string) (string, bool) { return "", false }, RepoOnly: true}
}
