package decide

import (
	"encoding/json"
	"io/fs"
	"reflect"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/org/goproxy-action/policy"
)

type schemaNode struct {
	Type                 any                    `json:"type"`
	Ref                  string                 `json:"$ref"`
	Properties           map[string]*schemaNode `json:"properties"`
	AdditionalProperties *bool                  `json:"additionalProperties"`
	Items                *schemaNode            `json:"items"`
	Definitions          map[string]*schemaNode `json:"definitions"`
}

// The schema that policies are checked against has the fields of Input, all of them and no other.
func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(policy.FS(), "schema/input.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schemaNode
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var compare func(path string, typ reflect.Type, node *schemaNode)
	compare = func(path string, typ reflect.Type, node *schemaNode) {
		if name, ok := strings.CutPrefix(node.Ref, "#/definitions/"); ok {
			used[name] = true
			if node = root.Definitions[name]; node == nil {
				t.Errorf("%s: no definition %s", path, name)
				return
			}
		}
		want := any(map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer", reflect.Bool: "boolean", reflect.Slice: "array", reflect.Struct: "object"}[typ.Kind()])
		if typ.Kind() == reflect.Pointer {
			if typ = typ.Elem(); typ.Kind() == reflect.Struct {
				want = "object"
			} else {
				want = []any{"boolean", "null"}
			}
		}
		if !reflect.DeepEqual(node.Type, want) {
			t.Errorf("%s: schema says %v, Go says %v", path, node.Type, want)
		}
		switch typ.Kind() {
		case reflect.Slice:
			compare(path+"[]", typ.Elem(), node.Items)
		case reflect.Struct:
			if node.AdditionalProperties == nil || *node.AdditionalProperties {
				t.Errorf("%s: additionalProperties is not false", path)
			}
			fields := map[string]reflect.Type{}
			for _, f := range reflect.VisibleFields(typ) {
				if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
					fields[name] = f.Type
				} else if !f.Anonymous && name != "-" {
					t.Errorf("%s: field %s has no name in JSON", path, f.Name)
				}
			}
			for name, ft := range fields {
				if node.Properties[name] == nil {
					t.Errorf("%s.%s is not in the schema", path, name)
					continue
				}
				compare(path+"."+name, ft, node.Properties[name])
			}
			for name := range node.Properties {
				if fields[name] == nil {
					t.Errorf("%s.%s is in the schema and not in Go", path, name)
				}
			}
		}
	}
	compare("input", reflect.TypeFor[Input](), &root)
	for name := range root.Definitions {
		if !used[name] {
			t.Errorf("definition %s is not used", name)
		}
	}
}

// No policy reaches the network, the machine or another policy's text.
func TestCapabilities(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{false, true} {
		c, err := newCompiler(policy.FS(), checked)
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Capabilities().AllowNet; n == nil || len(n) > 0 {
			t.Errorf("AllowNet is %v", n)
		}
		for _, b := range c.Capabilities().Builtins {
			if denied[b.Name] || strings.HasPrefix(b.Name, "http.") || strings.HasPrefix(b.Name, "opa.") || strings.Contains(b.Name, "lookup") {
				t.Errorf("policies may call %s", b.Name)
			}
		}
	}
	known := map[string]bool{}
	for _, b := range ast.Builtins {
		known[b.Name] = true
	}
	for name := range denied {
		if !known[name] {
			t.Errorf("OPA has no builtin %s any more", name)
		}
	}
}
