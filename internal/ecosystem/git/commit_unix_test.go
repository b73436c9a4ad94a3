//go:build unix

package git

import (
	"context"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/problem"
)

// A pipe in an object's place, and in the place of the files that say where the objects are.
func TestPipes(t *testing.T) {
	t.Parallel()
	pipe := func(name string) {
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := newOrigin(t)
	object := loose(o.dir, gitIn(t, o.dir, "", "rev-parse", o.base+":go.mod"))
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	pipe(object)
	c := opened(t, o.repository(t), o.base, "")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Read(ctx, "go.mod"); problem.CodeOf(err) != problem.Unanswered {
		t.Errorf("an object: %v", err)
	}
	for _, name := range []string{".git/commondir", ".git/objects", ".git"} {
		if err := os.RemoveAll(filepath.Join(o.dir, name)); err != nil {
			t.Fatal(err)
		}
		pipe(filepath.Join(o.dir, name))
		got := o.repository(t).objects()
		if want := filepath.Join(o.dir, ".git", "objects"); name == ".git/commondir" && got != want || name != ".git/commondir" && got != "" {
			t.Errorf("%s: objects in %q", name, got)
		}
	}
}

// A fetch over HTTP with a password: it reaches the server, and nothing that can be seen by others.
func TestPassword(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	gitIn(t, o.dir, "", "config", "uploadpack.allowFilter", "true")
	gitIn(t, o.dir, "", "config", "http.uploadpack", "true")
	const user, password = "gitlab-ci-token", "glcbt-64_hunter/2@#"
	var mu sync.Mutex
	var seen []string // the command lines of git's children
	backend := &cgi.Handler{Path: filepath.Join(gitIn(t, "", "", "--exec-path"), "git-http-backend"),
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(o.dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}, InheritEnv: []string{"PATH"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		lines, _ := filepath.Glob("/proc/[0-9]*/cmdline") // none on a system without
		for _, name := range lines {
			line, _ := os.ReadFile(name)
			if strings.Contains(string(line), "remote-http") {
				seen = append(seen, string(line))
			}
		}
		mu.Unlock()
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			http.Error(w, "who are you, "+p+"?", http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	address := func(password string) string {
		u, err := url.Parse(server.URL + "/origin")
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, password)
		return u.String()
	}
	r := o.repository(t)
	r.Dir = t.TempDir()
	// a helper of the user's is not asked, nor is anything told to it
	r.Machine = machine("GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=credential.helper", "GIT_CONFIG_VALUE_0=!touch '"+filepath.Join(r.Dir, "touched")+"' #")
	c := opened(t, r, o.base, address(password))
	wantFiles(t, c, atBase)
	config, err := os.ReadFile(filepath.Join(c.dir, "fetched", "config"))
	if err != nil || strings.Contains(string(config), "hunter") {
		t.Errorf("git's configuration is %q, %v", config, err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "credentials": 0o600, "fetched/config": 0o600} {
		if info, err := os.Stat(filepath.Join(c.dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s is open to others: %v, %v", name, info.Mode(), err)
		}
	}
	_, err = r.Commit(t.Context(), o.base, address("wrong-hunter"))
	if problem.CodeOf(err) != problem.Unanswered || strings.Contains(err.Error(), "hunter") {
		t.Errorf("with a wrong password: %v", err)
	}
	if runtime.GOOS == "linux" && len(seen) == 0 {
		t.Error("saw no command line of git's")
	}
	for _, line := range seen {
		if strings.Contains(line, "hunter") {
			t.Errorf("others can see %q", line)
		}
	}
	if _, err := os.Lstat(filepath.Join(r.Dir, "touched")); err == nil {
		t.Error("the user's helper was asked")
	}

	// the words of a server are shown without the secret
	child := ecosystem.Child{Hide: c.from.secrets}
	if got := child.Presentable("fatal: " + password + " is wrong"); strings.Contains(got, "hunter") {
		t.Errorf("shows %q", got)
	}
}
