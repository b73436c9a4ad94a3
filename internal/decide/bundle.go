package decide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"math/big"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/org/goproxy-action/internal/problem"
)

// SigningKey is what bundles are signed with.
type SigningKey struct {
	signer crypto.Signer
	alg    string
	hash   crypto.Hash
	public *Key
}

// ParseSigningKey reads a private key in PEM: RSA, or ECDSA on P-256, P-384 or P-521. Nothing of it is ever quoted.
func ParseSigningKey(text []byte, origin string) (*SigningKey, error) {
	fault := func(format string, args ...any) (*SigningKey, error) {
		return nil, problem.New(problem.Usage, origin, "give a private key in PEM without a password, as openssl genpkey writes it", format, args...)
	}
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam -genkey writes them in front
		block, rest = pem.Decode(rest)
	}
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return fault("is not one key in PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return fault("is no private key that can be read without a password")
	}
	if err != nil {
		return fault("cannot be read")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return fault("cannot sign")
	}
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return fault("is neither an RSA nor an ECDSA key")
	}
	public, err := ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), origin)
	if err != nil {
		return nil, err
	}
	k := &SigningKey{signer, public.algs[0], crypto.SHA256, public}
	switch k.alg {
	case "ES384":
		k.hash = crypto.SHA384
	case "ES512":
		k.hash = crypto.SHA512
	}
	return k, nil
}

// Algorithm is what it signs with: RS256, ES256, ES384 or ES512.
func (k *SigningKey) Algorithm() string { return k.alg }

// sign makes a JSON web token. The same payload has the same signature, also with ECDSA (RFC 6979).
func (k *SigningKey) sign(payload []byte) (string, error) {
	part := base64.RawURLEncoding.EncodeToString
	text := part([]byte(`{"alg":"`+k.alg+`"}`)) + "." + part(payload)
	h := k.hash.New()
	h.Write([]byte(text))
	signature, err := k.signer.Sign(nil, h.Sum(nil), k.hash)
	if err != nil {
		return "", err
	}
	if public, ok := k.signer.Public().(*ecdsa.PublicKey); ok {
		var pair struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(signature, &pair); err != nil {
			return "", err
		}
		size := (public.Curve.Params().BitSize + 7) / 8
		signature = slices.Concat(pair.R.FillBytes(make([]byte, size)), pair.S.FillBytes(make([]byte, size)))
	}
	return text + "." + part(signature), nil
}

// Bundle packs policies, without their tests, as Load and OPA read them: the same policies are the same bytes. An empty
// revision is the digest of what is in it; without a key it is not signed. What comes out was read back by Load.
func Bundle(ctx context.Context, p Policies, revision string, key *SigningKey) ([]byte, error) {
	files, err := p.files(revision)
	if err != nil {
		if _, known := errors.AsType[*problem.Problem](err); known {
			return nil, err
		}
		return nil, problem.New(problem.Bug, "bundle", "", "%w", err)
	}
	var public *Key
	if key != nil {
		public = key.public
		if files[".signatures.json"], err = signatures(files, key); err != nil {
			return nil, problem.New(problem.Bug, "sign the bundle", "", "%w", err)
		}
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: "/" + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name]))}
		if err := archive.WriteHeader(header); err != nil {
			return nil, problem.New(problem.Bug, "bundle", "", "%w", err)
		}
		_, _ = archive.Write(files[name]) // into memory
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, problem.New(problem.Bug, "bundle", "", "%w", err)
	}
	const name = "bundle.tar.gz"
	_, err = Load(ctx, Tree{
		List: func(context.Context, string) ([]string, error) { return nil, fs.ErrNotExist },
		Read: func(context.Context, string) ([]byte, error) { return out.Bytes(), nil },
	}, []string{name}, public)
	return out.Bytes(), err
}

// files are those of a bundle by their names in it. The directory that all policies lie in is left out of the names.
func (p Policies) files(revision string) (map[string][]byte, error) {
	files, roots := map[string][]byte{}, map[string]bool{}
	modules := slices.DeleteFunc(slices.Clone(p.Modules), func(m Module) bool { return isTest(m.Path) })
	dir := home(modules)
	for _, m := range modules {
		module, err := parse(m.Path, m.Source, ast.RegoV1)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(m.Path, dir)
		if !fs.ValidPath(name) {
			return nil, problem.New(problem.Usage, m.Path, "put them below one directory, and name them from there", "the policies have no directory in common, and a bundle holds no paths of this machine")
		}
		files[name] = []byte(m.Source)
		roots[str(module.Package.Path[1])] = true
	}
	for key := range p.Data {
		roots[key] = true
	}
	owned := slices.Sorted(maps.Keys(roots))
	if slices.ContainsFunc(owned, func(root string) bool { return strings.Contains(root, "/") }) {
		owned = []string{""} // a slash would part it
	}
	manifest := map[string]any{"roots": owned, "rego_version": 1, "revision": revision}
	data := p.Data
	if data == nil {
		data = map[string]any{}
	}
	var err error
	if files["data.json"], err = json.Marshal(data); err != nil {
		return nil, err
	}
	if revision == "" {
		h := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			sum := sha256.Sum256(files[name])
			h.Write([]byte(hex.EncodeToString(sum[:]) + "  " + name + "\n"))
		}
		manifest["revision"] = "sha256:" + hex.EncodeToString(h.Sum(nil))
	}
	files[".manifest"], err = json.Marshal(manifest)
	return files, err
}

// home is the directory that all modules lie in, with a slash behind it; empty where that is the one they are named from.
func home(modules []Module) string {
	if len(modules) == 0 {
		return ""
	}
	dir := path.Dir(modules[0].Path)
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if !slices.ContainsFunc(modules, func(m Module) bool { return !strings.HasPrefix(m.Path, dir+"/") }) {
			return dir + "/"
		}
	}
	return ""
}

// signatures is the file of that name: a token that has the digests of all files, those of JSON as OPA computes them.
func signatures(files map[string][]byte, key *SigningKey) ([]byte, error) {
	hash, err := opabundle.NewSignatureHasher(opabundle.SHA256)
	if err != nil {
		return nil, err
	}
	list := []opabundle.FileInfo{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var content any = files[name]
		if opabundle.IsStructuredDoc("/" + name) {
			if err := util.UnmarshalJSON(files[name], &content); err != nil {
				return nil, err
			}
		}
		sum, err := hash.HashFile(content)
		if err != nil {
			return nil, err
		}
		list = append(list, opabundle.NewFile(name, hex.EncodeToString(sum), string(opabundle.SHA256)))
	}
	payload, err := json.Marshal(map[string]any{"files": list})
	if err != nil {
		return nil, err
	}
	token, err := key.sign(payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"signatures": []string{token}})
}
