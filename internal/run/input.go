package run

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/org/goproxy-action/internal/choose"
	"github.com/org/goproxy-action/internal/decide"
	"github.com/org/goproxy-action/internal/detect"
	"github.com/org/goproxy-action/internal/lockfile"
	"github.com/org/goproxy-action/internal/source"
)

// data is what policies read beside the input: the hosts that are trusted.
func (j *job) data() decide.Data {
	d := decide.Data{Builtin: map[string]map[string]bool{}, OfficialUnknown: map[string]bool{}, Trusted: map[string]map[string]bool{}, TrustedSet: map[string]bool{},
		DirectDenied: !j.config.Direct.V, AddressesSet: j.config.Addresses.Given(), RequireAddress: j.config.RequireAddress.V, Addresses: []string{}}
	for _, e := range j.systems {
		hosts := map[string]bool{}
		for _, s := range e.Catalogue {
			if loc, err := source.Locate(s.URL); err == nil && s.Origin == source.Builtin && s.Off == "" {
				hosts[loc.HostPort()] = true
			}
		}
		for _, s := range e.SumDB {
			if loc, err := source.Locate(s.URL); err == nil && s.Origin == source.Builtin && s.Off == "" {
				hosts[loc.HostPort()] = true
			}
		}
		for _, host := range e.Trusted {
			hosts[host] = true
		}
		d.Builtin[e.Name] = hosts
		d.OfficialUnknown[e.Name] = !slices.ContainsFunc(e.Catalogue, func(s source.Source) bool { return s.ID == source.Official })
	}
	for _, e := range j.others {
		d.Builtin[e.Name] = map[string]bool{}
		for _, host := range e.Trusted {
			d.Builtin[e.Name][host] = true
		}
	}
	for eco, list := range j.config.Trusted {
		d.TrustedSet[eco] = true
		d.Trusted[eco] = map[string]bool{}
		for _, h := range list.V {
			d.Trusted[eco][h] = true
		}
	}
	for _, p := range j.config.Addresses.V {
		d.Addresses = append(d.Addresses, p.String())
	}
	return d
}

// judgeAddress refuses addresses outside the allowlist before they are dialled; nil where there is none.
func (j *job) judgeAddress() func(netip.Addr) error {
	if !j.config.Addresses.Given() {
		return nil
	}
	return func(ip netip.Addr) error {
		if ip.IsLoopback() || slices.ContainsFunc(j.config.Addresses.V, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
			return nil
		}
		return fmt.Errorf("%s is not in trusted.addresses", ip)
	}
}

// input builds the document that policies judge: the facts as they are (plan nil), or as they will be after the plan.
func (j *job) input(plan *choose.Plan, seen *detect.Report) (decide.Input, error) {
	in := decide.Input{Schema: decide.Schema, Scope: j.Scope, Network: decide.Network{Class: string(detect.Unknown)},
		Run:     decide.Run{Front: j.Front.Name, Event: j.Front.Event, Base: j.baseSaid},
		Sources: []decide.Source{}, Settings: []decide.Setting{}, Entries: []decide.Group{}, Flagged: []decide.Flagged{}, Workflows: []decide.Action{}, Each: j.each}
	if in.Each {
		in.Packages = []decide.Package{}
	}
	if seen != nil {
		in.Network = decide.Network{Class: string(seen.Class), Intercepted: seen.Intercepted.Bool()}
	}
	for _, e := range slices.Concat(j.systems, j.others) {
		var after *choose.Choice
		if plan != nil {
			for i := range plan.Choices {
				if plan.Choices[i].Ecosystem == e.Name {
					after = &plan.Choices[i]
				}
			}
		}
		e.Fill(&in, after)
		if j.log != nil && e.Log != nil && in.Go != nil {
			in.Go.Log = j.log.fact(e.Log)
		}
	}
	in.Flagged = append(in.Flagged, j.said...)
	if seen != nil {
		for i := range in.Sources {
			seenAddress(&in.Sources[i], seen.Rows)
		}
	}
	return in, j.originate(&in)
}

// originate tells what the base commit names already from what the change introduces.
func (j *job) originate(in *decide.Input) error {
	if j.base == nil {
		return nil
	}
	for _, e := range slices.Concat(j.systems, j.others) {
		hosts, err := e.Hosts(j.base)
		if err != nil {
			return err
		}
		origin := func(name string) string {
			if hosts[name] {
				return source.Base
			}
			return source.Change
		}
		hostPort := func(p decide.Place) string { return source.Location{Host: p.Host, Port: p.Port}.HostPort() }
		for i := range in.Entries {
			if g := &in.Entries[i]; g.Ecosystem == e.Name && g.Origin == source.Checkout {
				g.Origin = origin(hostPort(g.Place))
			}
		}
		for i := range in.Settings {
			s := &in.Settings[i]
			switch {
			case s.Ecosystem != e.Name || s.Origin != source.Checkout || filepath.IsAbs(s.File): // of no commit, like .git/config
			case s.Place != nil && s.Place.Broken == "":
				s.Origin = origin(hostPort(*s.Place))
			case s.Key != "":
				s.Origin = origin(s.Key)
			case j.changed[s.File]: // what has neither host nor key is told by its file
				s.Origin = source.Change
			default:
				s.Origin = source.Base
			}
		}
		for i := range in.Sources {
			if s := &in.Sources[i]; s.Ecosystem == e.Name && s.Origin == source.Checkout {
				s.Origin = origin(hostPort(s.Place))
			}
		}
		in.Originate(e.Name, func(key string, from *string) {
			if *from == source.Checkout {
				*from = origin(key)
			}
		})
	}
	return nil
}

// seenAddress takes the addresses of a source from the row that was measured.
func seenAddress(s *decide.Source, rows []detect.Row) {
	for _, r := range rows {
		loc, err := source.Locate(r.Source.URL)
		if err != nil || loc.HostPort() != (source.Location{Host: s.Host, Port: s.Port}).HostPort() || (s.Via == detect.ViaProxy && r.Via == detect.ViaDirect) {
			continue
		}
		if s.Via == "unknown" || s.Via == "" {
			s.Via = r.Via
		}
		switch {
		case r.Via == detect.ViaProxy && s.Via == detect.ViaProxy:
			s.Addresses = "behind-proxy"
		case len(r.IPs) > 0:
			s.Addresses, s.IPs = "known", r.IPs
		default:
			s.Addresses = "no-answer"
		}
		return
	}
}

// resolveTimeout bounds check's name look-ups, which run side by side.
const resolveTimeout = 2 * time.Second

// resolve looks up the addresses of sources for the allowlist, where they are not behind a proxy.
func (j *job) resolve(ctx context.Context, sources []decide.Source) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	var wait sync.WaitGroup
	for i := range sources {
		s := &sources[i]
		if s.Host == "" || s.Loopback || (slices.Contains([]string{source.Base, source.Checkout, source.Change}, s.Origin) &&
			!j.listed(source.Source{Ecosystem: s.Ecosystem, URL: s.URL})) {
			continue // what a checkout names is not even resolved before a list has it
		}
		if proxy, err := j.proxies.For(s.URL); err != nil || proxy != nil {
			s.Via, s.Addresses = detect.ViaProxy, "behind-proxy"
			continue
		}
		wait.Go(func() {
			s.Via, s.Addresses = detect.ViaDirect, "no-answer"
			ips, err := j.Dialer.Addresses(ctx, s.Host)
			if err != nil || len(ips) == 0 {
				return
			}
			s.Addresses, s.IPs = "known", nil
			for _, ip := range ips {
				s.IPs = append(s.IPs, ip.String())
			}
		})
	}
	wait.Wait()
}

// permitted asks the policies which of some sources they accept, by name or, where rows are given, by address.
func (j *job) permitted(ctx context.Context, engine *decide.Engine, sources []source.Source, rows []detect.Row) (map[string]bool, error) {
	in := decide.Input{Schema: decide.Schema, Scope: j.Scope, Network: decide.Network{Class: string(detect.Unknown)},
		Run: decide.Run{Front: j.Front.Name, Event: j.Front.Event, Base: j.baseSaid}, Settings: []decide.Setting{}, Entries: []decide.Group{}, Flagged: []decide.Flagged{}, Workflows: []decide.Action{}}
	in.Sources = make([]decide.Source, 0, len(sources))
	for i, s := range sources {
		d := decide.Source{Place: decide.PlaceOf(s.URL), ID: s.ID, Ecosystem: s.Ecosystem, Role: s.Role, Origin: s.Origin, Via: "unknown",
			IPs: []string{}, Addresses: "not-asked", Setting: "candidate", Position: lockfile.Position{Line: i + 1}}
		if rows != nil {
			seenAddress(&d, rows)
		}
		in.Sources = append(in.Sources, d)
	}
	findings, err := engine.Eval(ctx, in)
	if err != nil {
		return nil, err
	}
	allowed := map[string]bool{}
	for _, s := range sources {
		allowed[s.URL] = true
	}
	for _, f := range findings {
		// the line carries which source is meant; a question that has no answer yet is no refusal
		if f.Severity == decide.Error && f.Status == decide.Active && strings.HasPrefix(f.ID, "SRC") && f.Line >= 1 && f.Line <= len(sources) {
			allowed[sources[f.Line-1].URL] = false
		}
	}
	return allowed, nil
}
