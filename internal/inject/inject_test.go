package inject

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(m map[string]string) func(string) (string, bool) {
	return func(n string) (string, bool) { v, ok := m[n]; return v, ok }
}

func TestMergeNoProxy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		list  string
		hosts []string
		want  string
	}{
		{"", nil, "localhost,127.0.0.1,::1,[::1]"},
		{"corp.example, .corp.example", nil, "corp.example,.corp.example,localhost,127.0.0.1,::1,[::1]"},
		{"localhost", []string{"goproxy.cn", "10.1.2.3"}, "localhost,127.0.0.1,::1,[::1],goproxy.cn,.goproxy.cn,10.1.2.3"},
		{"*", []string{"goproxy.cn"}, "*"},
	} {
		if got := MergeNoProxy(tt.list, tt.hosts); got != tt.want {
			t.Errorf("MergeNoProxy(%q, %q) = %q, want %q", tt.list, tt.hosts, got, tt.want)
		}
		if again := MergeNoProxy(MergeNoProxy(tt.list, tt.hosts), tt.hosts); again != MergeNoProxy(tt.list, tt.hosts) {
			t.Errorf("not idempotent: %q", again)
		}
	}
}

// Both cases are set, only what differs, and nothing where nothing is wished.
func TestProxies(t *testing.T) {
	t.Parallel()
	names := func(cs []Change) (out []string) {
		for _, c := range cs {
			out = append(out, c.Name+"="+c.Shown)
		}
		return out
	}
	if got := (Proxies{NoProxy: "corp.example"}).Changes(env(nil)); len(got) != 0 {
		t.Errorf("changes %v", names(got))
	}
	p := Proxies{NoProxy: "a.test,ci:s3cret@b.test", Wished: true}
	if got := names(p.Changes(env(nil))); len(got) != 2 || !strings.HasPrefix(got[0], "NO_PROXY=a.test,***,localhost") {
		t.Errorf("changes %q", got)
	}
	p = Proxies{HTTPS: "http://ci:s3cret@p:1", Origin: "input https-proxy"}
	want := []string{"https_proxy=http://***@p:1", "NO_PROXY=localhost,127.0.0.1,::1,[::1]", "no_proxy=localhost,127.0.0.1,::1,[::1]"}
	if diff := cmp.Diff(want, names(p.Changes(env(map[string]string{"HTTPS_PROXY": "http://ci:s3cret@p:1"})))); diff != "" {
		t.Error(diff)
	}
}

// What was changed can be taken back, and what somebody changed since is left alone.
func TestJournal(t *testing.T) {
	t.Parallel()
	before := map[string]string{"GOPROXY": "https://old", "KEEP": "x"}
	changes := []Change{{Name: "GOPROXY", Value: "https://new"}, {Name: "GOSUMDB", Value: "sum.golang.org"}, {Name: "KEEP", Value: "y"}}
	var j Journal
	j.Record(changes, env(before))
	dir, err := NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path, err := j.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); strings.Contains(string(data), "https://new") {
		t.Errorf("the journal holds a new value: %s", data)
	}
	back, err := ReadJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	set, unset, kept := back.Undo(env(map[string]string{"GOPROXY": "https://new", "GOSUMDB": "sum.golang.org", "KEEP": "z"}))
	if len(set) != 1 || set[0].Name != "GOPROXY" || set[0].Value != "https://old" || len(unset) != 1 || unset[0] != "GOSUMDB" || len(kept) != 1 || kept[0] != "KEEP" {
		t.Errorf("set %v, unset %v, kept %v", set, unset, kept)
	}
	if err := Remove(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory stays: %v", err)
	}
	if _, err := ReadJournal(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a journal that is not there: %v", err)
	}
}

// A journal that another user could have written is refused.
func TestJournalRefused(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T) (dir, path string) {
		dir, err := NewDir(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		path, err = (&Journal{}).Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		return dir, path
	}
	for name, spoil := range map[string]func(t *testing.T, dir, path string) string{
		"open directory": func(t *testing.T, dir, path string) string { os.Chmod(dir, 0o777); return path },
		"open file":      func(t *testing.T, dir, path string) string { os.Chmod(path, 0o666); return path },
		"link": func(t *testing.T, dir, path string) string {
			link := filepath.Join(dir, "link.json")
			os.Symlink(path, link)
			return link
		},
		"relative": func(t *testing.T, dir, path string) string { return "journal.json" },
		"no JSON":  func(t *testing.T, dir, path string) string { os.WriteFile(path, []byte("{"), 0o600); return path },
		"other version": func(t *testing.T, dir, path string) string {
			os.WriteFile(path, []byte(`{"version":2}`), 0o600)
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, path := write(t)
			if _, err := ReadJournal(spoil(t, dir, path)); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("accepted: %v", err)
			}
		})
	}
}
