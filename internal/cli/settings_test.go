package cli_test

import (
	"slices"
	"testing"
)

// A change is told from what was there by the setting and by what the program holds that it names, not by the file alone.
func TestDiffOfSettings(t *testing.T) {
	t.Parallel()
	const yarnrc, yarn, included = ".yarnrc.yml", ".yarn/releases/yarn.cjs", "conf/more.yaml"
	const before = "yarnPath: .yarn/releases/yarn.cjs\nenableHardenedMode: false\n"
	for name, tt := range map[string]struct {
		file, text string
		code       int
		want       []string
	}{
		"nothing": {"other", "x", 0, []string{"NPM003 enableHardenedMode known", "NPM003 lockfile known"}},
		"a setting more": {yarnrc, "enableImmutableInstalls: false\n" + before, 1,
			[]string{"NPM003 enableHardenedMode known", "NPM003 enableImmutableInstalls active", "NPM003 lockfile known"}},
		"a registry": {yarnrc, before + "npmRegistryServer: https://evil.test\n", 1,
			[]string{"NPM001 npmRegistryServer active", "NPM003 enableHardenedMode known", "NPM003 lockfile known"}},
		"what the program holds": {yarn, "// other", 0, []string{"NPM003 enableHardenedMode known", "NPM003 lockfile known", "NPM004 yarnPath active"}},
		"a file that is included": {included, "lockfile: false\ntrustLockfile: true\n", 1,
			[]string{"NPM003 enableHardenedMode known", "NPM003 lockfile known", "NPM003 trustLockfile active"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRepository(t)
			s.file(yarnrc, before)
			s.file(yarn, "// yarn")
			s.file("pnpm-workspace.yaml", "include: {./conf/more.yaml: '*'}\n")
			s.file(included, "lockfile: false\n")
			s.commit()
			s.git("branch", "base")
			s.file(tt.file, tt.text)
			s.commit()
			got, code := s.statuses("--diff", "base")
			got = slices.DeleteFunc(got, func(f string) bool { return f == "NPM004 yarnPath known" })
			if !slices.Equal(got, tt.want) || code != tt.code {
				t.Errorf("exit %d with\n%q, want %d with\n%q", code, got, tt.code, tt.want)
			}
		})
	}
}
