package ecosystem

import (
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/source"
)

// Input judges an input of a step that a CI system passes to somebody else's program, and that holds an address: what
// fault says is as good as that address.
func Input(eco, fault, name, value string) Command {
	c := named(Command{Kind: CommandSource, Ecosystem: eco, Fault: fault}, strings.TrimSpace(value))
	c.Text = shown(name + ": " + value)
	return c
}

// installing are the subcommands by which a tool downloads modules or packages; "" is the tool alone.
var installing = map[string][]string{
	"go":       {"build", "generate", "get", "install", "run", "test", "tool", "vet"},
	"go mod":   {"download", "tidy", "vendor"},
	"go work":  {"sync", "vendor"},
	"npm":      {"add", "ci", "clean-install", "exec", "i", "in", "install", "install-ci-test", "install-test", "it", "cit", "up", "update", "upgrade", "x"},
	"pnpm":     {"add", "dlx", "fetch", "i", "install", "up", "update", "upgrade"},
	"yarn":     {"", "add", "dlx", "install", "up", "upgrade"},
	"bun":      {"add", "i", "install", "update", "x"},
	"corepack": {"install", "prepare", "use"},
}

// Installs finds the commands in a script by which Go or a tool of the npm family would download modules or packages,
// those that are pinned as well. Kind and Fault are the caller's to set.
func Installs(text string) (found []Command) {
	for _, c := range shellCommands(text) {
		args, _ := c.head()
		if len(args) == 0 || len(found) == maxCommands {
			continue
		}
		tool, eco := base(args[0].text), source.NPM
		if tool == "go" {
			eco = source.Go
		}
		words := plain(args[1:])
		for len(words) > 0 && tool == "corepack" && installing[words[0]] != nil { // corepack pnpm …
			tool, words = words[0], words[1:]
		}
		sub := ""
		if len(words) > 0 {
			sub = words[0]
		}
		command := strings.TrimSpace(tool + " " + sub)
		hit := slices.Contains([]string{"npx", "pnpx", "bunx"}, tool) || slices.Contains(installing[tool], sub)
		if installing[command] != nil && len(words) > 1 {
			hit = slices.Contains(installing[command], words[1])
			command += " " + words[1]
		}
		if hit {
			found = append(found, Command{Ecosystem: eco, Offset: args[0].at, Text: shown(command)})
		}
	}
	return found
}

// plain are the words that are no options. The value of an option is taken for a word, which is no subcommand.
func plain(args []shellWord) (words []string) {
	for i, w := range args {
		valued := i > 0 && slices.Contains([]string{"-C", "--prefix", "--dir", "--cwd", "--filter", "-F", "--workspace", "-w"}, args[i-1].text)
		if !strings.HasPrefix(w.text, "-") && !valued {
			words = append(words, w.text)
		}
	}
	return words
}
