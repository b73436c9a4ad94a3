package decide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	opabundle "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/org/goproxy-action/internal/problem"
)

// memory is a tree of files.
func memory(files map[string]string) Tree {
	return Tree{
		Read: func(_ context.Context, name string) ([]byte, error) {
			if text, ok := files[name]; ok {
				return []byte(text), nil
			}
			return nil, fs.ErrNotExist
		},
		List: func(_ context.Context, dir string) ([]string, error) {
			names := map[string]bool{}
			for f := range files {
				if rest, ok := strings.CutPrefix(f, dir+"/"); ok {
					first, _, deeper := strings.Cut(rest, "/")
					names[first+map[bool]string{true: "/"}[deeper]] = true
				}
			}
			if len(names) == 0 {
				return nil, fs.ErrNotExist
			}
			return slices.Collect(maps.Keys(names)), nil
		},
	}
}

const denyAll = "package corp\n\ndeny contains \"no\" if true\n"

func TestLoad(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"p/a.rego": denyAll, "p/a_test.rego": "package corp_test\n", "p/README.md": "x", "p/.hidden/x.rego": "no", "p/sub/deep/b.rego": "package b\n",
		"p/data.yaml": "hosts:\n  good: [a.test]\n", "p/hosts/data.json": `{"bad": ["b.test"]}`, "p/other.yaml": "x: 1", "single.rego": "package single\n",
	}
	got, err := Load(t.Context(), memory(files), []string{"p", "single.rego", "p/a.rego"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range got.Modules {
		names = append(names, m.Path)
	}
	if diff := cmp.Diff([]string{"p/a.rego", "p/a_test.rego", "p/sub/deep/b.rego", "single.rego"}, names); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
	want := map[string]any{"hosts": map[string]any{"good": []any{"a.test"}, "bad": []any{"b.test"}}}
	if diff := cmp.Diff(want, got.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if _, err := Load(t.Context(), memory(files), []string{"p", "nowhere"}, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("missing: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range maxPolicyFiles + 1 {
		many[fmt.Sprintf("p/%d.rego", i)] = "package p\n"
	}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"empty directory":    {map[string]string{"p/README.md": ""}, "p: holds no policy"},
		"another file":       {map[string]string{"p": "x"}, "p: is none that policies are read from"},
		"our data":           {map[string]string{"p/a.rego": denyAll, "p/goproxy/data.yaml": "trusted: {}"}, "p/goproxy/data.yaml: data.goproxy is kept"},
		"said twice":         {map[string]string{"p/a.rego": denyAll, "p/data.yaml": "x: {y: 1}", "p/x/data.json": `{"y": 2}`}, "p/x/data.json: data.x.y is there already, by p/data.yaml"},
		"no mapping":         {map[string]string{"p/a.rego": denyAll, "p/data.yaml": "- x"}, "p/data.yaml: holds no mapping"},
		"several documents":  {map[string]string{"p/a.rego": denyAll, "p/data.yaml": "a: 1\n---\nb: 2\n"}, "p/data.yaml: holds 2 documents"},
		"key twice in YAML":  {map[string]string{"p/a.rego": denyAll, "p/data.yaml": "a: 1\na: 2\n"}, `p/data.yaml:2:1: "a" is written twice`},
		"key twice in JSON":  {map[string]string{"p/a.rego": denyAll, "p/data.json": "{\"a\": {\"b\": 1,\n \"\\u0062\": 2}}"}, `p/data.json:2:9: is no valid JSON: "b" is written twice`},
		"truncated JSON":     {map[string]string{"p/a.rego": denyAll, "p/data.json": "{\"a\":"}, "p/data.json:1:"},
		"conflict marker":    {map[string]string{"p/a.rego": denyAll, "p/data.json": "{\n<<<<<<< HEAD\n}"}, "p/data.json:2:1: is no valid JSON"},
		"two values":         {map[string]string{"p/a.rego": denyAll, "p/data.json": "{}{}"}, "p/data.json:1:3: is no valid JSON: something stands behind"},
		"aliases that blow":  {map[string]string{"p/a.rego": denyAll, "p/data.yaml": bomb()}, "p/data.yaml"},
		"signed directory":   {map[string]string{"p/a.rego": denyAll, "p/.signatures.json": "{}"}, "signatures are verified of bundles only"},
		"large file":         {map[string]string{"p/a.rego": strings.Repeat("#", maxPolicyFile+1)}, "p/a.rego: has more than 4 MiB"},
		"large altogether":   {map[string]string{"p/a.rego": strings.Repeat("#", maxPolicyFile), "p/b.rego": strings.Repeat("#", maxPolicyFile), "p/c.rego": strings.Repeat("#", maxPolicyFile), "p/d.rego": strings.Repeat("#", maxPolicyFile), "p/e.rego": "#"}, "more than 16 MiB"},
		"many files":         {many, "more than 1000 files"},
		"deep":               {map[string]string{"p/" + strings.Repeat("x/", 20) + "a.rego": denyAll}, "deeper than 16"},
		"no archive":         {map[string]string{"p.tar.gz": "x"}, "p.tar.gz: is no gzip archive"},
		"half an archive":    {map[string]string{"p.tar.gz": string(archive(t, "a.rego", denyAll)[:40])}, "p.tar.gz: is no tar archive"},
		"archive with links": {map[string]string{"p.tar.gz": string(link(t))}, "is no regular file"},
		"name twice":         {map[string]string{"p.tar.gz": string(archive(t, "a.rego", denyAll, "/./a.rego", denyAll))}, "stands twice"},
		"archive that blows": {map[string]string{"p.tar.gz": string(archive(t, "a.rego", strings.Repeat("#", 5<<20)))}, "more than 4 MiB"},
		"archive of data":    {map[string]string{"p.tar.gz": string(archive(t, "data.json", "{}"))}, "holds no policy"},
		"bad policy inside":  {map[string]string{"p.tar.gz": string(archive(t, "x/a.rego", "package a\n{"))}, "p.tar.gz/x/a.rego:2:1: "},
		"delta":              {map[string]string{"p.tar.gz": string(archive(t, "patch.json", `{"data": [{"op": "upsert", "path": "/x", "value": 1}]}`))}, "holds compiled rules or a change"},
		"our data inside":    {map[string]string{"p.tar.gz": string(archive(t, "a.rego", denyAll, "goproxy/data.json", `{"x": 1}`))}, "data.goproxy is kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := "p"
			if _, ok := tt.files["p.tar.gz"]; ok {
				path = "p.tar.gz"
			}
			_, err := Load(t.Context(), memory(tt.files), []string{path}, nil)
			if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v (%d), want %q", err, problem.CodeOf(err), tt.want)
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a: &a [x,x,x,x,x,x,x,x,x]\n")
	for c := 'b'; c < 'k'; c++ {
		fmt.Fprintf(&b, "%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return b.String()
}

func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[i+1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func link(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "a.rego", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// signed makes a bundle as opa build does.
func signed(t *testing.T, alg, key string) []byte {
	t.Helper()
	module, err := ast.ParseModuleWithOpts("/corp.rego", denyAll, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		t.Fatal(err)
	}
	b := opabundle.Bundle{Data: map[string]any{"hosts": map[string]any{"bad": []any{"b.test"}}},
		Modules: []opabundle.ModuleFile{{Path: "/corp.rego", URL: "/corp.rego", Raw: []byte(denyAll), Parsed: module}}}
	b.Manifest.Init()
	if err := b.GenerateSignature(opabundle.NewSigningConfig(key, alg, ""), "some-key", false); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := opabundle.NewWriter(&out).DisableFormat(true).Write(b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestSignedBundles(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		return pemOf(t, "PUBLIC KEY", der, err)
	}
	rsaPEM := pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	ecDER, err := x509.MarshalECPrivateKey(ecKey)
	ecPEM := pemOf(t, "EC PRIVATE KEY", ecDER, err)
	rsaPublic, ecPublic := public(&rsaKey.PublicKey), public(&ecKey.PublicKey)
	plain := archive(t, "corp.rego", denyAll)
	good := signed(t, "ES384", ecPEM)
	for _, tt := range []struct {
		name   string
		bundle []byte
		key    string
		code   problem.Code
		want   string
	}{
		{"RS256", signed(t, "RS256", rsaPEM), rsaPublic, problem.Clean, ""},
		{"PS512", signed(t, "PS512", rsaPEM), rsaPublic, problem.Clean, ""},
		{"ES384", good, ecPublic, problem.Clean, ""},
		{"neither", plain, "", problem.Clean, ""},
		{"stripped", plain, ecPublic, problem.Usage, "is not signed, and policy-key is set"},
		{"no key", good, "", problem.Usage, "there is no key to verify it with"},
		{"other key", good, public(&otherKey.PublicKey), problem.Security, "failed to verify"},
		{"other kind of key", good, rsaPublic, problem.Security, `it is made with "ES384", and the key is for RS256`},
		// the public key taken for the secret of HMAC
		{"HS256", signed(t, "HS256", ecPublic), ecPublic, problem.Security, `it is made with "HS256"`},
		{"changed rule", replaced(t, good, "corp.rego", strings.Replace(denyAll, "true", "false", 1)), ecPublic, problem.Security, "digest mismatch"},
		{"changed data", replaced(t, good, "data.json", `{"hosts": {}}`), ecPublic, problem.Security, "digest mismatch"},
		{"further file", replaced(t, good, "more.rego", "package more\n"), ecPublic, problem.Security, "not included in bundle signature"},
		{"lost file", replaced(t, good, "data.json", ""), ecPublic, problem.Security, "not found in the target bundle"},
		{"no signatures", replaced(t, good, ".signatures.json", `{"signatures": []}`), ecPublic, problem.Security, "does not hold one signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var key *Key
			if tt.key != "" {
				var err error
				if key, err = ParseKey([]byte(tt.key), "key"); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(t.Context(), memory(map[string]string{"b.tar.gz": string(tt.bundle)}), []string{"b.tar.gz"}, key)
			if problem.CodeOf(err) != tt.code || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v (%d), want %q (%d)", err, problem.CodeOf(err), tt.want, tt.code)
			}
			if err == nil && (len(got.Modules) != 1 || got.Modules[0] != Module{"b.tar.gz/corp.rego", denyAll}) {
				t.Errorf("got %+v", got)
			}
		})
	}
	for name, tt := range map[string]struct{ text, want string }{
		"private":  {ecPEM, "is a private key"},
		"no PEM":   {"ssh-rsa AAAA", "is not one key in PEM"},
		"two":      {ecPublic + rsaPublic, "is not one key in PEM"},
		"short":    {public(&rsa.PublicKey{N: rsaKey.N.Rsh(rsaKey.N, 1024), E: 3}), "1024 bits"},
		"P-224":    {public(&must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)).PublicKey), "another curve"},
		"no key":   {pemOf(t, "PUBLIC KEY", []byte("x"), nil), "cannot be read"},
		"some PEM": {pemOf(t, "OPENSSH KEY", []byte("x"), nil), "another kind"},
	} {
		if _, err := ParseKey([]byte(tt.text), "key.pem"); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// replaced is an archive with another file in place of one, with none where the text is empty, or with one more.
func replaced(t *testing.T, data []byte, name, text string) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	found := false
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(r); err != nil {
			t.Fatal(err)
		}
		if strings.TrimPrefix(h.Name, "/") == name {
			if found = true; text == "" {
				continue
			}
			b.Reset()
			b.WriteString(text)
		}
		files = append(files, h.Name, b.String())
	}
	if !found {
		files = append(files, "/"+name, text)
	}
	return archive(t, files...)
}

func TestLoadPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"p/a.rego": denyAll, "p/lists/data.yml": "x: 1\n", "secret": "top"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"p", "p/a.rego"} {
		got, err := LoadPath(t.Context(), filepath.Join(dir, name), nil)
		if err != nil || len(got.Modules) != 1 || got.Modules[0].Path != filepath.ToSlash(filepath.Join(dir, "p/a.rego")) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if err := os.Symlink("../secret", filepath.Join(dir, "p/b.rego")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPath(t.Context(), filepath.Join(dir, "p"), nil); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "b.rego") {
		t.Errorf("a link that leads out: %v", err)
	}
	for _, name := range []string{"nowhere", "nowhere/p.rego", "secret"} {
		if _, err := LoadPath(t.Context(), filepath.Join(dir, name), nil); problem.CodeOf(err) != problem.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
	var all Policies
	if err := errors.Join(all.Add(Policies{Data: map[string]any{"x": 1}}), all.Add(Policies{Data: map[string]any{"y": 1}})); err != nil {
		t.Error(err)
	}
	if err := all.Add(Policies{Data: map[string]any{"x": 2}}); problem.CodeOf(err) != problem.Usage {
		t.Errorf("data of two: %v", err)
	}
}

// Bytes that a stranger may have made are refused with an error, or give policies.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("a: 1\na: 2"), archive(f, "a.rego", denyAll, "data.json", "{}"))
	f.Add([]byte(`{"a": {"b": [1, "\u00"]}}`), archive(f, ".signatures.json", `{"signatures": ["a.b.c"]}`, "a.rego", denyAll))
	f.Add([]byte("---\n&a [*a]\n--- x\n"), []byte("\x1f\x8b\x08"))
	key, err := ParseKey([]byte(pemPublic), "key")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data, bundle []byte) {
		files := map[string]string{"p/a.rego": denyAll, "p/data.yaml": string(data), "p/x/data.json": string(data), "b.tar.gz": string(bundle)}
		for _, path := range []string{"p", "b.tar.gz"} {
			for _, key := range []*Key{nil, key} {
				if _, err := Load(t.Context(), memory(files), []string{path}, key); err != nil && problem.CodeOf(err) != problem.Usage && problem.CodeOf(err) != problem.Security {
					t.Errorf("%s: %v", path, err)
				}
			}
		}
	})
}

// pemPublic is the public half of a key that nobody has.
const pemPublic = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAoc+TjfXI8s8T39UYS14YfG8DelY
hwPMBoRsQq6klJR06yJYlSvwF32k0a8hSEQnOeF50bqknHHlpTJGLgb6tQ==
-----END PUBLIC KEY-----
`
