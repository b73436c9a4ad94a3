package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/org/goproxy-action/internal/problem"
)

var (
	sha   = strings.Repeat("0123456789abcdef", 4)
	other = strings.Repeat("f", 64)
)

func sample() Manifest {
	return Manifest{Version: "v1.2.3", Go: "go1.26.8", URL: Downloads + "/v1.2.3", Binaries: map[string]Binary{
		"linux/amd64":   {Asset: Asset("linux", "amd64"), SHA256: sha, Size: 17},
		"windows/arm64": {Asset: Asset("windows", "arm64"), SHA256: other, Size: 18},
	}}
}

func TestManifestIsReadAsWritten(t *testing.T) {
	t.Parallel()
	data, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Error(diff)
	}
	later := strings.Replace(string(data), `"version"`, `"later": {"a": [1]}, "version"`, 1)
	if _, err := Parse([]byte(later)); err != nil {
		t.Errorf("a name of a later version: %v", err)
	}
}

// Each fault is refused by a sentence that names its place.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	data, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, want string }{
		{"a page", string(data), "<html>", "no JSON object"},
		{"a list", string(data), "[]", "no JSON object"},
		{"an end too early", "\n}\n", "", "no valid JSON"},
		{"two manifests", "\n}\n", "}{}", "something follows"},
		{"a name twice", `"version": "v1.2.3"`, `"version": "v1.2.3", "version": "v1.2.4"`, `"version" stands twice`},
		{"a platform twice", `"windows/arm64"`, `"linux/amd64"`, `"linux/amd64" stands twice`},
		{"a digest twice", `"sha256": "` + sha, `"sha256": "` + other + `", "sha256": "` + sha, `linux/amd64: "sha256" stands twice`},
		{"a name in capitals", `"sha256": "` + sha, `"SHA256": "` + sha, "linux/amd64: sha256 is missing"},
		{"no digest", `"sha256": "` + sha + `",`, "", "linux/amd64: sha256 is missing"},
		{"digest null", `"sha256": "` + sha + `"`, `"sha256": null`, "sha256: null is not what belongs there"},
		{"a short digest", sha, sha[1:], "is not 64 hexadecimal digits"},
		{"a digest in capitals", sha, strings.ToUpper(sha), "is not 64 hexadecimal digits"},
		{"size as text", `"size": 17`, `"size": "17"`, `size: "17" is not what belongs there`},
		{"a broken size", `"size": 17`, `"size": 1.5`, "size: 1.5 is not what belongs there"},
		{"no size", `"size": 17`, `"size": 0`, "are no program"},
		{"an asset that climbs", `"asset": "goproxy-action_linux_amd64.gz"`, `"asset": "../x"`, "is no file name"},
		{"an asset elsewhere", `"asset": "goproxy-action_linux_amd64.gz"`, `"asset": "https://x/y"`, "is no file name"},
		{"no platform", `"linux/amd64"`, `"linux"`, "not a platform"},
		{"a platform of control characters", `"linux/amd64"`, "\"\\u001b[2J\"", `\x1b[2J: not a platform`},
		{"no version", `"v1.2.3",`, `"latest",`, "version:"},
		{"a commit's version", `"v1.2.3",`, `"v0.0.0-20261122210000-0123456789ab",`, "version:"},
		{"no toolchain", "go1.26.8", "devel", "go:"},
		{"an address with a password", "https://github.com", "https://u:secret@github.com", "***@"},
		{"an address of a file", "https://github.com", "file:///x", "url:"},
		{"an address with an end", `/v1.2.3",`, `/v1.2.3/",`, "url:"},
		{"nothing", string(data), `{"version":"v1.2.3","go":"go1.26.8","url":"https://x.test/y","binaries":{}}`, "there are none"},
		{"too much", "\n}\n", strings.Repeat(" ", Limit) + "}", "more than 1024 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(string(data), tt.old, tt.new, 1)
			if text == string(data) {
				t.Fatal("the fault is not in the text")
			}
			_, err := Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, version, platform, sha string
		size                         int64
		code                         problem.Code
		words                        []string
	}{
		{"right", "v1.2.3", "linux/amd64", sha, 17, problem.Clean, nil},
		{"other bytes", "v1.2.3", "linux/amd64", other, 17, problem.Security, []string{sha, other}},
		{"other size", "v1.2.3", "linux/amd64", sha, 18, problem.Security, []string{"17 bytes", "18 bytes"}},
		{"another platform's bytes", "v1.2.3", "linux/amd64", other, 18, problem.Security, []string{sha, other}},
		{"another release", "v1.2.2", "linux/amd64", other, 17, problem.Security, []string{"v1.2.2", "v1.2.3", sha, other}},
		{"a manifest that lies", "v1.2.2", "linux/amd64", sha, 17, problem.Security, []string{"v1.2.2", "v1.2.3", "lies"}},
		{"a platform without release", "v1.2.3", "plan9/amd64", sha, 17, problem.Security, []string{"plan9/amd64", sha}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := sample().Verify(tt.version, tt.platform, tt.sha, tt.size)
			if got := problem.CodeOf(err); got != tt.code {
				t.Fatalf("exit %d, want %d: %v", got, tt.code, err)
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in: %v", w, err)
				}
			}
		})
	}
}

func TestIsVersion(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"v0.0.1": true, "v1.2.3": true, "v0.0.1-test": true, "v1.2.3-rc.1": true, "": false, "devel": false, "1.2.3": false,
		"v1": false, "v1.2": false, "v01.2.3": false, "v1.2.3+dirty": false, "v1.2.3-": false, "v1.2.3\n": false, "v1.2.3-$(x)": false,
		"v0.0.0-20261122210000-0123456789ab": false, "v1.2.4-0.20261122210000-0123456789ab": false} {
		if got := IsVersion(v); got != want {
			t.Errorf("IsVersion(%q) = %t", v, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	got, size, err := Describe(strings.NewReader("abc"))
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want || size != 3 || err != nil {
		t.Errorf("got %s, %d, %v", got, size, err)
	}
}

// What is accepted is whole, and stays the same when it is written again.
func FuzzParse(f *testing.F) {
	data, err := sample().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"version":"v1.2.3","version":"v1.2.4"}`))
	f.Add([]byte(`{"binaries":{"linux/amd64":{"sha256":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("an error with control characters: %q", err)
			}
			return
		}
		for name, b := range m.Binaries {
			if len(b.SHA256) != 64 || b.Size <= 0 || !strings.Contains(name, "/") {
				t.Fatalf("accepted %s: %+v", name, b)
			}
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(again)
		if err != nil || !cmp.Equal(m, back) {
			t.Fatalf("read again: %v %s", err, cmp.Diff(m, back))
		}
	})
}
