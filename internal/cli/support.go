package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/report"
	"github.com/org/goproxy-action/internal/source"
)

// formatSupport is the format of --bundle, which is no report.
const formatSupport = "bundle"

// telling are the variables whose values say something of the network, in lower case, and hold no secret but in an address.
// They are named one by one: what begins like one of them (HTTPS_PROXY_PASSWORD, RUNNER_MY_KEY) may be anything.
var telling = []string{"http_proxy", "https_proxy", "all_proxy", "no_proxy", "goproxy", "gosumdb", "goprivate", "gonosumdb", "gonoproxy", "goinsecure", "goflags", "gotoolchain",
	"npm_config_registry", "npm_config_proxy", "npm_config_https_proxy", "npm_config_noproxy", "npm_config_cafile", "npm_config_strict_ssl", "ssl_cert_file", "ssl_cert_dir",
	"node_extra_ca_certs", "node_tls_reject_unauthorized", "node_use_env_proxy", "node_use_system_ca", "git_ssl_cainfo", "git_ssl_capath", "git_ssl_no_verify", "curl_ca_bundle",
	"requests_ca_bundle", "pip_index_url", "pip_cert", "pip_proxy", "runner_os", "runner_arch", "runner_name", "runner_environment", "runner_temp", "runner_tool_cache",
	"runner_workspace", "runner_debug", "github_actions", "github_server_url", "github_api_url", "gitlab_ci", "ci_server_url", "ci_runner_description", "ci_runner_version",
	"ci_runner_executable_arch"}

// writeBundle puts all that a person needs who was not there into one file: the report in two forms, the version, and the
// variables that say something of the network, with their secrets masked.
func (m *program) writeBundle(o report.Outcome, file string, failed error) error {
	o.Problem, o.Version = failed, m.Version
	var text, document bytes.Buffer
	if err := report.Text(&text, o, report.Style{}); err != nil {
		return err
	}
	if err := report.JSON(&document, o); err != nil {
		return err
	}
	now := time.Now
	if m.Now != nil {
		now = m.Now
	}
	about := fmt.Sprintf("goproxy-action %s, %s/%s, %s\n", m.Version, m.OS, runtime.GOARCH, now().UTC().Format(time.RFC3339))
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, f := range []struct {
		name string
		data []byte
	}{{"about.txt", []byte(about)}, {"report.txt", text.Bytes()}, {"report.json", document.Bytes()}, {"environment.txt", []byte(m.variables())}} {
		if err := t.WriteHeader(&tar.Header{Name: "goproxy-action/" + f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: now(), Format: tar.FormatPAX}); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return m.put("--bundle "+source.Plain(file, 200), output{formatSupport, file}, b.Bytes())
}

// variables are those of telling, a line each. A value of any other form than an address has nothing in it to mask; an
// address that cannot be read is not shown.
func (m *program) variables() string {
	var lines []string
	for _, kv := range m.Environ {
		name, value, ok := strings.Cut(kv, "=")
		if !ok || !slices.Contains(telling, strings.ToLower(name)) {
			continue
		}
		mask := maskedValue
		if strings.EqualFold(name, "GOFLAGS") {
			mask = maskedFlags
		}
		lines = append(lines, source.Plain(name, 100)+"="+source.Plain(mask(value), 2000))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}

// maskedValue hides what stands before an @, whatever it is made of.
func maskedValue(value string) string {
	parts := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == '|' })
	if slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(p, "@") && !strings.Contains(p, "://") }) {
		// a password with a comma in it, or an address without a scheme: nobody knows where it begins
		scheme := ""
		if before, _, ok := strings.Cut(parts[0], "://"); ok {
			scheme = before + "://"
		}
		return scheme + hidden + value[strings.LastIndexByte(value, '@'):]
	}
	for i, p := range parts {
		scheme, rest, ok := strings.Cut(p, "://")
		if !ok {
			continue
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = hidden + rest[at:]
		}
		parts[i] = source.Redact(scheme + "://" + rest)
	}
	return strings.Join(parts, ",")
}

// hidden stands for what is not shown.
const hidden = "***"

// harmless are flags of the go command in whose values nobody puts a secret. Those of linkers and of programs that are
// started around tools have been seen with keys in them.
var harmless = regexp.MustCompile(`^--?(?:mod|modcacherw|trimpath|insecure|buildvcs|race|v|x)(?:=[a-z]*)?$`)

func maskedFlags(value string) string {
	flags := strings.Fields(value)
	for i, f := range flags {
		if !harmless.MatchString(f) {
			flags[i] = hidden
		}
	}
	return strings.Join(slices.Compact(flags), " ")
}
