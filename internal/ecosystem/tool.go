package ecosystem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

const (
	// pipesStay is how long the pipes of an ended tool may stay open: a grandchild may hold them.
	pipesStay = time.Second
	// tailSize is how much is kept of each stream of a tool: its last words matter.
	tailSize = 64 << 10
	// saidSize is how much of that an error quotes.
	saidSize = 400
)

// Tool finds a program on the PATH, and what it is a link to; both are empty where there is none. Directories that are
// relative or lie behind the fence of the checkout are passed over, before and after links are followed: nothing that
// its author may have written is started.
func (m Machine) Tool(fence, name string) (exe, real string) {
	path, _ := m.Lookup("PATH")
	for _, dir := range safeDirs(fence, path) {
		exe := filepath.Join(dir, name)
		real, err := filepath.EvalSymlinks(exe)
		if err != nil || Inside(fence, real) {
			continue
		}
		if info, err := os.Stat(real); err == nil && info.Mode().IsRegular() && (m.OS == "windows" || info.Mode()&0o111 != 0) {
			return exe, real
		}
	}
	return "", ""
}

// safeDirs are the directories of a PATH that are absolute and not behind the fence.
func safeDirs(fence, path string) []string {
	var out []string
	for _, d := range filepath.SplitList(path) {
		if filepath.IsAbs(d) && !Inside(fence, d) {
			out = append(out, d)
		}
	}
	return out
}

// Inside tells whether path is dir or lies below it, by name or after links are followed.
func Inside(dir, path string) bool {
	_, ok := Rel(dir, path)
	return ok
}

// Rel is path relative to dir, after links are followed or by name; ok is false where it does not lie inside.
func Rel(dir, path string) (rel string, ok bool) {
	for _, d := range [2]string{resolved(dir), dir} {
		for _, p := range [2]string{resolved(path), path} {
			if rel, err := filepath.Rel(d, p); err == nil && filepath.IsLocal(rel) {
				return rel, true
			}
		}
	}
	return "", false
}

func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// ReadFile reads a regular file of the machine of at most limit bytes; more is an error.
func ReadFile(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|source.NonBlock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it has more than %d KiB", limit>>10)
	}
	return data, err
}

// Child is a tool that is started to prove something.
type Child struct {
	// Exe is absolute. Dir is its directory, empty of what strangers wrote.
	Exe, Dir string
	Args     []string
	// Environ is whole; the PATH in it loses what is relative or lies in Checkout, which is the checkout's fence, since
	// tools start others by it. Set is added to it.
	Environ, Set []string
	Checkout     string
	// Hide are secrets beside those of the environment that what the tool says is shown without.
	Hide []string
}

// Run starts the tool and waits. What it said is the end of its error stream, without the secrets of the environment and
// fit for one line. The end of ctx is the end of all that the tool started.
func (c Child) Run(ctx context.Context) (stdout []byte, said string, err error) {
	cmd := c.command(ctx)
	var out, errs tail
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	}
	return out.end.Bytes(), c.Presentable(errs.text()), err
}

func (c Child) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Exe, c.Args...)
	cmd.Dir = c.Dir
	for _, pair := range c.Environ {
		if name, path, _ := strings.Cut(pair, "="); strings.EqualFold(name, "PATH") {
			pair = name + "=" + strings.Join(safeDirs(c.Checkout, path), string(filepath.ListSeparator))
		}
		cmd.Env = append(cmd.Env, pair)
	}
	cmd.Env = append(append(cmd.Env, c.Set...), "PWD="+c.Dir)
	cmd.WaitDelay = pipesStay
	asGroup(cmd)
	return cmd
}

var secretName = regexp.MustCompile(`(?i)token|secret|passw|_auth|api_?key|credential`)

// Presentable is the end of a tool's words, fit for one line, without the secrets of the environment.
func (c Child) Presentable(text string) string {
	for _, s := range c.Hide {
		text = strings.ReplaceAll(text, s, "***")
	}
	for _, pair := range c.Environ {
		name, value, _ := strings.Cut(pair, "=")
		var secrets []string
		if secretName.MatchString(name) {
			secrets = append(secrets, value)
		}
		if strings.Contains(value, "://") {
			for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(",| \t\n", r) }) {
				secrets = append(secrets, source.Secrets(part)...)
			}
		}
		for _, s := range secrets {
			if len(s) >= 4 { // a shorter one would blot out half of the text, and Redact hides it in addresses
				text = strings.ReplaceAll(text, s, "***")
			}
		}
	}
	text = strings.TrimSpace(source.Redact(text))
	if len(text) > saidSize {
		text = "…" + strings.ToValidUTF8(text[len(text)-saidSize:], "")
	}
	return source.Plain(text, 0)
}

// tail keeps the end of what is written. The buffer is not embedded: io.Copy would find its ReadFrom.
type tail struct {
	end bytes.Buffer
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.end.Write(p)
	if over := t.end.Len() - tailSize; over > 0 {
		t.end.Next(over)
		t.cut = true
	}
	return len(p), nil
}

// text is what was kept, from a line's start on: half an address could not be redacted.
func (t *tail) text() string {
	if t.cut {
		_, rest, _ := strings.Cut(t.end.String(), "\n")
		return rest
	}
	return t.end.String()
}
