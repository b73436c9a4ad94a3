package npm

import (
	"slices"
	"strings"

	"github.com/org/goproxy-action/internal/lockfile"
)

// bundles are packages that a lock file says come in the tarballs of others. npm believes it where the package around one
// lists it, or where one that is believed asks for it, and fetches all others; read in npm 11's getBundler, and measured.
type bundles struct {
	// lists are what packages bundle, by key; all that they ask for where the list has "".
	lists map[string]map[string]bool
	said  []bundled
	// believed are those of which it is true, as "name version".
	believed map[string]bool
	// old are those below "dependencies", where nothing says what a package bundles.
	old []lockfile.Entry
}

// What lies in what is bundled nests three or four times. Deeper and longer is what nobody's tool wrote, and not believed.
const (
	maxLevels = 8
	maxKey    = 512
)

// bundled is a package of which it is said.
type bundled struct {
	// key is its place in the lock file, and owner that of the package around it.
	key, owner, name string
	// asking are its requirements.
	asking []mark
	entry  lockfile.Entry
}

// list reads bundleDependencies, a list of names or true.
func (b *bundles) list(s *scanner, key string) bool {
	names := map[string]bool{}
	switch s.peek() {
	case '[':
		if !s.array(func() bool {
			if s.peek() != '"' {
				return s.skip()
			}
			name, ok := s.str()
			names[name] = true
			return ok
		}) {
			return false
		}
	case 't':
		names[""] = true
		fallthrough
	default:
		if !s.skip() {
			return false
		}
	}
	if b.lists == nil {
		b.lists = map[string]map[string]bool{}
	}
	b.lists[key] = names
	return true
}

// unbundled counts those that are believed, and makes entries of the others.
func (s *scanner) unbundled(l *lockfile.Lock) {
	if len(s.bundles.said) == 0 {
		return
	}
	byKey, below, believed, names := map[string]int{}, map[string][]int{}, map[int]bool{}, map[string]bool{}
	var queue []int
	believe := func(i int) {
		if !believed[i] {
			believed[i] = true
			queue = append(queue, i)
		}
	}
	for i, b := range s.bundles.said {
		if len(b.key) > maxKey {
			continue
		}
		byKey[b.key], names[b.name] = i, true
		below[b.owner] = append(below[b.owner], i)
		if list := s.bundles.lists[b.owner]; list[b.name] || list[""] {
			believe(i)
		}
	}
	s.bundles.believed = map[string]bool{}
	end, depth := s.mark(), s.depth
	for ; len(queue) > 0; queue = queue[1:] {
		b := s.bundles.said[queue[0]]
		for _, i := range below[b.key] {
			believe(i)
		}
		for _, at := range b.asking {
			var asked wants
			s.back(at)
			s.wants(&asked, wantKinds[0])
			for name := range asked[0] {
				if !names[name] {
					continue
				}
				from := b.key
				for n := 0; n < maxLevels && from != ""; n++ { // the nearest one is meant
					if i, ok := byKey[from+"/node_modules/"+name]; ok {
						believe(i)
						break
					}
					from = from[:max(strings.LastIndex(from, "/node_modules/"), 0)]
				}
			}
		}
	}
	s.back(end)
	s.depth = depth
	for i, b := range s.bundles.said {
		if believed[i] {
			l.Bundled++
			s.bundles.believed[b.entry.Name+" "+b.entry.Version] = true
		} else {
			l.Entries = append(l.Entries, b.entry)
		}
	}
	if len(believed) < len(s.bundles.said) {
		inOrder(l.Entries)
	}
}

// doubted are those below "dependencies" that are not bundled as "packages" has it: npm ci of npm 6.14.18 fetches them.
func (b *bundles) doubted() []lockfile.Entry {
	return slices.DeleteFunc(b.old, func(e lockfile.Entry) bool { return b.believed[e.Name+" "+e.Version] })
}

// around is the key of the package that one lies in.
func around(key string, inner int) string { return strings.TrimSuffix(key[:inner], "/") }
