package decide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
	"go.yaml.in/yaml/v3"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// Bounds of the user's policies. The largest public sets have some 500 files and 3 MB.
const (
	maxPolicyFiles = 1000
	maxPolicyDirs  = 500
	maxPolicyDepth = 16
	maxPolicyFile  = 4 << 20  // one file, in bytes
	maxPolicyBytes = 16 << 20 // all files, and a bundle when it is unpacked
	// maxListed bounds the names in one directory, policies or not.
	maxListed = 10_000
)

// Tree is where policies are read from: a checkout, a commit, a directory. Names have slashes between their parts.
type Tree struct {
	// List are the names in a directory, those of directories with a slash behind; fs.ErrNotExist where there is none.
	List func(ctx context.Context, dir string) ([]string, error)
	// Read gets a file; fs.ErrNotExist where there is none.
	Read func(ctx context.Context, name string) ([]byte, error)
}

// Policies are policies of the user's with their data.
type Policies struct {
	Modules []Module
	// Data is what they read below data, beside what rules make.
	Data map[string]any
}

// Key is what the signatures of bundles are verified with.
type Key struct {
	text string
	algs []string
}

// ParseKey reads a public key in PEM, or a certificate: RSA, or ECDSA on P-256, P-384 or P-521. Nothing of it is quoted
// in an error, since it may be the private one by mistake.
func ParseKey(text []byte, origin string) (*Key, error) {
	fault := func(format string, args ...any) (*Key, error) {
		return nil, problem.New(problem.Usage, origin, "give the public key in PEM, as openssl pkey -pubout writes it", format, args...)
	}
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return fault("is not one key in PEM")
	}
	if strings.Contains(block.Type, "PRIVATE") {
		return fault("is a private key, which nobody but the signer may have")
	}
	var key any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		return fault("is of another kind than a public key or a certificate")
	}
	if err != nil {
		return fault("cannot be read")
	}
	k := &Key{text: string(pem.EncodeToMemory(block))}
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return fault("is an RSA key of %d bits, and at least 2048 are wanted", key.N.BitLen())
		}
		k.algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		alg := map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
		if alg == "" {
			return fault("is an ECDSA key on another curve than P-256, P-384 and P-521")
		}
		k.algs = []string{alg}
	default:
		return fault("is neither an RSA nor an ECDSA key")
	}
	return k, nil
}

// Load reads policies from paths of a tree: directories, .rego files, and bundles (.tar.gz), whose signature has to be
// by key where that is not nil. A path that is not there is fs.ErrNotExist.
func Load(ctx context.Context, t Tree, paths []string, key *Key) (Policies, error) {
	l := loader{ctx: ctx, tree: t, key: key, out: Policies{Data: map[string]any{}}, seen: map[string]bool{}, origin: map[string]string{}}
	for _, p := range paths {
		err := l.load(p)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: %w", source.Plain(p, 200), fs.ErrNotExist)
		}
		if err != nil {
			return Policies{}, err
		}
	}
	return l.out, nil
}

// Add takes in more policies.
func (p *Policies) Add(more Policies) error {
	l := loader{origin: map[string]string{}}
	if p.Data == nil {
		p.Data = map[string]any{}
	}
	p.Modules = append(p.Modules, more.Modules...)
	return l.merge("policies", nil, p.Data, more.Data)
}

// LoadPath is Load for a path of the machine, whose errors name it as it is written.
func LoadPath(ctx context.Context, name string, key *Key) (Policies, error) {
	dir, base := filepath.Split(filepath.Clean(name))
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		dir, base = name, "."
	}
	root, err := os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return Policies{}, problem.New(problem.Usage, source.Plain(name, 200), "name a directory, a .rego file or a bundle", "%w", bare(err))
	}
	defer root.Close()
	label := func(n string) string { return filepath.ToSlash(filepath.Join(dir, n)) }
	t := Tree{
		List: func(_ context.Context, n string) ([]string, error) { return listDir(root, n) },
		Read: func(_ context.Context, n string) ([]byte, error) { return readFile(root, n) },
	}
	l := loader{ctx: ctx, tree: t, key: key, out: Policies{Data: map[string]any{}}, label: label, seen: map[string]bool{}, origin: map[string]string{}}
	err = l.load(base)
	if errors.Is(err, fs.ErrNotExist) {
		err = problem.New(problem.Usage, source.Plain(name, 200), "name a directory, a .rego file or a bundle", "there is no such file")
	}
	return l.out, err
}

func listDir(root *os.Root, name string) ([]string, error) {
	d, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if info, err := d.Stat(); err != nil || !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	entries, err := d.ReadDir(maxListed + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		n := e.Name()
		if info, err := root.Stat(filepath.Join(filepath.FromSlash(name), n)); err == nil && info.IsDir() {
			n += "/"
		}
		out = append(out, n)
	}
	return out, nil
}

func readFile(root *os.Root, name string) ([]byte, error) {
	name = filepath.FromSlash(name)
	if info, err := root.Stat(name); err == nil && !info.Mode().IsRegular() { // a pipe would keep us waiting
		return nil, errors.New("is no regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxPolicyBytes+1))
}

// bare is an error without the path, which the message has already.
func bare(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, fs.ErrNotExist) {
		return at.Err
	}
	return err
}

type loader struct {
	ctx         context.Context // of one call
	tree        Tree
	key         *Key
	out         Policies
	label       func(string) string // a name as errors show it; nil shows it as it is
	seen        map[string]bool     // files that were taken
	origin      map[string]string   // files of data by their place
	files, dirs int
	bytes       int
}

func (l *loader) name(n string) string {
	if l.label != nil {
		n = l.label(n)
	}
	return source.Plain(n, 200)
}

func (l *loader) load(p string) error {
	names, err := l.tree.List(l.ctx, p)
	switch {
	case err == nil:
		return l.directory(p, names)
	case !errors.Is(err, fs.ErrNotExist):
		return l.explain(p, err)
	}
	data, err := l.read(p)
	if err != nil {
		return err
	}
	switch {
	case strings.HasSuffix(p, ".rego"):
		return l.module(p, data)
	case strings.HasSuffix(p, ".tar.gz"), strings.HasSuffix(p, ".tgz"):
		return l.bundle(p, data)
	}
	return problem.New(problem.Usage, l.name(p), "name a directory, a .rego file, or a bundle that ends in .tar.gz", "is none that policies are read from")
}

// explain makes a Problem of an error of the tree, but for a missing file, which the caller may not mind.
func (l *loader) explain(p string, err error) error {
	if _, ok := errors.AsType[*problem.Problem](err); ok || errors.Is(err, fs.ErrNotExist) || l.ctx.Err() != nil {
		return err
	}
	return problem.New(problem.Usage, l.name(p), "make it a regular file that can be read, with no link that leads out", "%w", bare(err))
}

func (l *loader) read(p string) ([]byte, error) {
	if l.files++; l.files > maxPolicyFiles {
		return nil, problem.New(problem.Usage, l.name(p), "name the directory of the policies alone", "there are more than %d files of policies and data", maxPolicyFiles)
	}
	data, err := l.tree.Read(l.ctx, p)
	if err != nil {
		return nil, l.explain(p, err)
	}
	return data, l.weigh(p, len(data))
}

func (l *loader) weigh(p string, size int) error {
	if size > maxPolicyFile {
		return problem.New(problem.Usage, l.name(p), "make it smaller", "has more than %d MiB", maxPolicyFile>>20)
	}
	if l.bytes += size; l.bytes > maxPolicyBytes {
		return problem.New(problem.Usage, l.name(p), "name the directory of the policies alone", "policies and data have more than %d MiB", maxPolicyBytes>>20)
	}
	return nil
}

// directory takes all .rego files below a directory, and data.json, data.yaml and data.yml, whose directory is their
// place below data. Hidden names are left out.
func (l *loader) directory(root string, names []string) error {
	type dir struct {
		path  string
		place []string
		names []string
	}
	found := false
	queue := []dir{{root, nil, names}}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		if len(d.names) > maxListed {
			return problem.New(problem.Usage, l.name(d.path), "name the directory of the policies alone", "holds more than %d names", maxListed)
		}
		slices.Sort(d.names)
		for _, n := range d.names {
			full := path.Join(d.path, n)
			sub, isDir := strings.CutSuffix(n, "/")
			switch {
			case n == ".signatures.json":
				return problem.New(problem.Usage, l.name(full), "pack the policies into a bundle (opa build), or remove it", "signatures are verified of bundles only")
			case strings.HasPrefix(n, "."):
			case isDir:
				if l.dirs++; l.dirs > maxPolicyDirs || len(d.place) >= maxPolicyDepth {
					return problem.New(problem.Usage, l.name(full), "name the directory of the policies alone", "there are more than %d directories, or they are deeper than %d", maxPolicyDirs, maxPolicyDepth)
				}
				names, err := l.tree.List(l.ctx, full)
				if err != nil {
					return l.explain(full, err)
				}
				queue = append(queue, dir{full, append(slices.Clone(d.place), sub), names})
			case strings.HasSuffix(n, ".rego"), isData(n):
				data, err := l.read(full)
				if err != nil {
					return err
				}
				if isData(n) {
					err = l.data(full, d.place, data)
				} else {
					found, err = true, l.module(full, data)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	if !found {
		return problem.New(problem.Usage, l.name(root), "put a file that ends in .rego there, or do not name the directory", "holds no policy")
	}
	return nil
}

func isData(name string) bool {
	return name == "data.json" || name == "data.yaml" || name == "data.yml"
}

func (l *loader) module(p string, data []byte) error {
	if name := l.name(p); !l.seen[name] { // named twice, as a file and by its directory
		l.seen[name] = true
		l.out.Modules = append(l.out.Modules, Module{Path: name, Source: string(data)})
	}
	return nil
}

func (l *loader) data(p string, place []string, data []byte) error {
	name := l.name(p)
	if l.seen[name] {
		return nil
	}
	l.seen[name] = true
	docs, err := Documents(name, data)
	if err != nil {
		return err
	}
	if len(docs) != 1 {
		return problem.New(problem.Usage, name, "keep one", "holds %d documents", len(docs))
	}
	value := docs[0]
	for _, part := range slices.Backward(place) {
		value = map[string]any{part: value}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return problem.New(problem.Usage, name, "write `key: value` lines", "holds no mapping")
	}
	return l.merge(name, nil, l.out.Data, object)
}

// merge adds data; what two files say is an error, since the order of files must not matter.
func (l *loader) merge(name string, place []string, into, from map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(from)) {
		at := append(slices.Clone(place), key)
		text := strings.Join(at, ".")
		if text == reserved {
			return problem.New(problem.Usage, name, "choose another name", "data.%s is kept for the data of the default rules", reserved)
		}
		old, both := into[key].(map[string]any)
		fresh, isMap := from[key].(map[string]any)
		if _, taken := into[key]; taken && !(both && isMap) {
			return problem.New(problem.Usage, name, "keep one", "data.%s is there already, by %s", source.Plain(text, 100), l.by(text))
		} else if taken {
			if err := l.merge(name, at, old, fresh); err != nil {
				return err
			}
			continue
		}
		into[key] = from[key]
		l.origin[text] = name
	}
	return nil
}

// by is the file that gave what stands at a place, or above it.
func (l *loader) by(text string) string {
	for {
		if name, ok := l.origin[text]; ok {
			return name
		}
		i := strings.LastIndex(text, ".")
		if i < 0 {
			return "another file"
		}
		text = text[:i]
	}
}

// bundle takes a bundle as OPA reads it, from the archive that was verified and nothing else.
func (l *loader) bundle(p string, data []byte) error {
	name := l.name(p)
	signatures, err := l.inspect(name, data)
	if err != nil {
		return err
	}
	reader := opabundle.NewReader(bytes.NewReader(data)).WithSizeLimitBytes(maxPolicyFile + 1).IncludeManifestInData(false).WithRegoVersion(ast.RegoV1)
	switch {
	case l.key != nil && signatures == nil:
		return problem.New(problem.Usage, name, "sign it (opa build --signing-key), or remove policy-key", "is not signed, and policy-key is set")
	case l.key == nil && signatures != nil:
		return problem.New(problem.Usage, name, "set policy-key to the public key of its signer", "is signed, and there is no key to verify it with")
	case l.key != nil:
		alg, err := l.key.algorithm(signatures)
		if err != nil {
			return problem.New(problem.Security, name, "use the bundle that the signer published", "the signature does not count: %w", err)
		}
		const id = "policy-key"
		reader = reader.WithBundleVerificationConfig(opabundle.NewVerificationConfig(map[string]*opabundle.KeyConfig{id: {Key: l.key.text, Algorithm: alg}}, id, "", nil))
	}
	b, err := readBundle(reader)
	if err != nil {
		code, hint := problem.Usage, "build it anew with opa build"
		if l.key != nil {
			code, hint = problem.Security, "use the bundle that the signer published"
		}
		var list ast.Errors
		if errors.As(err, &list) && len(list) > 0 && list[0].Location != nil {
			return problem.New(code, name+"/"+strings.TrimPrefix(position(list[0].Location), "/"), hint, "%s", describeError(list[0]))
		}
		return problem.New(code, name, hint, "%s", source.Plain(err.Error(), 300))
	}
	if b.Type() != opabundle.SnapshotBundleType || len(b.WasmModules)+len(b.PlanModules) > 0 {
		return problem.New(problem.Usage, name, "build a bundle of .rego files (opa build -t rego)", "holds compiled rules or a change of another bundle")
	}
	if len(b.Modules) == 0 {
		return problem.New(problem.Usage, name, "build it from a directory with policies", "holds no policy")
	}
	for _, m := range b.Modules {
		if err := l.module(path.Join(p, strings.TrimPrefix(m.RelativePath, "/")), m.Raw); err != nil {
			return err
		}
	}
	return l.merge(name, nil, l.out.Data, b.Data)
}

// readBundle turns a panic of the library into an error: the bytes are a stranger's.
func readBundle(r *opabundle.Reader) (b opabundle.Bundle, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read")
		}
	}()
	return r.Read()
}

// inspect bounds an archive before OPA reads it, and returns its signatures; nil where it has none.
func (l *loader) inspect(name string, data []byte) (signatures []byte, err error) {
	fault := func(format string, args ...any) ([]byte, error) {
		return nil, problem.New(problem.Usage, name, "build it anew with opa build", format, args...)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fault("is no gzip archive")
	}
	bounded := &io.LimitedReader{R: zipped, N: maxPolicyBytes}
	archive := tar.NewReader(bounded)
	seen := map[string]bool{}
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if bounded.N == 0 {
				return fault("has more than %d MiB when it is unpacked", maxPolicyBytes>>20)
			}
			return fault("is no tar archive, or a part of one")
		}
		clean := path.Clean("/" + h.Name)
		switch {
		case h.Typeflag == tar.TypeDir:
			continue
		case h.Typeflag != tar.TypeReg:
			return fault("%s in it is no regular file", source.Plain(h.Name, 100))
		case seen[clean]:
			return fault("%s stands twice in it", source.Plain(h.Name, 100))
		}
		seen[clean] = true
		if l.files++; l.files > maxPolicyFiles {
			return fault("there are more than %d files of policies and data", maxPolicyFiles)
		}
		if h.Size > maxPolicyFile {
			return fault("%s in it has more than %d MiB", source.Plain(h.Name, 100), maxPolicyFile>>20)
		}
		if base := path.Base(clean); base != ".signatures.json" && base != "data.json" {
			if err := l.weigh(name+"/"+h.Name, int(h.Size)); err != nil {
				return nil, err
			}
			continue
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			return fault("is no tar archive, or a part of one")
		}
		if err := l.weigh(name+"/"+h.Name, len(text)); err != nil {
			return nil, err
		}
		if path.Base(clean) == ".signatures.json" {
			signatures = append([]byte{}, text...)
		}
	}
	return signatures, nil
}

// algorithm is the one that the signature says, where it is one that the key can have: a key of one kind must not be
// taken for one of another.
func (k *Key) algorithm(signatures []byte) (string, error) {
	var file struct {
		Signatures []string `json:"signatures"`
	}
	if err := json.Unmarshal(signatures, &file); err != nil || len(file.Signatures) != 1 {
		return "", errors.New(".signatures.json does not hold one signature")
	}
	head, _, _ := strings.Cut(file.Signatures[0], ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Alg string `json:"alg"`
	}
	if err != nil || json.Unmarshal(text, &header) != nil {
		return "", errors.New("it has no header that can be read")
	}
	if !slices.Contains(k.algs, header.Alg) {
		return "", fmt.Errorf("it is made with %q, and the key is for %s", source.Plain(header.Alg, 20), strings.Join(k.algs, ", "))
	}
	return header.Alg, nil
}

// Documents reads JSON, or YAML of one or several documents. Keys that are written twice are refused: readers differ in
// which one they take.
func Documents(name string, data []byte) ([]any, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if strings.HasSuffix(name, ".json") || json.Valid(data) {
		if at, err := checkJSON(data); err != nil {
			return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%s", name, lineColumn(data, at)), "correct the file", "is no valid JSON: %w", err)
		}
		var v any
		if err := util.UnmarshalJSON(data, &v); err != nil {
			return nil, problem.New(problem.Usage, name, "correct the file", "is no valid JSON: %s", source.Plain(err.Error(), 200))
		}
		return []any{v}, nil
	}
	var out []any
	line := 0
	for _, part := range documents(data) {
		v, err := document(part)
		if twice, ok := errors.AsType[*duplicate](err); ok {
			return nil, problem.New(problem.Usage, fmt.Sprintf("%s:%d:%d", name, line+twice.line, twice.column), "keep one", "%q is written twice", source.Plain(twice.key, 60))
		}
		if err != nil {
			return nil, problem.New(problem.Usage, name, "correct the file", "is no valid YAML%s: %s", after(line), source.Plain(strings.TrimPrefix(err.Error(), "yaml: "), 200))
		}
		line += bytes.Count(part, []byte("\n"))
		if v != nil {
			out = append(out, v)
		}
	}
	return out, nil
}

// after says where the lines that the library counts begin.
func after(line int) string {
	if line == 0 {
		return ""
	}
	return fmt.Sprintf(" (lines counted from line %d on)", line+1)
}

// document reads one document of YAML. The library bounds what aliases may blow up.
func document(data []byte) (v any, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read")
		}
	}()
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil {
		return nil, err
	}
	if err := distinct(&node); err != nil {
		return nil, err
	}
	err = util.Unmarshal(data, &v)
	return v, err
}

// duplicate is a key that a mapping holds already.
type duplicate struct {
	key          string
	line, column int
}

func (d *duplicate) Error() string { return d.key + " is written twice" }

// distinct refuses keys that are written twice, of which OPA takes the last.
func distinct(n *yaml.Node) error {
	seen := map[string]bool{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode {
			if seen[child.Value] {
				return &duplicate{child.Value, child.Line, child.Column}
			}
			seen[child.Value] = true
		}
		if err := distinct(child); err != nil {
			return err
		}
	}
	return nil
}

// documents takes a stream of YAML documents apart; each keeps the line that begins it.
func documents(data []byte) [][]byte {
	var out [][]byte
	start := 0
	for at := 0; at < len(data); {
		end := bytes.IndexByte(data[at:], '\n')
		line := data[at:]
		if end >= 0 {
			line = data[at : at+end+1]
		}
		if at > start && (bytes.HasPrefix(line, []byte("--- ")) || bytes.Equal(bytes.TrimRight(line, "\r\n\t "), []byte("---"))) {
			out = append(out, data[start:at])
			start = at
		}
		at += len(line)
	}
	return append(out, data[start:])
}

// checkJSON finds what is no JSON, and keys that are written twice; at is the offset.
func checkJSON(data []byte) (at int64, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	type level struct {
		keys map[string]bool // nil in an array
		key  bool            // a key comes next
	}
	var stack []level
	for {
		at = d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(stack) == 0 && at > 0 {
			return 0, nil
		}
		if err != nil {
			if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
				at = offset(data, syntax)
			} else {
				at, err = int64(len(data)), errors.New("it ends too early")
			}
			return at, err
		}
		if len(stack) > 1000 {
			return at, errors.New("it is nested deeper than 1000 levels")
		}
		top := len(stack) - 1
		if top >= 0 && stack[top].key {
			if name, ok := token.(string); ok {
				if stack[top].keys[name] {
					return d.InputOffset() - 1, fmt.Errorf("%q is written twice", source.Plain(name, 60))
				}
				stack[top].keys[name], stack[top].key = true, false
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{map[string]bool{}, true})
			continue
		case json.Delim('['):
			stack = append(stack, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
		if top = len(stack) - 1; top >= 0 {
			stack[top].key = stack[top].keys != nil
		} else if rest := bytes.TrimSpace(data[d.InputOffset():]); len(rest) > 0 {
			return d.InputOffset(), errors.New("something stands behind its end")
		}
	}
}

// offset finds a syntax error anew: a decoder counts from the token it is at.
func offset(data []byte, found *json.SyntaxError) int64 {
	var v json.RawMessage
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, &v)); ok {
		found = syntax
	}
	return found.Offset - 1
}

func lineColumn(data []byte, at int64) string {
	before := data[:min(max(at, 0), int64(len(data)))]
	return fmt.Sprintf("%d:%d", bytes.Count(before, []byte("\n"))+1, len(before)-bytes.LastIndexByte(before, '\n'))
}
