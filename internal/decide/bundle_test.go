package decide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

// packed are policies in a directory of any name.
func packed(t *testing.T, dir string) Policies {
	t.Helper()
	p, err := Load(t.Context(), memory(map[string]string{
		dir + "/corp/corp.rego": denyAll, dir + "/corp/corp_test.rego": "package corp_test\n", dir + "/lib.rego": "package lib.text\n\nx := 1\n",
		dir + "/hosts/data.yaml": "good: [a.test, 12345678901234567890, 1.50]\n",
	}), []string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// unpack are the files of a bundle.
func unpack(t *testing.T, data []byte) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(zipped); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		text, err2 := io.ReadAll(r)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(text)
	}
}

// signingKeys are private keys in PEM, of each kind.
func signingKeys(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	out["RSA, PKCS #1"] = pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	out["RSA, PKCS #8"] = pemOf(t, "PRIVATE KEY", der, err)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		der, err := x509.MarshalECPrivateKey(must(ecdsa.GenerateKey(curve, rand.Reader)))
		out[curve.Params().Name] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + pemOf(t, "EC PRIVATE KEY", der, err)
	}
	return out
}

// A bundle is read by Load and so by OPA, which verifies it; the same policies are the same bytes wherever they lie.
func TestBundle(t *testing.T) {
	t.Parallel()
	want := map[string]any{"hosts": map[string]any{"good": []any{"a.test", json.Number("12345678901234567890"), json.Number("1.5")}}}
	keys := signingKeys(t)
	keys["unsigned"] = ""
	for name, text := range keys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var key *SigningKey
			var public *Key
			if text != "" {
				var err error
				if key, err = ParseSigningKey([]byte(text), "key.pem"); err != nil {
					t.Fatal(err)
				}
				public = key.public
			}
			data, err := Bundle(t.Context(), packed(t, "policy"), "", key)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Bundle(t.Context(), packed(t, "else/where"), "", key)
			if err != nil || !bytes.Equal(data, again) {
				t.Errorf("the same policies are other bytes (%v)", err)
			}
			files := unpack(t, data)
			if files["/corp/corp.rego"] != denyAll || files["/lib.rego"] == "" || files["/corp/corp_test.rego"] != "" {
				t.Errorf("holds %v", files)
			}
			var manifest struct {
				Roots    []string
				Revision string
				Version  int `json:"rego_version"`
			}
			if err := json.Unmarshal([]byte(files["/.manifest"]), &manifest); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"corp", "hosts", "lib"}, manifest.Roots); diff != "" || !strings.HasPrefix(manifest.Revision, "sha256:") || manifest.Version != 1 {
				t.Errorf("manifest %+v", manifest)
			}
			got, err := Load(t.Context(), memory(map[string]string{"b.tar.gz": string(data)}), []string{"b.tar.gz"}, public)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Data); diff != "" || len(got.Modules) != 2 {
				t.Errorf("%d modules; data (-want +got):\n%s", len(got.Modules), diff)
			}
			if key == nil {
				return
			}
			for _, name := range []string{"/corp/corp.rego", "/data.json", "/.manifest"} {
				var other []string
				for n, text := range files {
					if n == name {
						text = strings.NewReplacer("no", "ok", "a.test", "b.test", "sha256:", "sha512:").Replace(text)
					}
					other = append(other, n, text)
				}
				_, err := Load(t.Context(), memory(map[string]string{"b.tar.gz": string(archive(t, other...))}), []string{"b.tar.gz"}, public)
				if problem.CodeOf(err) != problem.Security {
					t.Errorf("with another %s: %v", name, err)
				}
			}
		})
	}
	one, err := Bundle(t.Context(), packed(t, "policy"), "v1.2.3", nil)
	if err != nil || !strings.Contains(unpack(t, one)["/.manifest"], `"revision":"v1.2.3"`) {
		t.Errorf("%v in %v", err, unpack(t, one))
	}
	if _, err := Bundle(t.Context(), Policies{Modules: []Module{{"a_test.rego", "package a\n"}}}, "", nil); problem.CodeOf(err) != problem.Usage {
		t.Errorf("nothing but tests: %v", err)
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		paths []string
	}{
		{"", nil}, {"", []string{"a.rego"}}, {"p/", []string{"p/a.rego"}}, {"p/q/", []string{"p/q/a.rego", "p/q/r/b.rego"}},
		{"p/", []string{"p/q/a.rego", "p/qq/b.rego"}}, {"", []string{"p/a.rego", "q/a.rego"}}, {"", []string{"p/a.rego", "b.rego"}},
		{"/x/p/", []string{"/x/p/a.rego"}}, {"", []string{"/x/p/a.rego", "y/a.rego"}}, {"../p/", []string{"../p/a.rego"}},
	} {
		var modules []Module
		for _, p := range c.paths {
			modules = append(modules, Module{Path: p})
		}
		if got := home(modules); got != c.want {
			t.Errorf("%v: %q, want %q", c.paths, got, c.want)
		}
	}
}

// What is no key for signing is refused, and nothing of it is ever quoted.
func TestParseSigningKeyRefuses(t *testing.T) {
	t.Parallel()
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(edKey)
	ed := pemOf(t, "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(edKey.Public())
	public := pemOf(t, "PUBLIC KEY", der, err)
	der, err = x509.MarshalECPrivateKey(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)))
	for name, c := range map[string]struct{ text, want string }{
		"nothing":     {"", "is not one key"},
		"no PEM":      {"AAAAsecret", "is not one key"},
		"two":         {ed + ed, "is not one key"},
		"public":      {public, "is no private key"},
		"encrypted":   {pemOf(t, "ENCRYPTED PRIVATE KEY", []byte("AAAAsecret"), nil), "without a password"},
		"broken":      {pemOf(t, "PRIVATE KEY", []byte("AAAAsecret"), nil), "cannot be read"},
		"ed25519":     {ed, "neither an RSA nor an ECDSA key"},
		"small curve": {pemOf(t, "EC PRIVATE KEY", der, err), "another curve"},
	} {
		_, err := ParseSigningKey([]byte(c.text), "key.pem")
		if problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A bundle has no names that lead out of it, or that tell of the machine it was made on.
func TestBundleOfPoliciesApart(t *testing.T) {
	t.Parallel()
	for _, paths := range [][2]string{{"../a/a.rego", "b/b.rego"}, {"/srv/a/a.rego", "b/b.rego"}, {"/srv/a.rego", "/opt/b.rego"}} {
		p := Policies{Modules: []Module{{paths[0], "package a\n\ndeny contains \"x\"\n"}, {paths[1], "package b\n\ndeny contains \"x\"\n"}}}
		if _, err := Bundle(t.Context(), p, "", nil); problem.CodeOf(err) != problem.Usage || !strings.Contains(err.Error(), "no directory in common") {
			t.Errorf("%v: %v", paths, err)
		}
	}
}
