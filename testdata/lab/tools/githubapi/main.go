// Githubapi answers the few questions that we put to GitHub's API about a pull request or a push, from a local git
// repository, on a free loopback port.
//
//	githubapi DIR BASE HEAD
//
// The first line it prints is its address; then one line per request. Any pull request number is the change from BASE
// to HEAD. The token that it wants comes from the variable GITHUBAPI_TOKEN; any other gets 401.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
)

type api struct{ dir, base, head, token string }

func (a *api) git(args ...string) ([]byte, error) {
	return exec.Command("git", append([]string{"-C", a.dir, "--literal-pathspecs"}, args...)...).Output()
}

type file struct {
	Filename string `json:"filename"`
	Status   string `json:"status"`
}

func (a *api) changed(base, head string) ([]file, error) {
	out, err := a.git("diff", "-z", "--name-only", "--no-renames", base, head)
	files := []file{}
	for name := range strings.SplitSeq(strings.Trim(string(out), "\x00"), "\x00") {
		if name != "" {
			files = append(files, file{name, "modified"})
		}
	}
	return files, err
}

func (a *api) files(w http.ResponseWriter, r *http.Request) {
	if p := r.URL.Query().Get("page"); p != "" && p != "1" {
		answer(w, []file{}, nil)
		return
	}
	files, err := a.changed(a.base, a.head)
	answer(w, files, err)
}

func (a *api) compare(w http.ResponseWriter, r *http.Request) {
	base, head, _ := strings.Cut(r.PathValue("range"), "...")
	files, err := a.changed(base, head)
	answer(w, map[string]any{"status": "ahead", "files": files}, err)
}

func (a *api) contents(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("path")
	data, err := a.git("cat-file", "blob", r.URL.Query().Get("ref")+":"+name)
	if err != nil {
		answer(w, nil, err)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "raw") {
		w.Write(data)
		return
	}
	answer(w, map[string]any{ // []byte becomes base64 by itself
		"type": "file", "encoding": "base64", "name": path.Base(name), "path": name, "size": len(data), "content": data,
	}, nil)
}

func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		v = map[string]string{"message": "Not Found"}
	}
	json.NewEncoder(w).Encode(v)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("githubapi: ")
	if len(os.Args) != 4 || os.Getenv("GITHUBAPI_TOKEN") == "" {
		log.Fatal("usage: GITHUBAPI_TOKEN=... githubapi DIR BASE HEAD")
	}
	a := &api{os.Args[1], os.Args[2], os.Args[3], os.Getenv("GITHUBAPI_TOKEN")}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/{owner}/{repo}/pulls/{number}/files", a.files)
	mux.HandleFunc("GET /repos/{owner}/{repo}/compare/{range}", a.compare)
	mux.HandleFunc("GET /repos/{owner}/{repo}/contents/{path...}", a.contents)
	mux.HandleFunc("GET /repos/{owner}/{repo}/git/commits/{sha}", func(w http.ResponseWriter, r *http.Request) {
		if sha := r.PathValue("sha"); sha != a.base && sha != a.head {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"sha": %q}`, r.PathValue("sha"))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL)
		if r.Header.Get("Authorization") != "Bearer "+a.token {
			http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})))
}
