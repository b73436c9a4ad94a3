package config

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/module"
)

// maxAge is ten years: nobody waits longer for a release.
const maxAge = 3660 * 24 * time.Hour

func setAge(ecosystem string) func(*Config, []string, string) *fault {
	return func(c *Config, v []string, origin string) *fault {
		age, fault := parseAge(v[0])
		if fault == nil {
			put(&c.Age, ecosystem, Value[time.Duration]{age, origin})
		}
		return fault
	}
}

func setHeadAge(c *Config, v []string, origin string) *fault {
	age, fault := parseAge(v[0])
	if fault == nil {
		c.HeadAge = Value[time.Duration]{age, origin}
	}
	return fault
}

func parseAge(text string) (time.Duration, *fault) {
	unit := time.Hour
	number, hours := strings.CutSuffix(text, "h")
	if !hours {
		unit = 24 * time.Hour
		number = strings.TrimSuffix(text, "d")
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if age := time.Duration(n) * unit; err == nil && number != text && n > 0 && age <= maxAge {
		return age, nil
	}
	return 0, &fault{why: "is no age", hint: "write whole hours or days, at most ten years, such as 72h or 3d"}
}

func setAgeExclude(c *Config, v []string, origin string) *fault {
	for i, entry := range v {
		for part := range strings.SplitSeq(strings.TrimPrefix(entry, "@"), "/") {
			_, err := path.Match(part, "")
			switch {
			case err != nil || part == "" || strings.ContainsAny(part, ", \t@"):
				return &fault{item: i, why: "names neither modules nor packages", hint: "write it like github.com/corp, left-pad or @corp/*"}
			case strings.Trim(entry, "*?@/") == "":
				return &fault{item: i, why: "takes in everything", hint: "leave age.go or age.npm out where no age is asked for"}
			}
		}
	}
	c.AgeExclude = Value[[]string]{list(v), origin}
	return nil
}

// AnyAge tells whether a module or package may be of any age.
func (c Config) AnyAge(name string) bool {
	return slices.ContainsFunc(c.AgeExclude.V, func(entry string) bool {
		whole, _ := path.Match(entry, name) // was checked when it was read
		return whole || !strings.HasPrefix(entry, "@") && module.MatchPrefixPatterns(entry, name)
	})
}
