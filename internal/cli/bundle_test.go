package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// From a directory of policies to a signed bundle that check goes by.
func TestPolicyBundle(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.replaced()
	home := t.TempDir()
	at := func(name string) string { return filepath.Join(home, name) }
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	s.write(at("key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	s.write(at("public.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
	s.write(at("policy/corp.rego"), noGit)
	s.write(at("policy/corp/data.yaml"), "allowed: []\n")

	// neither without tests nor with one that fails, and nowhere else than where a bundle is looked for
	bundle := func(file string, more ...string) []string {
		return append([]string{"policy", "bundle", "--out", at(file), at("policy")}, more...)
	}
	s.run(bundle("corp.tar.gz")...).want(t, 2, nil, []string{"there is no test"})
	s.write(at("policy/corp_test.rego"), "package corp_test\n\nimport data.corp\n\ntest_nothing if count(corp.deny) == 1\n")
	s.run(bundle("corp.tar.gz")...).want(t, 1, nil, []string{"FAIL  corp_test.test_nothing", "0 of 1 tests passed, so nothing was written"})
	s.write(at("policy/corp_test.rego"), "package corp_test\n\nimport data.corp\n\ntest_nothing if count(corp.deny) == 0 with input as {}\n")
	s.run(bundle("corp.zip")...).want(t, 2, nil, []string{"does not end in .tar.gz"})
	s.run(bundle("none/corp.tar.gz")...).want(t, 2, nil, []string{"the bundle could not be written"})
	s.run(bundle("corp.tar.gz", "--sign-key", at("public.pem"))...).want(t, 2, nil, []string{"is no private key"})
	if _, err := os.Stat(at("corp.tar.gz")); err == nil {
		t.Error("a bundle was written")
	}

	s.run(bundle("corp.tar.gz")...).want(t, 0, nil, []string{"1 test passed, not signed"})
	s.run(bundle("signed.tar.gz", "--sign-key", at("key.pem"))...).want(t, 0, nil, []string{"1 test passed, signed (ES256)"})
	first, err := os.ReadFile(at("signed.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	s.run(bundle("signed.tar.gz", "--sign-key", at("key.pem"))...).want(t, 0, nil, nil)
	if again, err := os.ReadFile(at("signed.tar.gz")); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the second bundle differs from the first (%v)", err)
	}
	found := []string{"error CORP001 go.mod:7:1 github.com/google/uuid: is replaced"}
	s.run("check", "--offline", "--policy", at("corp.tar.gz"), "DIR").want(t, 1, found, nil)
	s.run("check", "--offline", "--policy", at("signed.tar.gz"), "--policy-key", at("public.pem"), "DIR").want(t, 1, found, nil)
	s.run("check", "--offline", "--policy", at("corp.tar.gz"), "--policy-key", at("public.pem"), "DIR").want(t, 2, nil, []string{"is not signed"})
}
