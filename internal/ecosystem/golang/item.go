package golang

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/ecosystem"
	"github.com/org/goproxy-action/internal/source"
)

// item is a module at a version, which a source is asked for as the go command asks: what it says of the version, its
// go.mod, the beginning of its zip, and the checksum database's record of it where the source relays one.
func (v *view) item(path, version string) (ecosystem.Item, error) {
	if err := module.CheckPath(path); err != nil {
		return ecosystem.Item{}, fmt.Errorf("%s is no path of a module", source.Plain(path, 100))
	}
	escaped, err := module.EscapePath(path)
	if err != nil {
		return ecosystem.Item{}, fmt.Errorf("%s is no path of a module", source.Plain(path, 100))
	}
	at, err := module.EscapeVersion(version)
	if err != nil || module.CanonicalVersion(version) != strings.TrimSuffix(version, "+incompatible") && module.CanonicalVersion(version) != version {
		return ecosystem.Item{}, fmt.Errorf("%s is no version of a module; it is written v1.2.3", source.Plain(version, 60))
	}
	var it ecosystem.Item
	for _, name := range []string{"GONOPROXY", "GOPRIVATE"} {
		if value := v.set.get(name).value; value != "" {
			if module.MatchPrefixPatterns(patterns(value), path) {
				it.Private = name + "=" + source.Plain(value, 200)
			}
			break // GONOPROXY stands in the place of GOPRIVATE
		}
	}
	if it.Private == "" && v.owners(nil)(path) {
		it.Assumed = "it belongs to the owner of the checkout's own modules and may be private: GOPRIVATE says that it is, modules.public in the settings that it is not"
	}
	db := parseSumDB(v.set.get("GOSUMDB").value, v.m.SumDBKeys)
	private := it.Assumed != "" || module.MatchPrefixPatterns(patterns(v.privateSetting().value), path)
	it.Logged = db.sound() && !private
	it.Target = func(s source.Source) detect.Target {
		q := asked{prober: prober{known: known{path: path, version: version}, base: trimBase(s.URL), db: db}, escaped: escaped, at: at, logged: it.Logged}
		s.Role = "item"
		return detect.Target{Source: s, Check: q.check}
	}
	return it, nil
}

// patterns are those of GOPRIVATE and its family without the spaces that people put between them. The go command takes a
// space for a part of the pattern, and tells the names.
func patterns(value string) string {
	return strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }), ",")
}

// asked is one module at a version at one source.
type asked struct {
	prober
	// escaped and at are its path and its version as addresses have them.
	escaped, at string
	// logged is true where the checksum database may be asked about it.
	logged bool
}

func (q asked) check(ctx context.Context, fetch detect.Fetch) (detect.Verdict, error) {
	files := map[string]detect.Response{}
	for _, ext := range []string{".info", ".mod", ".zip"} {
		limit := int64(maxModFile)
		if ext == ".zip" {
			limit = 4 // its first bytes say that it is one
		}
		r, err := fetch(ctx, q.base+"/"+q.escaped+"/@v/"+q.at+ext, limit)
		if err != nil {
			return detect.Verdict{}, fmt.Errorf("%s: %w", ext, err)
		}
		if r.Status != 200 {
			verdict := ecosystem.Refused(r)
			verdict.Reason = ext + " " + verdict.Reason
			if say := firstLine(r); say != "" {
				verdict.Reason += ": " + say
			}
			return verdict, nil
		}
		files[ext] = r
	}
	wrong := func(fault detect.Fault, format string, args ...any) (detect.Verdict, error) {
		return detect.Verdict{Content: detect.No, Fault: fault, Status: 200, Reason: fmt.Sprintf(format, args...)}, nil
	}
	var info struct{ Version string }
	if json.Unmarshal(files[".info"].Body, &info) != nil || info.Version == "" {
		return wrong(detect.PageFault, "answered with a page that is not the version's description")
	}
	if info.Version != q.version {
		return wrong(detect.OtherFault, "describes the version %s in the place of %s", source.Plain(info.Version, 60), q.version)
	}
	if !isGoMod(files[".mod"].Body) {
		return wrong(detect.PageFault, "answered with a page that is no go.mod")
	}
	if !strings.HasPrefix(string(files[".zip"].Body), "PK") {
		return wrong(detect.PageFault, "answered with a page that is no zip")
	}
	verdict := detect.Verdict{OK: true, Content: detect.NotKnown, Status: 200}
	if !q.logged {
		return verdict, nil
	}
	r, err := fetch(ctx, q.base+"/sumdb/"+q.db.name+"/lookup/"+q.escaped+"@"+q.at, maxAnswer)
	if err != nil || r.Status != 200 {
		return verdict, nil // the log's own host is asked then; its state is told by itself
	}
	verdict.ChecksumDB = detect.Yes
	if err := q.compare(r.Body, files[".mod"].Body); err != nil {
		return wrong(detect.OtherFault, "%v", err)
	}
	verdict.Content = detect.Yes
	return verdict, nil
}

// maxParsed bounds a stranger's go.mod that is parsed: one of 4 MB may take a second and 850 MB. The largest of public
// repositories have some 200 KB.
const maxParsed = 256 << 10

// isGoMod tells a go.mod from a page. One without a line is one, too.
func isGoMod(data []byte) bool {
	if len(data) > maxParsed {
		return modfile.ModulePath(data) != ""
	}
	f, err := modfile.ParseLax("go.mod", data, nil)
	return err == nil && (f.Module != nil || len(f.Syntax.Stmt) == 0)
}

// compare holds a go.mod against the log's record of it.
func (q asked) compare(record, mod []byte) error {
	text, err := q.open(record)
	if err != nil {
		return err
	}
	if want := fmt.Sprintf("%s %s/go.mod %s\n", q.path, q.version, modSum(mod)); !strings.Contains("\n"+text, "\n"+want) {
		return errors.New("served another go.mod than the checksum database has")
	}
	return nil
}

// firstLine is what a source says with a refusal: module proxies say why in plain text.
func firstLine(r detect.Response) string {
	if page(r) {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(r.Body)), "\n")
	return source.Plain(source.Redact(line), 200)
}
