package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb"
)

// genuine is the key that is built into Go.
const genuine = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

// ops are the client's storage and network. It is kept in memory, which is faster than the files of the go command.
type ops struct {
	relay  string
	http   *http.Client
	mu     sync.Mutex
	files  map[string][]byte
	config map[string][]byte
	asked  atomic.Int64
}

func (o *ops) ReadRemote(path string) ([]byte, error) {
	o.asked.Add(1)
	r, err := o.http.Get(o.relay + "/sumdb/sum.golang.org" + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, r.Status)
	}
	return io.ReadAll(r.Body)
}

func (o *ops) ReadConfig(file string) ([]byte, error) {
	if file == "key" {
		return []byte(genuine), nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.config[file], nil
}

func (o *ops) WriteConfig(file string, old, next []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !bytes.Equal(o.config[file], old) {
		return sumdb.ErrWriteConflict
	}
	o.config[file] = next
	return nil
}

func (o *ops) ReadCache(file string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if data, ok := o.files[file]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (o *ops) WriteCache(file string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files[file] = data
}

func (o *ops) Log(string) {}

func (o *ops) SecurityError(msg string) { fmt.Fprintln(os.Stderr, msg) }

// compare looks every line up, some at once.
func compare(relay, file string, parallel int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	o := &ops{relay: relay, files: map[string][]byte{}, config: map[string][]byte{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}}}
	c := sumdb.NewClient(o)
	c.SetTileHeight(8)
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	work := make(chan string)
	var group sync.WaitGroup
	var mu sync.Mutex
	var faults []error
	for range parallel {
		group.Go(func() {
			for line := range work {
				f := strings.Fields(line)
				found, err := c.Lookup(f[0], f[1])
				if err == nil && !slices.Contains(found, line) {
					err = errors.New("not in the log: " + line)
				}
				if err != nil {
					mu.Lock()
					faults = append(faults, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, line := range lines {
		work <- line
	}
	close(work)
	group.Wait()
	if len(faults) > 0 {
		return fmt.Errorf("%d of %d: %w", len(faults), len(lines), faults[0])
	}
	fmt.Println(len(lines), o.asked.Load())
	return nil
}

// union prints the lines of the go.sum files of some modules, each once, in the order of their first mention.
func union(proxy, wanted string, modules []string) error {
	n, err := strconv.Atoi(wanted)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, m := range modules {
		path, version, _ := strings.Cut(m, "@")
		escaped, err := module.EscapePath(path)
		if err != nil {
			return err
		}
		r, err := client.Get(strings.TrimRight(proxy, "/") + "/" + escaped + "/@v/" + version + ".zip")
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return err
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return fmt.Errorf("%s: %s: %w", m, r.Status, err)
		}
		f, err := z.Open(m + "/go.sum")
		if err != nil {
			return err
		}
		sum, err := io.ReadAll(f)
		f.Close()
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(sum)) {
			if len(seen) < n && !seen[line] && len(strings.Fields(line)) == 3 {
				seen[line] = true
				fmt.Print(line)
			}
		}
	}
	if len(seen) < n {
		return fmt.Errorf("there are %d lines, and %d were asked for", len(seen), n)
	}
	return nil
}
