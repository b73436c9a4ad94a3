package source

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// Two spellings of one place are one place; what clients read in different ways is refused.
func TestLocate(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, want, fault string }{
		{raw: "https://goproxy.cn", want: "https://goproxy.cn"},
		{raw: "HTTPS://GOPROXY.CN.:443/x", want: "https://goproxy.cn/x"},
		{raw: "https://goproxy.cn:0443", want: "https://goproxy.cn"},
		{raw: "https://goproxy.cn:8443/", want: "https://goproxy.cn:8443/"},
		{raw: "http://goproxy.cn:80", want: "http://goproxy.cn"},
		{raw: "https://goproxy.cn@evil.test/", want: "https://evil.test/"},
		{raw: "https://user:goproxy.cn@evil.test/", want: "https://evil.test/"},
		{raw: "https://goproxy.cn.evil.test", want: "https://goproxy.cn.evil.test"},
		{raw: "https://bücher.test", want: "https://xn--bcher-kva.test"},
		{raw: "https://XN--BCHER-KVA.test", want: "https://xn--bcher-kva.test"},
		{raw: "https://goproxy。cn", want: "https://goproxy.cn"},
		{raw: "https://gоproxy.cn", want: "https://xn--gproxy-wqf.cn"}, // a Cyrillic o is another host
		{raw: "https://[::1]:8080/a", want: "https://[::1]:8080/a"},
		{raw: "https://[2001:DB8:0:0::1]/", want: "https://[2001:db8::1]/"},
		{raw: "https://[::ffff:127.0.0.1]/", want: "https://127.0.0.1/"},
		{raw: "git@github.com:a/b.git", want: "ssh://github.com/a/b.git"},
		{raw: "git+ssh://git@github.com/a/b.git#0f3", want: "ssh://github.com/a/b.git"},
		{raw: "git+https://github.com/a/b", want: "https://github.com/a/b"},
		{raw: "file:///srv/x", want: "file:///srv/x"},
		{raw: "https://goproxy.cn\\@evil.test/", fault: "character"},
		{raw: "https://goproxy.cn\n.evil.test", fault: "character"},
		{raw: "https://goproxy.cn/a b", fault: "character"},
		{raw: "https://goproxy.cn%2eevil.test/", fault: "parsed"},
		{raw: "https://a@b@c/", fault: "more than one @"},
		{raw: "https://0x7f.1/", fault: "number as host"},
		{raw: "https://2130706433/", fault: "number as host"},
		{raw: "https://127.1/", fault: "number as host"},
		{raw: "https://0177.0.0.1/", fault: "number as host"},
		{raw: "https://[fe80::1%25eth0]/", fault: "encoded host"},
		{raw: "https:///x", fault: "no host"},
		{raw: "https://a..b/", fault: "no valid name"},
		{raw: "goproxy.cn", fault: "no scheme"},
		{raw: "https:goproxy.cn", fault: "names no host"},
		{raw: "file://evil.test/share", fault: "names a host"},
		{raw: "", fault: "no scheme"},
	}
	for _, tt := range tests {
		loc, err := Locate(tt.raw)
		switch {
		case err != nil && (tt.want != "" || !strings.Contains(err.Error(), tt.fault)):
			t.Errorf("Locate(%q): %v, want %q %s", tt.raw, err, tt.want, tt.fault)
		case err == nil && (tt.want == "" || loc.String() != tt.want):
			t.Errorf("Locate(%q) = %q, want %q %s", tt.raw, loc, tt.want, tt.fault)
		}
	}
	for raw, want := range map[string]bool{"http://localhost/": true, "http://LOCALHOST:1/": true, "http://127.9.9.9/": true,
		"http://[::1]/": true, "http://localhost.evil.test/": false, "http://128.0.0.1/": false} {
		if loc, err := Locate(raw); err != nil || loc.Loopback != want {
			t.Errorf("Locate(%q).Loopback = %v, %v, want %v", raw, loc.Loopback, err, want)
		}
	}
}

func FuzzLocate(f *testing.F) {
	for _, s := range []string{"https://a:b@c:1/d?e#f", "git@h:p", "https://[::1%25x]/", "git+ssh://x", "https://ａ．ｂ/", "file:///", "https://xn--/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := Locate(raw)
		if err != nil || loc.Host == "" {
			return
		}
		again, err := Locate(loc.String())
		if err != nil {
			return // a path may hold what a whole address may not, e.g. ://
		}
		if again.Host != loc.Host || again.Port != loc.Port || again.Scheme != loc.Scheme {
			t.Errorf("Locate(%q) = %v, and of that %v", raw, loc, again)
		}
		if strings.ContainsAny(loc.Host, "@/\\ %") || loc.Host != strings.ToLower(loc.Host) {
			t.Errorf("Locate(%q): host %q is not canonical", raw, loc.Host)
		}
	})
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain text":                                 "plain text",
		"https://ci:s3cret@h/x and http://t@h2":      "https://***@h/x and http://***@h2",
		"http://ci:pa/ss@h:3128":                     "http://***@h:3128",
		"http://ci:pa#ss@h":                          "http://***@h",
		"http://ci:p@ss@h":                           "http://***@h",
		`http://ci:s3cr'et@h and http://ci:a"<b@h`:   "http://***@h and http://***@h",
		"https://h/@scope/pkg":                       "https://h/@scope/pkg",
		"https://h:8443/@scope/pkg":                  "https://h:8443/@scope/pkg",
		"https://h/x?token=abc&v=1":                  "https://h/x?token=***&v=1",
		"not found: /x?v=1&token=abc/y HTTP/1.1":     "not found: /x?v=1&token=*** HTTP/1.1",
		"a; b=c":                                     "a; b=c",
		"https://h/x?v=1&X-Amz-Signature=abc#f":      "https://h/x?v=1&X-Amz-Signature=***#f",
		"https://goproxy.cn|https://a:b@c,direct":    "https://goproxy.cn|https://***@c,direct",
		"GOPROXY=https://u:p@goproxy.cn,https://x.y": "GOPROXY=https://***@goproxy.cn,https://x.y",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	got := Secrets("http://ci:s3%40cret@proxy:3128")
	for _, want := range []string{"s3@cret", "s3%40cret", "ci:s3@cret", "Y2k6czNAY3JldA=="} {
		found := false
		for _, s := range got {
			found = found || s == want
		}
		if !found {
			t.Errorf("Secrets = %q, without %q", got, want)
		}
	}
	if got := Secrets("https://goproxy.cn/x"); got != nil {
		t.Errorf("Secrets of a plain address = %q", got)
	}
	for raw, want := range map[string]string{"http://ci:pa/ss@h": "pa/ss", "ci:s3cret@proxy:3128": "s3cret", `http://ci:a"b c@h`: `a"b c`, "http://token@h": "token"} {
		if got := Secrets(raw); !slices.Contains(got, want) {
			t.Errorf("Secrets(%q) = %q, want %q among them", raw, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a b":              "a b",
		"a\n::error::b":    `a\n::error::b`,
		"\x1b[31mred":      `\x1b[31mred`,
		"a\u202eb":         `a\u202eb`,
		"a\u00a0b\u200bc":  `a\u00a0b\u200bc`,
		"größe 日本":         "größe 日本",
		"bad\xff":          `bad\xff`,
		"\U000e0041":       `\U000e0041`,
		"tab\tcr\rdel\x7f": `tab\tcr\rdel\x7f`,
	} {
		if got := Plain(in, 0); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Plain("abcdef", 3); got != "abc…" {
		t.Errorf("Plain cut = %q", got)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add("a\n\x1b\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Plain(s, 0) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("Plain(%q) holds %U", s, r)
			}
		}
	})
}
