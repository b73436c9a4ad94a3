package catalogue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/org/goproxy-action/internal/source"
)

// Column is one column of the catalogue, and a key of a row in the user's configuration.
type Column struct {
	Name string
	// Doc says what stands in it, in a sentence without a full stop.
	Doc string
	// Allowed are the only values; nil means any.
	Allowed []string
}

// Values of columns that have few.
const (
	yes = "yes"
	no  = "no"
)

// columns in the order of the documentation.
var columns = []Column{
	{"url", "the base address: https, without what is asked for below it", nil},
	{"ecosystem", "what it has packages of", []string{source.Go, source.NPM, source.PyPI, source.Crates, source.Maven}},
	{"role", "what it is, where that does not follow from the ecosystem: checksum-db for a host of the log of Go's checksum database", []string{source.ModuleProxy, source.Registry, source.ChecksumDB}},
	{"operator", "who runs it", nil},
	{"trust", "whether that could be confirmed; what is unconfirmed is off", []string{source.Confirmed, source.Unconfirmed}},
	{"region", "where it is meant for", nil},
	{"claim", "who says so", nil},
	{"checked", "when that was looked up, like 2026-11-22", nil},
	{"relay", "whether it relays Go's checksum database, as far as is known; what counts is the probe", []string{yes, no}},
	{"limits", "what is known of its limits", nil},
	{"off", "why it is never chosen by itself", nil},
}

// Columns is the table of columns. The caller may change the result.
func Columns() []Column { return slices.Clone(columns) }

// Names are the names of the columns, in their order.
func Names() []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

// Fault is why a row is refused.
type Fault struct {
	// Item is the index of the offending cell. Why goes on from its text; where Whole is true, from the row.
	Item  int
	Whole bool
	Why   string
	// Detail may name parts of the text; nil where there is none.
	Detail error
	// Hint is the next step.
	Hint string
}

// maxCell bounds a cell in bytes: it is shown in a table.
const maxCell = 300

// Row makes a source of a row: of the names of its columns with their values, in turn. Each stands there once. The address
// and the ecosystem must be there.
func Row(cells []string, origin string) (source.Source, *Fault) {
	s, _, fault := row(cells, origin)
	return s, fault
}

// row is Row; place is the same for two rows of one place.
func row(cells []string, origin string) (s source.Source, place string, fault *Fault) {
	value, at := map[string]string{}, map[string]int{}
	for i := 0; i+1 < len(cells); i += 2 {
		name, text := cells[i], cells[i+1]
		c := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		_, twice := value[name]
		switch {
		case c < 0:
			return s, "", &Fault{Item: i, Why: "is no column of the catalogue", Hint: "allowed: " + strings.Join(Names(), ", ")}
		case twice:
			return s, "", &Fault{Item: i, Why: "is written twice", Hint: "keep one"}
		case text == "":
			return s, "", &Fault{Item: i, Why: "is empty", Hint: "write a value, or leave it out"}
		case columns[c].Allowed != nil && !slices.Contains(columns[c].Allowed, text):
			return s, "", &Fault{Item: i + 1, Why: "is not allowed as " + name, Hint: "allowed: " + strings.Join(columns[c].Allowed, ", ")}
		case len(text) > maxCell:
			return s, "", &Fault{Item: i, Why: fmt.Sprintf("has more than %d bytes", maxCell), Hint: "say it in fewer words"}
		}
		value[name], at[name] = text, i+1
	}
	for _, name := range [...]string{"url", "ecosystem"} {
		if value[name] == "" {
			return s, "", &Fault{Whole: true, Why: "has no " + name, Hint: "a row needs url and ecosystem"}
		}
	}
	s = source.Source{Ecosystem: value["ecosystem"], Role: value["role"], URL: strings.TrimRight(value["url"], "/"), Origin: origin,
		Operator: value["operator"], Trust: value["trust"], Region: value["region"], Claim: value["claim"], Checked: value["checked"],
		Relay: value["relay"], Limits: value["limits"], Off: value["off"]}
	loc, fault := base(s.URL)
	if fault != nil {
		fault.Item = at["url"]
		return s, "", fault
	}
	s.ID = loc.HostPort()
	if s.Role == "" {
		s.Role = source.Registry
		if s.Ecosystem == source.Go {
			s.Role = source.ModuleProxy
		}
	}
	switch {
	case (s.Role != source.Registry) != (s.Ecosystem == source.Go):
		return s, "", &Fault{Item: at["role"], Why: "is no role of " + s.Ecosystem, Hint: "leave it out, or write checksum-db for a host of the log of Go's checksum database"}
	case s.Relay != "" && s.Role != source.ModuleProxy:
		return s, "", &Fault{Item: at["relay"] - 1, Why: "is said of module proxies alone", Hint: "leave it out"}
	case s.Trust == source.Unconfirmed && s.Off == "":
		return s, "", &Fault{Item: at["trust"], Why: "takes a reason under off", Hint: "write why it is not used, or confirm it"}
	}
	if s.Checked != "" {
		if _, err := time.Parse(time.DateOnly, s.Checked); err != nil {
			return s, "", &Fault{Item: at["checked"], Why: "is no date", Hint: "write it like 2026-11-22"}
		}
	}
	return s, s.Role + " " + s.Ecosystem + " " + loc.String(), nil
}

// base is the canonical form of an address that clients append to.
func base(raw string) (source.Location, *Fault) {
	const shape = "write it like https://host/path"
	loc, err := source.Locate(raw)
	switch {
	case err != nil:
		return loc, &Fault{Why: "is no usable address", Detail: err, Hint: shape}
	case loc.Scheme != "https" && (loc.Scheme != "http" || !loc.Loopback):
		return loc, &Fault{Why: "is not reached over https", Hint: shape + "; http is allowed on this machine's own addresses only"}
	case strings.ContainsAny(raw, "?#,|"):
		return loc, &Fault{Why: "holds a query, a fragment, a comma or a bar, which clients read in different ways", Hint: shape}
	}
	return loc, nil
}

// over is the user's row s for the address of the row known.
func over(s, known source.Source) source.Source {
	s.ID, s.Public = known.ID, known.Public
	for _, field := range []struct{ own, known *string }{
		{&s.Operator, &known.Operator}, {&s.Region, &known.Region}, {&s.Claim, &known.Claim},
		{&s.Checked, &known.Checked}, {&s.Relay, &known.Relay}, {&s.Limits, &known.Limits},
	} {
		*field.own = cmp.Or(*field.own, *field.known)
	}
	return s
}
