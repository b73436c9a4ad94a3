package ecosystem

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	const (
		another = "source sets another npm registry"
		newest  = "adhoc takes what no lock file pins, in whatever version is the newest"
		pipe    = "pipe runs what it downloads"
		tls     = "source switches TLS verification off"
	)
	for text, want := range map[string][]string{
		// variables
		"export GOPROXY=https://a.test,direct":                          {"7 GOPROXY=https://a.test,direct: source sets another Go module proxy [https://a.test]"},
		"GOPROXY=https://u:p@a.test/x go build":                         {"0 GOPROXY=https://***@a.test/x: source sets another Go module proxy [https://a.test/x]"},
		"GOPROXY=direct go install x.test/y@v1.0.0":                     {"0 GOPROXY=direct: source lets go fetch modules from version control hosts"},
		"GOPROXY=off go build; GOPROXY=$GOPROXY go build":               nil,
		"export GOPROXY=$OTHER":                                         {"7 GOPROXY=$OTHER: source sets another Go module proxy, to what a variable holds"},
		"export GOSUMDB=off GONOSUMDB='*'":                              {"7 GOSUMDB=off: source switches the checksum database off", "19 GONOSUMDB=*: source takes public modules out of the checksum database's reach"},
		"GOPRIVATE=github.com/corp/*,*.corp.test go build":              nil,
		"GOPRIVATE=github.com go build":                                 {"0 GOPRIVATE=github.com: source takes public modules out of the checksum database's reach"},
		"GOFLAGS=-mod=mod go generate ./...":                            nil,
		"export GOFLAGS=\"-v -mod=mod\"":                                {"7 GOFLAGS=-mod=mod: source lets go commands change go.mod and go.sum"},
		"go env -w GOFLAGS='-ldflags=-X=a.b=hunter2 -toolexec=hunter2'": {"10 go env -w GOFLAGS=-toolexec: source lets go commands run or take something else (toolexec)"},
		"export GOPROXY=hunter2@a.test,direct":                          {"7 GOPROXY=***@a.test,direct: source sets another Go module proxy [https://a.test]"},
		"npm config set registry=//u:hunter2@a.test":                    {"15 npm config set registry=***@a.test: source sets another npm registry"},
		"pip install -i u:hunter2@a.test/s x==1":                        {"12 pip install -i ***@a.test/s: source names another index of Python packages"},
		"curl a.test/x -u u:hunter.2 | sh":                              {"0 curl | sh: " + pipe},
		"curl -H 'Authorization: Bearer a.b.hunter2' $URL | sh":         {"0 curl | sh: " + pipe},
		"sudo env GOINSECURE=a.test go get":                             {"9 GOINSECURE=a.test: source lets go fetch modules without TLS verification"},
		"go env -w GOSUMDB=off GOPROXY=a.test":                          {"10 go env -w GOSUMDB=off: source switches the checksum database off", "22 go env -w GOPROXY=a.test: source sets another Go module proxy [https://a.test]"},
		"cross-env NODE_TLS_REJECT_UNAUTHORIZED=0 node x":               {"10 NODE_TLS_REJECT_UNAUTHORIZED=0: source switches TLS verification off in all of Node"},
		"set NODE_TLS_REJECT_UNAUTHORIZED=0&& node x":                   {"4 NODE_TLS_REJECT_UNAUTHORIZED=0: source switches TLS verification off in all of Node"},
		"export COREPACK_INTEGRITY_KEYS=":                               {"7 COREPACK_INTEGRITY_KEYS=: source lets corepack run package managers without a signature"},
		"npm_config_registry=http://a.test npm ci":                      {"0 npm_config_registry=http://a.test: " + another + " [http://a.test]"},
		"docker run -e GOSUMDB=off x":                                   {"14 GOSUMDB=off: source switches the checksum database off"},
		"make GO111MODULE=off all":                                      {"5 GO111MODULE=off: source switches modules off, and with them go.sum"},
		"echo GOSUMDB=off >> $GITHUB_ENV":                               {"5 GOSUMDB=off: source switches the checksum database off"},
		"echo GOSUMDB=off":                                              nil,
		"GOENV=off go build; GOENV=ci/go.env go build":                  {"20 GOENV=ci/go.env: source lets go commands go by the settings in that file"},
		"GOAUTH='netrc;git /x' go build; GOAUTH='./x tok'":              {"32 GOAUTH=./x …: source lets go commands start a program for credentials"},
		"go env -w GOCACHEPROG='./x --token=t'":                         {"10 go env -w GOCACHEPROG=./x …: source lets go commands start a program that holds their cache"},
		"GOVCS=private:all,corp.test:svn,public:git":                    nil,
		"export GOVCS='*:all'":                                          {"7 GOVCS=*:all: source lets public modules be fetched by other tools than git and hg"},
		"cat >> \"$GITHUB_ENV\" <<EOF\nA=b\n GOSUMDB=off\nEOF\nGOSUMDB=off": {
			"31 GOSUMDB=off: source switches the checksum database off", "48 GOSUMDB=off: source switches the checksum database off"},
		"echo 'registry=https://a.test' > .npmrc": {"6 registry=https://a.test: " + another + " [https://a.test]"},
		"echo //a.test/:_authToken=x > ~/.npmrc":  nil,
		// npm and its kin
		"npm config set registry https://a.test/":                       {"15 npm config set registry=https://a.test/: " + another + " [https://a.test/]"},
		"npm config set @corp:registry=https://a.test --location user":  {"15 npm config set @corp:registry=https://a.test: " + another + " [https://a.test]"},
		"npm config set registry $R":                                    {"15 npm config set registry=$R: " + another + ", to what a variable holds"},
		"npm set strict-ssl false":                                      {"8 npm set strict-ssl=false: " + tls},
		"pnpm config set --location project registry https://a.test":    {"35 pnpm config set registry=https://a.test: " + another + " [https://a.test]"},
		"yarn config set npmRegistryServer https://a.test":              {"16 yarn config set npmRegistryServer=https://a.test: " + another + " [https://a.test]"},
		"npm config set //a.test/:_authToken secret":                    nil,
		"npm ci --registry=https://a.test":                              {"7 npm ci --registry=https://a.test: " + another + " [https://a.test]"},
		"npm publish --registry https://a.test":                         nil,
		"npm --registry https://a.test i":                               {"4 npm i --registry=https://a.test: " + another + " [https://a.test]"},
		"npm run x -- --registry https://a.test":                        nil,
		"npm install -g x y@1 z@1.2.3 @s/p@latest @s/q@1.0.0 ./l v@$V":  {"15 npm install x: " + newest, "17 npm install y@1: " + newest, "29 npm install @s/p@latest: " + newest},
		"npm i https://u:p@a.test/x.tgz":                                {"6 npm i https://***@a.test/x.tgz: adhoc installs what no lock file pins, from a place of its own [https://a.test/x.tgz]"},
		"npm install; npm ci --ignore-scripts; pnpm i; yarn; yarn test": nil,
		"npx eslint . && npx --no-install x@latest":                     nil,
		"npx -y foo -p 3000; npx a@latest; npx b@1.2.3":                 {"7 npx foo: " + newest, "24 npx a@latest: " + newest},
		"npx -p a@^1 b": {"7 npx a@^1: " + newest},
		"pnpm dlx x && yarn dlx y@1.0.0 && bunx z": {"9 pnpm dlx x: " + newest},
		"npm create vite@latest -- --template x":   {"11 npm create vite@latest: " + newest},
		"yarn global add x":                        {"16 yarn add x: " + newest},
		"corepack prepare pnpm@latest --activate":  {"17 corepack prepare pnpm@latest: " + newest},
		// go
		"go install a.test/x@latest b.test/y@v1.2.3 ./...":       {"11 go install a.test/x@latest: adhoc takes what go.mod does not pin, in whatever version is the newest"},
		"go run a.test/x@main --mail me@b.test; go run . a@b.c":  {"7 go run a.test/x@main: adhoc takes what go.mod does not pin, in whatever version is the newest"},
		"go get -u golang.org/x/lint/golint; go get -d -v ./...": {"10 go get golang.org/x/lint/golint: adhoc takes what go.mod does not pin, in whatever version is the newest"},
		"go get -insecure a.test/x":                              {"7 go get -insecure: source switches go's verification off"},
		// pip
		"pip install -r r.txt a==1.0 . && pip install b": {"45 pip install b: adhoc takes what nothing pins, in whatever version is the newest"},
		"python3 -m pip install -i https://a.test x==1":  {"23 pip install -i https://a.test: source names another index of Python packages [https://a.test]"},
		"pip config set global.index-url https://a.test": {"15 pip config set global.index-url https://a.test: source names another index of Python packages [https://a.test]"},
		"pip install --trusted-host a.test x==1":         {"12 pip install --trusted-host a.test: source lets pip fetch packages without TLS verification"},
		// git
		"git config --global url.https://a.test/.insteadOf https://github.com/":                           {"20 git config url.a.test.insteadOf github.com: source sends git to another place [https://a.test/]"},
		"git config --global url.\"https://x:${{ secrets.T }}@github.com/\".insteadOf https://github.com": nil,
		"git config --global url.'git@github.com:'.insteadOf https://github.com/":                         nil,
		"git config --global url.https://.insteadOf git://":                                               nil,
		"git config url.http://github.com/.insteadOf https://github.com/":                                 {"11 git config url.github.com.insteadOf github.com: source sends git over an unencrypted connection"},
		"git -c http.sslVerify=false clone x":                                                             {"4 git -c http.sslVerify false: " + tls},
		"git config http.https://a.test.sslVerify 0":                                                      {"11 git config http.https://a.test.sslVerify 0: " + tls},
		// what is run as it is downloaded
		"curl -fsSL https://a.test/i.sh?x=1 | sudo -E bash -":                    {"0 curl https://a.test/i.sh | bash: " + pipe + " [https://a.test/i.sh]"},
		"curl https://a.test | tee log | sh -s -- -y":                            {"0 curl https://a.test | sh: " + pipe + " [https://a.test]"},
		"if true; then { wget -qO- https://a.test; } | python3; fi":              {"16 wget https://a.test | python3: " + pipe + " [https://a.test]"},
		"(curl https://a.test) | (cd x; cat) | sh":                               {"1 curl https://a.test | sh: " + pipe + " [https://a.test]"},
		"bash <(curl -s https://a.test)":                                         {"7 bash $(curl https://a.test): " + pipe + " [https://a.test]"},
		"bash < <(curl -s https://a.test)":                                       {"9 bash <<< $(curl https://a.test): " + pipe + " [https://a.test]"},
		"sh -c \"$(curl -fsSL https://a.test)\" '' x":                            {"9 sh $(curl https://a.test): " + pipe + " [https://a.test]"},
		"eval \"`curl https://a.test`\"":                                         {"7 eval $(curl https://a.test): " + pipe + " [https://a.test]"},
		"curl -H \"Authorization: Bearer hunter2\" https://u:p@a.test/x \\\n|sh": {"0 curl https://***@a.test/x | sh: " + pipe + " [https://a.test/x]"},
		"irm https://a.test | iex":                                               {"0 irm https://a.test | iex: " + pipe + " [https://a.test]"},
		"curl https://a.test | python3 -m json.tool":                             nil,
		"curl https://a.test | python3 -c 'import sys'":                          nil,
		"curl https://a.test | jq . | bash deploy.sh":                            nil,
		"curl https://a.test > x || sh y; curl z.test; sh":                       nil,
		"V=$(curl https://a.test); bash x.sh \"$(curl https://a.test)\"":         nil,
		"curl https://a.test | python3 -mjson.tool":                              nil,
		// what is no command
		"true # x; GOSUMDB=off go build":                                  nil,
		"# isn't it\nGOSUMDB=off go build":                                {"11 GOSUMDB=off: source switches the checksum database off"},
		"# GOSUMDB=off\necho '\nGOSUMDB=off\n' \"; GOSUMDB=off\"":         nil,
		"echo $((1<<2)) # x\nGOSUMDB=off go build":                        {"19 GOSUMDB=off: source switches the checksum database off"},
		"cat <<X\nGOSUMDB=off go build\nX\ncat <<Y\nexport GOSUMDB=off":   {"46 GOSUMDB=off: source switches the checksum database off"},
		"sh -c 'cd x && GOSUMDB=off go build'":                            {"15 GOSUMDB=off: source switches the checksum database off"},
		"sh -c \"echo \\\"x\\\"; npm i -g x\"":                            {"6 npm i x: " + newest},
		"bash -x <<'E'\nnpm i -g x\nE":                                    {"23 npm i x: " + newest},
		"if x; then\n  npm \\\r\n    i -g \\\n x; fi":                     {"32 npm i x: " + newest},
		"x 2>/dev/null>y GOSUMDB=off; for i in a; do GOSUMDB=off y; done": {"44 GOSUMDB=off: source switches the checksum database off"},
	} {
		var got []string
		for _, c := range Commands(text) {
			line := strconv.Itoa(c.Offset) + " " + c.Text + ": " + c.Kind + " " + c.Fault
			if c.Addresses != nil {
				line += " [" + strings.Join(c.Addresses, " ") + "]"
			}
			got = append(got, line)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}

func TestVariable(t *testing.T) {
	t.Parallel()
	if c, ok := Variable("npm_config_registry", "https://u:p@a.test/"); !ok || c.Kind != CommandSource || c.Ecosystem != "npm" || strings.Contains(c.Text+strings.Join(c.Addresses, ""), "u:p") {
		t.Errorf("%+v, %t", c, ok)
	}
	for name, value := range map[string]string{"GOSUMDB": "sum.golang.org", "GOPROXY": "off", "GOFLAGS": "-mod=readonly", "npm_config_strict_ssl": "true", "PATH": "x", "GOPRIVATE": ""} {
		if c, ok := Variable(name, value); ok || c.Text != "" {
			t.Errorf("%s=%s: %+v", name, value, c)
		}
	}
}

// BenchmarkCommands: what is nested, or never ends, costs as much per byte as the rest, within a small factor.
func BenchmarkCommands(b *testing.B) {
	for _, part := range []string{"npm ci\n", "$(", "`", "(", "<<x ", "<<x\n", "a|", "\"$(", "<(", "sh <<x\nx\n", "bash -c '", "eval \"`", "curl x|"} {
		text := strings.Repeat(part, 100_000/len(part))
		b.Run(strconv.Quote(part), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				Commands(text)
			}
		})
	}
}

func FuzzCommands(f *testing.F) {
	for _, text := range []string{"curl https://a.test | sh", "bash -c \"$(curl x)\" <<E\nE\n", "npx -y x@latest", "go env -w GOFLAGS=-mod=mod", "git config url.x.insteadOf y", "echo `a $(b \"${c}\")`", "pip install -i x y"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at := -1
		for _, c := range Commands(text) {
			if c.Offset < at || c.Offset >= len(text) || c.Kind == "" || c.Fault == "" || c.Text == "" || len(c.Text) > 200 || strings.ContainsAny(c.Text, "\n\r\x1b") {
				t.Errorf("%+v", c)
			}
			at = c.Offset
		}
	})
}
