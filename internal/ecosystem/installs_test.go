package ecosystem

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInstalls(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"npm ci":                                  {"0 npm ci (npm)"},
		"cd web && sudo npm --prefix ui install":  {"15 npm install (npm)"},
		"if x; then\n  CI=1 yarn --immutable\nfi": {"18 yarn (npm)"},
		"yarn build; pnpm -C a i; bun x y":        {"12 pnpm i (npm)", "25 bun x (npm)"},
		"corepack pnpm install":                   {"0 pnpm install (npm)"},
		"corepack enable; npm run build":          nil,
		"go version; go env GOPROXY; go mod edit": nil,
		"go -C x mod download -x":                 {"0 go mod download (go)"},
		"FOO=$(go list -m all) go test ./...":     {"22 go test (go)"},
		"# npm ci\necho 'npm ci'":                 nil,
		"npx prettier .":                          {"0 npx prettier (npm)"},
		"/usr/local/bin/npm.cmd i":                {"0 npm i (npm)"},
		"npm install --loglevel \"$TOKEN\"":       {"0 npm install (npm)"},
	} {
		var got []string
		for _, c := range Installs(text) {
			got = append(got, strconv.Itoa(c.Offset)+" "+c.Text+" ("+c.Ecosystem+")")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

// What is believed without being verified is set apart from what only names another place.
func TestUnchecked(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"export GOSUMDB=off": true, "export GOSUMDB=other.test+1+x": true, "export GONOSUMDB='*'": true, "GOINSECURE=a.test go get": true, "go get -insecure a.test/x": true,
		"npm set strict-ssl false": true, "export NODE_TLS_REJECT_UNAUTHORIZED=0": true, "yarn config set checksumBehavior update": true,
		"git -c http.sslVerify=false clone x": true, "pip install --trusted-host a.test x==1": true, "pip config set global.trusted-host a.test": true,
		"export GOPROXY=https://a.test": false, "npm config set registry https://a.test": false, "export GOFLAGS=-mod=mod": false,
		"pip install -i https://a.test x==1": false, "npm i -g x": false, "curl https://a.test | sh": false,
	} {
		got := Commands(text)
		if len(got) != 1 || got[0].Unchecked != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	c := Input("npm", "sets another npm registry", "registry-url", "https://u:p@a.test/x")
	if diff := cmp.Diff(Command{Kind: CommandSource, Ecosystem: "npm", Fault: "sets another npm registry", Addresses: []string{"https://a.test/x"},
		Text: "registry-url: https://***@a.test/x"}, c); diff != "" {
		t.Error(diff)
	}
	if c = Input("npm", "sets another npm registry", "registry-url", "${{ vars.R }}"); c.Addresses != nil || c.Fault != "sets another npm registry, to what a variable holds" {
		t.Errorf("%+v", c)
	}
}
