package machine

import (
	"path/filepath"
	"slices"
	"strings"
)

// runner reads the files beside a runner of GitHub or an agent of Azure Pipelines, which are found by the variables that
// it sets in a job: .env, whose lines it adds to its own environment when it starts, and .proxy. What it finds there it
// hands to the job as variables, so that a job's own environment may differ from it.
func (r *reader) runner() {
	kinds := map[string]Kind{"https_proxy": HTTPSProxy, "http_proxy": HTTPProxy, "all_proxy": AllProxy, "no_proxy": NoProxy,
		"ssl_cert_file": CABundle, "node_extra_ca_certs": CABundle}
	for _, dir := range r.runnerDirs() {
		file := filepath.Join(dir, ".env")
		data, _ := r.read(file)
		n := 0
		for line := range strings.Lines(string(data)) {
			n++
			name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
			kind, known := kinds[strings.ToLower(name)]
			if ok && known && value != "" { // quotes belong to the value: the runner takes none off
				r.add(Setting{Tool: Runner, Kind: kind, For: scopeOf(kind, name), Key: name, Value: value, Origin: r.at(file, n)})
			}
			switch strings.ToLower(name) {
			case "node_tls_reject_unauthorized", "git_ssl_no_verify":
				r.switched(Setting{Tool: Runner, For: name, Key: name, Value: value, Origin: r.at(file, n)}, value == "0" || strings.HasPrefix(strings.ToLower(name), "git"))
			}
		}
		file = filepath.Join(dir, ".proxy")
		if data, ok := r.read(file); ok {
			if address := strings.TrimSpace(string(data)); address != "" {
				r.add(Setting{Tool: Runner, Kind: AllProxy, Key: ".proxy", Value: address, Origin: r.at(file, 1)})
			}
		}
		file = filepath.Join(dir, ".proxybypass") // regular expressions
		if data, ok := r.read(file); ok {
			if lines := strings.Fields(string(data)); len(lines) > 0 {
				r.add(Setting{Tool: Runner, Kind: NoProxy, For: "agent", Key: ".proxybypass", Value: strings.Join(lines, ","), Origin: r.at(file, 1)})
			}
		}
	}
}

// scopeOf keeps variables apart that are of one kind and do not hide each other.
func scopeOf(kind Kind, name string) string {
	if kind == CABundle {
		return name
	}
	return ""
}

// runnerDirs are where a runner may be installed: the work directory lies in it by default, and the runner's own file
// proves it.
func (r *reader) runnerDirs() []string {
	var out []string
	add := func(dir string) {
		if dir == "" || !filepath.IsAbs(dir) || slices.Contains(out, dir) || r.inside(dir) {
			return
		}
		for _, name := range []string{".runner", ".agent"} {
			if is, err := r.isDir(filepath.Join(dir, name)); err == nil && !is {
				out = append(out, dir)
				return
			}
		}
	}
	for _, name := range []string{"RUNNER_TEMP", "RUNNER_TOOL_CACHE", "RUNNER_WORKSPACE"} { // ROOT/_work/_temp, /_tool, /name
		if v := r.get(name); v != "" {
			add(filepath.Dir(filepath.Dir(filepath.Clean(v))))
		}
	}
	add(r.get("AGENT_HOMEDIRECTORY"))
	add(r.get("AGENT_ROOTDIRECTORY"))
	return out
}
