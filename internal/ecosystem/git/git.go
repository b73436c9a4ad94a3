// Package git knows how git is told about a proxy without touching a file, by GIT_CONFIG_COUNT, and how files of a
// commit are read without believing the checkout.
package git

import (
	"fmt"
	"strconv"

	"github.com/org/goproxy-action/internal/inject"
	"github.com/org/goproxy-action/internal/problem"
	"github.com/org/goproxy-action/internal/source"
)

// maxConfig is how many settings are read of GIT_CONFIG_COUNT; nobody passes a hundred.
const maxConfig = 1000

// Changes append one setting to git's configuration by the environment, at the next free index: requests to server go
// through proxy, whatever the user's and the system's gitconfig say. What a workflow passes this way already is kept.
// The URL-specific key is used because it beats http.proxy of any file. An existing count that is no number is a
// Problem: with it every git command fails.
func Changes(lookup func(string) (string, bool), server, proxy, why string) ([]inject.Change, error) {
	if server == "" || proxy == "" {
		return nil, nil
	}
	loc, err := source.Locate(server)
	if err != nil || loc.Scheme != "https" {
		return nil, nil
	}
	key := fmt.Sprintf("http.https://%s/.proxy", loc.HostPort())
	count := 0
	if raw, _ := lookup("GIT_CONFIG_COUNT"); raw != "" {
		if count, err = strconv.Atoi(raw); err != nil || count < 0 || count > maxConfig {
			return nil, problem.New(problem.Usage, "GIT_CONFIG_COUNT", "set it to the number of GIT_CONFIG_KEY_n variables, or remove it",
				"%q is no count", source.Plain(raw, 20))
		}
	}
	for i := range count {
		k, _ := lookup(fmt.Sprintf("GIT_CONFIG_KEY_%d", i))
		v, _ := lookup(fmt.Sprintf("GIT_CONFIG_VALUE_%d", i))
		if k == key && v == proxy {
			return nil, nil
		}
	}
	change := func(name, value string) inject.Change {
		return inject.Change{Kind: "env", Ecosystem: source.Git, Name: name, Value: value, Shown: source.Redact(value), Why: why}
	}
	return []inject.Change{
		change(fmt.Sprintf("GIT_CONFIG_KEY_%d", count), key),
		change(fmt.Sprintf("GIT_CONFIG_VALUE_%d", count), proxy),
		change("GIT_CONFIG_COUNT", strconv.Itoa(count+1)),
	}, nil
}
