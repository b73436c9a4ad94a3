package main

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	lockVersion  = regexp.MustCompile(`(?m)^\s+"lockfileVersion": (\d)`)
	pnpmVersion  = regexp.MustCompile(`(?m)^lockfileVersion: '?(\d)`)
	berryVersion = regexp.MustCompile(`(?m)^__metadata:\n  version: "?(\d+)`)
	bunVersion   = regexp.MustCompile(`"lockfileVersion": (\d)`)
)

// formatOf is the row of the table that a file belongs to; empty for a file in which nothing is planted.
func formatOf(t *text) string {
	head := string(t.bytes())
	version := func(e *regexp.Regexp) string {
		if m := e.FindStringSubmatch(head); m != nil {
			return m[1]
		}
		return ""
	}
	switch base := path.Base(t.path); base {
	case "package-lock.json", "npm-shrinkwrap.json":
		return strings.TrimSuffix(base, ".json") + " " + version(lockVersion)
	case "modules.txt":
		return "vendor/modules.txt"
	case "config":
		return ".git/config"
	case "yarn.lock":
		if v := version(berryVersion); v != "" {
			return "yarn berry"
		}
		return "yarn 1"
	case "pnpm-lock.yaml":
		return "pnpm " + version(pnpmVersion)
	case "bun.lock":
		return "bun " + version(bunVersion)
	case "action.yml", "action.yaml":
		return "action.yml"
	default:
		if path.Base(path.Dir(t.path)) == "workflows" {
			return "workflow"
		}
		return base
	}
}

// recipes are all of them.
func recipes() []recipe {
	return slices.Concat(lockRecipes(), goRecipes(), settingRecipes(), gitRecipes(), workflowRecipes())
}
