package shell

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
)

func env(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	f := New(env(), &out)
	if err := f.Export([]inject.Change{{Name: "GOPROXY", Value: "https://goproxy.cn,direct"}, {Name: "NO_PROXY", Value: "it's"}}); err != nil {
		t.Fatal(err)
	}
	if want := "export GOPROXY='https://goproxy.cn,direct'\nexport NO_PROXY='it'\\''s'\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	if err := f.Export(nil); err != nil || out.Len() > 0 {
		t.Errorf("nothing to export: %v, printed %q", err, out.String())
	}
	for _, c := range []inject.Change{
		{Name: "A", Value: "a\nb"}, {Name: "A", Value: "a\x00b"}, {Name: "A", Value: "\x1b[2J"}, {Name: "A", Value: "\u202e"}, {Name: "A", Value: "\xff"},
		{Name: "", Value: "x"}, {Name: "1A", Value: "x"}, {Name: "A;id", Value: "x"}, {Name: "A-B", Value: "x"}, {Name: "A\n", Value: "x"},
	} {
		err := f.Export([]inject.Change{{Name: "GOPROXY", Value: "off"}, c})
		if _, ok := errors.AsType[*problem.Problem](err); !ok {
			t.Errorf("%q=%q: %v is no problem", c.Name, c.Value, err)
		}
		if out.Len() > 0 {
			t.Errorf("%q=%q: half of it was printed: %q", c.Name, c.Value, out.String())
		}
	}
}

func TestRestoreAndFail(t *testing.T) {
	t.Parallel()
	got, err := Lines([]inject.Change{{Name: "GOPROXY", Value: ""}}, []string{"GOSUMDB"})
	if want := "export GOPROXY=''\nunset GOSUMDB\n"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := Lines(nil, []string{"A; id"}); err == nil {
		t.Error("a command is no name")
	}
	var out bytes.Buffer
	if err := Fail(&out, 3); err != nil || out.String() != "(exit 3)\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	if err := Fail(broken{}, 3); problem.CodeOf(err) != problem.Usage {
		t.Errorf("a closed standard output is %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestStateDir(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // other paths are absolute there
	}
	for _, tt := range []struct {
		goos, want string
		env        []string
	}{
		{"linux", "/c/goproxy-action", []string{"XDG_CACHE_HOME", "/c", "HOME", "/h"}},
		{"linux", "/h/.cache/goproxy-action", []string{"XDG_CACHE_HOME", "rel", "HOME", "/h"}},
		{"linux", "/h/.cache/goproxy-action", []string{"HOME", "/h"}},
		{"linux", "", []string{"HOME", "."}},
		{"linux", "", nil},
		{"darwin", "/h/Library/Caches/goproxy-action", []string{"XDG_CACHE_HOME", "/c", "HOME", "/h"}},
		{"windows", "/l/goproxy-action", []string{"LocalAppData", "/l"}},
	} {
		if got := stateDir(env(tt.env...), tt.goos); got != tt.want {
			t.Errorf("%s %v: got %q, want %q", tt.goos, tt.env, got, tt.want)
		}
	}
}

var awkward = []string{"", "plain", "it's", "''", "'", `\`, `\'`, `a'\''b`, "$HOME", "$(id)", "`id`", `"`, "a b  c", "*", "~", "!x", "#x", "-n", "%s", ";id", "&", "|", "<>", "ü", "世界"}

// A real shell gives back each value as it was, and runs none of it.
func TestRealShell(t *testing.T) {
	t.Parallel()
	for _, value := range awkward {
		text, err := Lines([]inject.Change{{Name: "V", Value: value}}, []string{"W"})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `eval "$1"; printf %s "${W-unset}:$V"`, "sh", text)
		cmd.Env = []string{"W=1", "HOME=/nowhere"}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "unset:"+value {
			t.Errorf("%q came back as %q, %v", value, out, err)
		}
	}
	err := exec.CommandContext(t.Context(), "sh", "-e", "-c", `eval "$(printf '%s' "$1")"; exit 9`, "sh", "(exit 3)\n").Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
		t.Errorf("under set -e the line ends the shell with %v, not 3", err)
	}
}

// unquote reads one word as a POSIX shell does; ok is false where the word is anything but quoted text.
func unquote(word string) (value string, ok bool) {
	var b strings.Builder
	for word != "" {
		switch {
		case strings.HasPrefix(word, `\'`):
			b.WriteByte('\'')
			word = word[2:]
		case word[0] == '\'':
			inner, rest, closed := strings.Cut(word[1:], "'")
			if !closed {
				return "", false
			}
			b.WriteString(inner)
			word = rest
		default:
			return "", false
		}
	}
	return b.String(), true
}

func FuzzLines(f *testing.F) {
	for _, v := range awkward {
		f.Add("GOPROXY", v)
	}
	f.Add("A B", "x")
	f.Add("A", "a\nb")
	f.Fuzz(func(t *testing.T, name, value string) {
		text, err := Lines([]inject.Change{{Name: name, Value: value}}, nil)
		if err != nil {
			if text != "" {
				t.Fatalf("an error and %q", text)
			}
			return
		}
		body, ended := strings.CutSuffix(text, "\n")
		word, started := strings.CutPrefix(body, "export "+name+"=")
		if !ended || !started || strings.ContainsAny(body, "\n\r\x00") {
			t.Fatalf("not one line: %q", text)
		}
		if got, ok := unquote(word); !ok || got != value {
			t.Fatalf("%q is read as %q", text, got)
		}
	})
}
