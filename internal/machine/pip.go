package machine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// pip reads what pip 23 to 25 read (configuration.py): variables, PIP_CONFIG_FILE, the virtual environment's file, the
// user's and the system's. In all of them a setting of [install] counts more than one of [global]. With an existing
// PIP_CONFIG_FILE the user's files are not read, and with /dev/null none is. A proxy of pip's own ignores NO_PROXY.
func (r *reader) pip() {
	for _, v := range []struct {
		name string
		kind Kind
	}{{"PIP_PROXY", AllProxy}, {"PIP_CERT", CABundle}, {"PIP_TRUSTED_HOST", Insecure}} {
		if value := r.get(v.name); value != "" {
			r.pipSetting(v.kind, v.name, value, v.name)
		}
	}
	var found []iniLine
	for _, file := range r.pipFiles() {
		data, ok := r.read(file)
		if !ok {
			continue
		}
		lines, err := parseINI(data)
		if err != nil {
			r.missed(r.shownPath(file), err)
			continue
		}
		for _, l := range slices.Backward(lines) {
			l.origin = r.at(file, l.line)
			found = append(found, l)
		}
	}
	kinds := map[string]Kind{"proxy": AllProxy, "cert": CABundle, "trusted-host": Insecure}
	for _, section := range []string{"install", "global"} {
		for _, l := range found {
			key := strings.ReplaceAll(strings.ToLower(l.key), "_", "-")
			if kind, ok := kinds[key]; ok && l.section == section && l.value != "" {
				r.pipSetting(kind, section+"."+key, l.value, l.origin)
			}
		}
	}
}

func (r *reader) pipSetting(kind Kind, key, value, origin string) {
	if kind != Insecure {
		if kind == CABundle {
			value = r.expandHome(value)
		}
		r.add(Setting{Tool: Pip, Kind: kind, Key: key, Value: value, Origin: origin})
		return
	}
	if r.taken[group{Pip, "", Insecure}] { // of the lists the strongest alone counts
		return
	}
	r.hide(Pip, Insecure, "")
	for host := range strings.FieldsSeq(value) {
		s := Setting{Tool: Pip, Kind: Insecure, For: host, Key: key, Value: host, Origin: origin}
		if !hostPort().MatchString(host) {
			s.For, s.Shown = hidden, hidden
		}
		r.add(s)
	}
}

// pipFiles are the files, what counts most first.
func (r *reader) pipFiles() []string {
	named, set := r.Lookup("PIP_CONFIG_FILE")
	if set && named == os.DevNull {
		return nil
	}
	base := "pip.conf"
	if r.OS == "windows" {
		base = "pip.ini"
	}
	var out []string
	prefix := r.get("VIRTUAL_ENV")
	if _, python := r.tool("python3"); prefix == "" && python != "" {
		prefix = filepath.Dir(filepath.Dir(python))
	}
	alone := false
	if named != "" {
		out = append(out, r.expandHome(named))
		_, err := r.isDir(named)
		alone = err == nil
	}
	out = append(out, below(prefix, base))
	if !alone {
		switch r.OS {
		case "windows":
			out = append(out, below(r.get("APPDATA"), "pip", base), r.home("pip", base))
		case "darwin":
			dir := r.home("Library", "Application Support", "pip")
			if is, _ := r.isDir(dir); !is {
				dir = r.home(".config", "pip")
			}
			out = append(out, below(dir, base), r.home(".pip", base))
		default:
			out = append(out, r.xdg("pip", base), r.home(".pip", base))
		}
	}
	switch r.OS {
	case "windows":
		out = append(out, below(r.get("PROGRAMDATA"), "pip", base))
	case "darwin":
		out = append(out, filepath.Join("/Library/Application Support/pip", base))
	default:
		out = append(out, filepath.Join("/etc", base))
		dirs := r.get("XDG_CONFIG_DIRS")
		if dirs == "" {
			dirs = "/etc/xdg"
		}
		for _, dir := range slices.Backward(strings.Split(dirs, ":")) {
			if filepath.IsAbs(dir) {
				out = append(out, filepath.Join(dir, "pip", base))
			}
		}
	}
	return slices.DeleteFunc(out, func(file string) bool { return file == "" })
}
