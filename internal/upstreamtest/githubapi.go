package upstreamtest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	// inlineLimit is the size from which on GitHub's JSON form of a file has no content (1 MB; docs.github.com,
	// "Get repository content").
	inlineLimit = 1 << 20
	// compareFiles is how many files GitHub lists of a comparison, on its first page only.
	compareFiles = 300
	// pullFiles is how many files GitHub lists of a pull request, over all pages.
	pullFiles = 3000
)

// GitHubAPI speaks the calls that find out what a pull request changes. It serves every owner and repository
// alike, at the root and below /api/v3 as an Enterprise server does.
type GitHubAPI struct {
	// Token is wanted as "Authorization: Bearer TOKEN" (401 otherwise); empty asks for none. Set it before the first request.
	Token string
	// Head is the commit that the list of a pull request is of, as GitHub's contents_url names it; empty names none.
	Head string

	mux      *http.ServeMux
	mu       sync.Mutex
	files    map[[2]string]string // {commit, path}
	changed  map[string][]string  // by number of the pull request
	compared map[string][]string  // by "base...head"
	requests []string
}

// NewGitHubAPI knows no files and no pull requests.
func NewGitHubAPI(tb testing.TB) *GitHubAPI {
	tb.Helper()
	g := &GitHubAPI{mux: http.NewServeMux(), files: map[[2]string]string{}, changed: map[string][]string{}, compared: map[string][]string{}}
	g.mux.HandleFunc("GET /repos/{owner}/{repo}/pulls/{number}/files", g.pull)
	g.mux.HandleFunc("GET /repos/{owner}/{repo}/contents/{path...}", g.contents)
	g.mux.HandleFunc("GET /repos/{owner}/{repo}/compare/{spec...}", g.compare)
	g.mux.HandleFunc("GET /repos/{owner}/{repo}/git/commits/{sha}", g.commit)
	g.mux.HandleFunc("/", notFound)
	return g
}

// SetFile puts a file into a commit.
func (g *GitHubAPI) SetFile(sha, path, content string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files[[2]string{sha, path}] = content
}

// SetChanged makes pull request n exist, with these changed files.
func (g *GitHubAPI) SetChanged(n int, paths ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed[strconv.Itoa(n)] = append([]string{}, paths...)
}

// SetCompare makes base...head exist, with these changed files; base is their merge base.
func (g *GitHubAPI) SetCompare(base, head string, paths ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.compared[base+"..."+head] = append([]string{}, paths...)
}

// Hits counts the requests.
func (g *GitHubAPI) Hits() int { return len(g.Requests()) }

// Requests are the requests in order, as "GET /path?query".
func (g *GitHubAPI) Requests() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// ServeHTTP answers one call.
func (g *GitHubAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.requests = append(g.requests, r.Method+" "+r.URL.RequestURI())
	g.mu.Unlock()
	if g.Token != "" && r.Header.Get("Authorization") != "Bearer "+g.Token {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	http.StripPrefix(enterprise(r.URL.Path), g.mux).ServeHTTP(w, r)
}

func enterprise(path string) string {
	if strings.HasPrefix(path, "/api/v3/") {
		return "/api/v3"
	}
	return ""
}

func (g *GitHubAPI) pull(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	paths, ok := g.changed[r.PathValue("number")]
	g.mu.Unlock()
	if !ok {
		notFound(w, r)
		return
	}
	paths = paths[:min(len(paths), pullFiles)]
	page, size := number(r, "page", 1, pullFiles), number(r, "per_page", 30, 100)
	last := max(1, (len(paths)+size-1)/size)
	if page < last {
		link := func(n int, rel string) string {
			q := r.URL.Query()
			q.Set("page", strconv.Itoa(n))
			path, _, _ := strings.Cut(r.RequestURI, "?")
			return fmt.Sprintf(`<%s%s?%s>; rel="%s"`, origin(r), path, q.Encode(), rel)
		}
		w.Header().Set("Link", link(page+1, "next")+", "+link(last, "last"))
	}
	from := min((page-1)*size, len(paths))
	writeJSON(w, http.StatusOK, g.changes(paths[from:min(from+size, len(paths))]))
}

func (g *GitHubAPI) compare(w http.ResponseWriter, r *http.Request) {
	spec := r.PathValue("spec")
	g.mu.Lock()
	paths, ok := g.compared[spec]
	g.mu.Unlock()
	if !ok {
		notFound(w, r)
		return
	}
	if number(r, "page", 1, 1<<20) > 1 {
		paths = nil
	}
	base, _, _ := strings.Cut(spec, "...")
	writeJSON(w, http.StatusOK, map[string]any{
		"status": "ahead", "ahead_by": 1, "behind_by": 0, "total_commits": 1,
		"base_commit": map[string]string{"sha": base}, "merge_base_commit": map[string]string{"sha": base},
		"commits": []any{}, "files": g.changes(paths[:min(len(paths), compareFiles)]),
	})
}

// commit exists when a file of it was set.
func (g *GitHubAPI) commit(w http.ResponseWriter, r *http.Request) {
	sha := r.PathValue("sha")
	g.mu.Lock()
	known := slices.ContainsFunc(slices.Collect(maps.Keys(g.files)), func(k [2]string) bool { return k[0] == sha })
	g.mu.Unlock()
	if !known {
		notFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"sha": sha})
}

func (g *GitHubAPI) contents(w http.ResponseWriter, r *http.Request) {
	path := r.PathValue("path")
	g.mu.Lock()
	ref := r.URL.Query().Get("ref")
	content, ok := g.files[[2]string{ref, path}]
	entries := g.entries(ref, path)
	g.mu.Unlock()
	if len(entries) > 0 {
		if r.Header.Get("Accept") == "application/vnd.github.object+json" {
			writeJSON(w, http.StatusOK, map[string]any{"type": "dir", "path": path, "entries": entries})
		} else {
			writeJSON(w, http.StatusOK, entries)
		}
		return
	}
	if !ok {
		notFound(w, r)
		return
	}
	switch r.Header.Get("Accept") {
	case "application/vnd.github.raw+json", "application/vnd.github.raw", "application/vnd.github.v3.raw":
		w.Header().Set("Content-Type", "application/vnd.github.raw; charset=utf-8")
		_, _ = w.Write([]byte(content))
		return
	}
	encoding, encoded := "none", ""
	if len(content) < inlineLimit {
		encoding, encoded = "base64", base64Lines(content)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"type": "file", "name": path[strings.LastIndexByte(path, '/')+1:], "path": path,
		"size": len(content), "encoding": encoding, "content": encoded,
	})
}

// entries are what a directory of a commit holds; mu is held.
func (g *GitHubAPI) entries(ref, dir string) []map[string]string {
	kinds := map[string]string{}
	for key := range g.files {
		if rest, ok := strings.CutPrefix(key[1], dir+"/"); ok && key[0] == ref {
			name, _, deeper := strings.Cut(rest, "/")
			kinds[name] = map[bool]string{true: "dir", false: "file"}[deeper]
		}
	}
	var out []map[string]string
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, map[string]string{"name": name, "path": dir + "/" + name, "type": kinds[name]})
	}
	return out
}

// base64Lines breaks the text into lines, as GitHub does.
func base64Lines(content string) string {
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(content), 45) {
		b.WriteString(base64.StdEncoding.EncodeToString(chunk) + "\n")
	}
	return b.String()
}

func (g *GitHubAPI) changes(paths []string) []map[string]any {
	out := []map[string]any{}
	for _, p := range paths {
		out = append(out, map[string]any{"filename": p, "status": "modified", "contents_url": "https://api.github.test/contents/" + p + "?ref=" + g.Head})
	}
	return out
}

// number is a parameter between 1 and limit; unset means the given one.
func number(r *http.Request, name string, unset, limit int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return unset
	}
	return min(n, limit)
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
}
