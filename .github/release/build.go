package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"text/template"

	"github.com/goccy/go-yaml"
	"golang.org/x/mod/semver"

	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/release"
)

const recipeFile = ".goreleaser.yaml"

// recipe is what .goreleaser.yaml says about building.
type recipe struct {
	Main    string   `yaml:"main"`
	Targets []string `yaml:"targets"`
	Env     []string `yaml:"env"`
	Flags   []string `yaml:"flags"`
	Ldflags []string `yaml:"ldflags"`
}

func readRecipe(data []byte) (recipe, error) {
	var file struct {
		Builds []recipe `yaml:"builds"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return recipe{}, problem.New(problem.Usage, recipeFile, "mend it: goreleaser check", "%w", err)
	}
	if len(file.Builds) != 1 {
		return recipe{}, problem.New(problem.Usage, recipeFile, "keep to one: there is one program", "it has %d builds", len(file.Builds))
	}
	for _, t := range file.Builds[0].Targets {
		if _, _, err := target(t); err != nil {
			return recipe{}, err
		}
	}
	return file.Builds[0], nil
}

// target splits goreleaser's name of one, linux_arm_6, into the platform and what the go command has to be told.
func target(name string) (platform string, env []string, err error) {
	parts := strings.Split(name, "_")
	switch {
	case len(parts) == 3 && parts[1] == "arm":
		env = []string{"GOARM=" + parts[2]}
	case len(parts) != 2:
		return "", nil, problem.New(problem.Usage, recipeFile, "write GOOS_GOARCH or GOOS_arm_GOARM", "target %q is not understood", name)
	}
	return parts[0] + "/" + parts[1], append(env, "GOOS="+parts[0], "GOARCH="+parts[1]), nil
}

// expand fills in goreleaser's templates; a variable that is missing is an error.
func expand(text string, env map[string]string) (string, error) {
	t, err := template.New(recipeFile).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{"Env": env})
	return b.String(), err
}

// args are those of one build by the go command.
func (r recipe) args(version, officialGo, officialNPM string) ([]string, error) {
	stamps := map[string]string{"VERSION": version, "OFFICIAL_GO": officialGo, "OFFICIAL_NPM": officialNPM}
	ldflags, err := expand(strings.Join(r.Ldflags, " "), stamps)
	if err != nil {
		return nil, problem.New(problem.Usage, recipeFile, "mend ldflags", "%w", err)
	}
	return slices.Concat([]string{"build"}, r.Flags, []string{"-ldflags", ldflags}), nil
}

func fileName(platform string) string {
	name := "goproxy-action_" + strings.ReplaceAll(platform, "/", "_")
	if strings.HasPrefix(platform, "windows/") {
		name += ".exe"
	}
	return name
}

// build makes binaries in dir. All that could change their bytes comes from the recipe and the stamps.
func build(ctx context.Context, dir, version string, platforms []string, out io.Writer) error {
	if !release.IsVersion(version) {
		return misused("build: VERSION is %q, and not a release's, such as v1.2.3", version)
	}
	data, err := os.ReadFile(recipeFile)
	if err != nil {
		return problem.New(problem.Usage, "", "run it in the top directory of a checkout", "%w", err)
	}
	r, err := readRecipe(data)
	if err != nil {
		return err
	}
	known := map[string][]string{}
	var all []string
	for _, t := range r.Targets {
		platform, env, err := target(t)
		if err != nil {
			return err
		}
		known[platform], all = env, append(all, platform)
	}
	if len(platforms) == 0 {
		platforms = all
	}
	stamps, err := official(ctx)
	if err != nil {
		return err
	}
	args, err := r.args(version, stamps.golang, stamps.npm)
	if err != nil {
		return err
	}
	clean, err := cleanEnv(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	for _, p := range platforms {
		env, ok := known[p]
		if !ok {
			return problem.New(problem.Usage, "build", "take of: "+strings.Join(all, " "), "%q is no target of %s", p, recipeFile)
		}
		file := filepath.Join(dir, fileName(p))
		cmd := exec.CommandContext(ctx, "go", append(slices.Clone(args), "-o", file, r.Main)...)
		cmd.Env = slices.Concat(clean, r.Env, env)
		if said, err := cmd.CombinedOutput(); err != nil {
			return problem.New(problem.Usage, "build "+p, "", "%w\n%s", err, bytes.TrimSpace(said))
		}
		fmt.Fprintln(out, file)
	}
	return nil
}

// delivery are the settings of the go command that say how modules and toolchains come here and where they are kept.
// All others, and cgo's, are left out: they could change the bytes.
var delivery = []string{"GOAUTH", "GOCACHE", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE", "GOPROXY", "GOSUMDB",
	"GOTOOLCHAIN", "GOVCS"}

func cleanEnv(ctx context.Context) ([]string, error) {
	settings, err := goEnv(ctx, delivery...)
	if err != nil {
		return nil, err
	}
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "GO") || strings.HasPrefix(pair, "CGO_") })
	for _, name := range delivery {
		env = append(env, name+"="+settings[name])
	}
	return append(env, "GOENV=off"), nil
}

func goEnv(ctx context.Context, names ...string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, names...)...)
	out, err := cmd.Output()
	values := map[string]string{}
	if err == nil {
		err = json.Unmarshal(out, &values)
	}
	if err != nil {
		return nil, problem.New(problem.Usage, "ask the go command", "put Go on the PATH", "%w", withWords(err))
	}
	return values, nil
}

// withWords adds the last line that a program said to its exit code.
func withWords(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
		return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return err
}

type stamps struct{ golang, npm string }

var (
	firstProxy = regexp.MustCompile(`(?m)^GOPROXY=(?:[^\n]*?[,|])??(https?://[^,|\s]+)`)
	address    = regexp.MustCompile(`^https?://[A-Za-z0-9.:/_-]+$`)
)

// official asks this machine's toolchains for the sources that they have built in, where the environment does not say
// them. The settings of user and machine do not count.
func official(ctx context.Context) (stamps, error) {
	s := stamps{os.Getenv("OFFICIAL_GO"), os.Getenv("OFFICIAL_NPM")}
	if s.golang == "" {
		root, err := goEnv(ctx, "GOROOT")
		if err != nil {
			return s, err
		}
		text, err := os.ReadFile(filepath.Join(root["GOROOT"], "go.env"))
		if err != nil {
			return s, problem.New(problem.Usage, "find Go's default module proxy", "set OFFICIAL_GO", "%w", err)
		}
		if m := firstProxy.FindSubmatch(text); m != nil {
			s.golang = string(m[1])
		}
	}
	if s.npm == "" {
		var err error
		if s.npm, err = npmDefault(ctx); err != nil {
			return s, problem.New(problem.Usage, "find npm's default registry", "put Node on the PATH, or set OFFICIAL_NPM", "%w", err)
		}
	}
	for name, value := range map[string]*string{"OFFICIAL_GO": &s.golang, "OFFICIAL_NPM": &s.npm} {
		if *value = strings.TrimRight(*value, "/"); !address.MatchString(*value) {
			return s, problem.New(problem.Usage, name, "set it", "%q is no http address", *value)
		}
	}
	return s, nil
}

// npmDefault asks npm in an empty home, without a line of configuration.
func npmDefault(ctx context.Context) (string, error) {
	home, err := os.MkdirTemp("", "npm-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	npm := "npm"
	if runtime.GOOS == "windows" {
		npm = "npm.cmd"
	}
	cmd := exec.CommandContext(ctx, npm, "config", "get", "registry", "--userconfig="+filepath.Join(home, "user"), "--globalconfig="+filepath.Join(home, "global"))
	cmd.Dir = home
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(strings.ToLower(pair), "npm_config_") })
	cmd.Env = append(cmd.Env, "npm_config_cache="+home, "npm_config_update_notifier=false")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), withWords(err)
}

// env prints the stamps, and where goreleaser's notes begin and end: a release's commit is reached by its tag alone, so
// that goreleaser cannot find the release before by itself.
func env(ctx context.Context, version string, out io.Writer) error {
	s, err := official(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "OFFICIAL_GO=%s\nOFFICIAL_NPM=%s\n", s.golang, s.npm)
	if version == "" {
		return nil
	}
	if !release.IsVersion(version) {
		return misused("env: VERSION is %q, and not a release's, such as v1.2.3", version)
	}
	tags, err := exec.CommandContext(ctx, "git", "tag", "--list", "v*").Output()
	if err != nil {
		return problem.New(problem.Usage, "list the tags", "run it in a git checkout", "%w", withWords(err))
	}
	fmt.Fprintf(out, "GORELEASER_CURRENT_TAG=%s\n", version)
	if before := previous(strings.Fields(string(tags)), version); before != "" {
		fmt.Fprintf(out, "GORELEASER_PREVIOUS_TAG=%s\n", before)
	}
	return nil
}

// previous is the highest release before version; what a prerelease has brought is told again by its release.
func previous(tags []string, version string) (before string) {
	for _, t := range tags {
		if release.IsVersion(t) && semver.Compare(t, version) < 0 && semver.Compare(t, before) > 0 &&
			(semver.Prerelease(t) == "" || semver.Prerelease(version) != "") {
			before = t
		}
	}
	return before
}

// binary is what a file says of itself.
type binary struct {
	info                     *buildinfo.BuildInfo
	platform, goVersion, sha string
	size                     int64
}

func (b binary) goos() string   { goos, _, _ := strings.Cut(b.platform, "/"); return goos }
func (b binary) goarch() string { _, goarch, _ := strings.Cut(b.platform, "/"); return goarch }

// describe reads a program, alone or in an archive, and refuses one that is no release's.
func describe(file string) (binary, error) {
	refuse := func(format string, args ...any) (binary, error) {
		return binary{}, problem.New(problem.Usage, file, "make it by build, or goreleaser", format, args...)
	}
	program, err := unpack(file)
	if err != nil {
		return refuse("%w", err)
	}
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil {
		return refuse("it is no binary of Go: %w", err)
	}
	b := binary{info: info, goVersion: info.GoVersion}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	b.platform = settings["GOOS"] + "/" + settings["GOARCH"]
	if want := "github.com/org/goproxy-action/cmd/goproxy-action"; info.Path != want {
		return refuse("it is %s, and not %s", info.Path, want)
	}
	if settings["-trimpath"] != "true" || settings["CGO_ENABLED"] != "0" || settings["vcs"] != "" {
		return refuse("it is not built as a release is")
	}
	b.sha, b.size, err = release.Describe(bytes.NewReader(program))
	return b, err
}

// unpack reads a program: the file itself, or what is in it by goreleaser's ways of packing.
func unpack(file string) ([]byte, error) {
	if strings.HasSuffix(file, ".zip") {
		z, err := zip.OpenReader(file)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		for _, f := range z.File {
			if isProgram(f.Name) {
				r, err := f.Open()
				if err != nil {
					return nil, err
				}
				defer r.Close()
				return io.ReadAll(r)
			}
		}
		return nil, errors.New("there is no program in it")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !strings.HasSuffix(file, ".gz") {
		return io.ReadAll(f)
	}
	z, err := gzip.NewReader(f)
	if err != nil || !strings.HasSuffix(file, ".tar.gz") {
		return all(z, err)
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil, errors.New("there is no program in it")
		}
		if err != nil || isProgram(h.Name) {
			return all(t, err)
		}
	}
}

func isProgram(name string) bool {
	return strings.TrimSuffix(path.Base(name), ".exe") == "goproxy-action"
}

func all(r io.Reader, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
