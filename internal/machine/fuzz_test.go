package machine

import (
	"strings"
	"testing"

	"github.com/org/goproxy-action/internal/toolfile"
)

// sound holds a parser to its promises: an error is a fault on a line that is there.
func sound(t *testing.T, data []byte, err error) {
	t.Helper()
	if err == nil {
		return
	}
	f, ok := err.(*toolfile.Fault) //nolint:errorlint // it is what the parsers return, and wrapped by nobody
	if !ok {
		t.Fatalf("got %T: %v", err, err)
	}
	if f.At.Line < 1 || f.At.Line > strings.Count(string(data), "\n")+1 {
		t.Fatalf("%q: %v", data, err)
	}
	if strings.ContainsAny(f.Text, "\n\x1b") {
		t.Fatalf("%q", f.Text)
	}
}

func FuzzINI(f *testing.F) {
	for _, s := range []string{"[global]\nproxy = a\n  b\n# c\n[x]\ny: z", "[a", "x=1", "[a]\nb", "\ufeff[a]\r\nb=\r\n c\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseINI(data)
		sound(t, data, err)
		for _, l := range lines {
			if l.section == "" || l.line < 1 || l.line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("%q: %+v", data, l)
			}
		}
	})
}

func FuzzProperties(f *testing.F) {
	for _, s := range []string{"a=b\\\n  c\n# d\ne:f\ng h\\u0041", "\\", "a\\=b=c\\\r\n", "=", "a\\u00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, l := range parseProperties(data) {
			if l.line < 1 || l.line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+1 {
				t.Fatalf("%q: %+v", data, l)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":{"b":["c",1,null,{"d":"e"}]}}`, "{\n\"a\" 1}", "[[[[", `"a" "b"`, ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		leaves, err := parseJSON(data)
		sound(t, data, err)
		for _, l := range leaves {
			if l.At.Line < 1 || l.At.Line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("%q: %+v", data, l)
			}
		}
	})
}

func FuzzMaven(f *testing.F) {
	for _, s := range []string{"<settings><proxies><proxy><host>a</host>x</proxy><proxy/></proxies></settings>", "<!DOCTYPE a [<!ENTITY b 'c'>]><settings>&b;</settings>", "<settings><proxies><proxy>", "<a/><b/>", "</a>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := parseMaven(data)
		sound(t, data, err)
	})
}

func FuzzPlist(f *testing.F) {
	for _, s := range []string{"<plist><dict><key>a</key><array><string>b</string><dict><key>c</key><true/></dict></array></dict></plist>", "bplist00", "<!DOCTYPE plist PUBLIC 'a' 'b'><plist/>", "<string>x</string>", "<key>a</key>"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := parsePlist(data)
		sound(t, data, err)
	})
}

func FuzzApt(f *testing.F) {
	for _, s := range []string{"Acquire::http { Proxy \"a\"; Proxy::b \"DIRECT\"; };\n#clear A;\n// c\n/* d */", "a { b", "}", "\"", "/*", "#include x;", "a b { c d; };;"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines, err := parseApt(data)
		sound(t, data, err)
		for _, l := range lines {
			if l.line < 1 || l.line > strings.Count(string(data), "\n")+1 {
				t.Fatalf("%q: %+v", data, l)
			}
		}
	})
}

func FuzzWinHTTP(f *testing.F) {
	f.Add([]byte("\x28\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\x08\x00\x00\x00c.test:3\x03\x00\x00\x00*.y"))
	f.Add([]byte("\x28\x00\x00\x00\x01\x00\x00\x00\x03\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if proxy, bypass, ok := parseWinHTTP(data); ok && len(proxy)+len(bypass) > len(data) {
			t.Fatalf("%q: %q, %q", data, proxy, bypass)
		}
	})
}

// FuzzAddress plants a password in an address: it is shown nowhere, and the address that tools can use is the one before.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"hunter2", "a/b", "@", "#?", "%", "a:b", "\x00\n", "://", "[x]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, password string) {
		a := parseAddress("http://ci:" + password + "@p.test:3128")
		if !a.ok || a.String() != "http://p.test:3128" {
			t.Fatalf("%q: %+v", password, a)
		}
		if got := shown(HTTPSProxy, "http://ci:"+password+"@p.test:3128"); got != "http://***@p.test:3128" {
			t.Fatalf("%q: %q", password, got)
		}
		if u := a.url(); u != nil && (u.Hostname() != "p.test" || u.Port() != "3128" || u.Path != "") {
			t.Fatalf("%q: %v", password, u)
		}
		for _, kind := range []Kind{NoProxy, Insecure, PAC, CABundle} {
			if got := shown(kind, "http://ci:"+password+"@p.test"); len(password) > 6 && strings.Contains(got, password) && !strings.Contains("http://***@p.test", password) {
				t.Fatalf("%s %q: %q", kind, password, got)
			}
		}
	})
}

func FuzzShellWords(f *testing.F) {
	for _, s := range []string{"-Da=b '-Dc=d e' \"f\"", "'", "a'b'c", " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := 0
		for _, w := range shellWords(text) {
			n += len(w)
		}
		if n > 3*len(text) { // a byte that is no UTF-8 becomes three
			t.Fatalf("%q: %q", text, shellWords(text))
		}
		expandBerry(text, func(string) (string, bool) { return "x", true })
		(&reader{Options: Options{Lookup: func(string) (string, bool) { return "x", true }}}).mavenText(text)
	})
}
