package npm

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// What a setting decides, as policies see it.
const (
	// aboutRegistry is where packages come from, aboutMirror where the programs around them do.
	aboutRegistry, aboutMirror = "registry", "mirror"
	// aboutProxy is who is asked on the way, aboutAuthority who is trusted there.
	aboutProxy, aboutAuthority = "proxy", "authority"
	// aboutTLS is whether anybody has to prove who he is, aboutHTTP which hosts are asked without TLS.
	aboutTLS, aboutHTTP = "tls", "http"
	aboutCredential     = "credential"
	// aboutFile is which other file is read.
	aboutFile = "redirect"
	// aboutIntegrity is whether what comes is what was locked, aboutProtection any other thing that is checked.
	aboutIntegrity, aboutProtection = "integrity", "protection"
	// aboutCaution is what tools are less careful about by themselves, or write so when they are brought up to date.
	aboutCaution = "caution"
	// aboutProgram is what the tool starts or loads.
	aboutProgram = "program"
	// aboutStore is where the tool keeps what it has downloaded; a caution where that is a directory of the checkout.
	aboutStore = "store"
)

// meaning is what a setting decides and, where a value of it can be wrong by itself, what is wrong with it, in words.
type meaning struct {
	kind  string
	fault func(text string) string
}

func off(fault string) func(string) string { return among(fault, isOff) }
func on(fault string) func(string) string  { return among(fault, isOn) }

func among(fault string, is func(string) bool) func(string) string {
	return func(text string) string {
		if is(text) {
			return fault
		}
		return ""
	}
}

func is(fault string, values ...string) func(string) string {
	return among(fault, func(text string) bool { return slices.Contains(values, text) })
}

// none is a length of time of nothing, in any unit.
func none(fault string) func(string) string { return among(fault, nothing.MatchString) }

// all is a pattern that takes in every name.
func all(fault string) func(string) string {
	return among(fault, func(text string) bool { return text != "" && strings.Trim(text, "*/@") == "" })
}

var nothing = regexp.MustCompile(`^\s*[+-]?0+(?:\.0*)?\s*[a-z]*\s*$`)

func isOff(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "~", "n", "no", "off":
		return true
	}
	return boolean(strings.ToLower(text)) == "false"
}

func isOn(text string) bool { return !isOff(text) }

// plain are the settings of npm, pnpm and yarn 1, by their names with dashes: of npm 11.19's definitions, pnpm 10.34,
// 11.28 and 12.21 (which until 10 took all of its own from an .npmrc, too), and yarn 1.22.
var plain = map[string]meaning{
	"registry":    {kind: aboutRegistry},
	"pnpr-server": {kind: aboutRegistry},
	"disturl":     {kind: aboutMirror},
	"proxy":       {kind: aboutProxy},
	"https-proxy": {kind: aboutProxy},
	"http-proxy":  {kind: aboutProxy},
	"noproxy":     {},
	"cafile":      {kind: aboutAuthority},
	"ca":          {kind: aboutAuthority},
	"strict-ssl":  {aboutTLS, off("switches TLS verification off")},

	"package-lock":                   {aboutProtection, off("keeps versions and hashes from being locked")},
	"shrinkwrap":                     {aboutProtection, off("keeps versions and hashes from being locked")},
	"lockfile":                       {aboutProtection, off("keeps versions and hashes from being locked")},
	"frozen-lockfile":                {aboutProtection, off("lets an install change what the lock file pins")},
	"git-branch-lockfile":            {aboutProtection, on("makes pnpm obey pnpm-lock.BRANCH.yaml, which is not judged")},
	"trust-lockfile":                 {aboutProtection, on("takes a lock file's word for what pnpm would verify")},
	"verify-store-integrity":         {aboutProtection, off("lets changed files of the store be installed")},
	"strict-store-pkg-content-check": {aboutProtection, off("lets a package of another name be installed from the store")},
	"block-exotic-subdeps":           {aboutProtection, off("lets dependencies of dependencies come from git and from addresses")},
	"trust-policy-exclude":           {aboutProtection, all("excludes every package from the trust policy")},
	"minimum-release-age":            {aboutProtection, none("switches the minimum age of releases off")},
	"minimum-release-age-exclude":    {aboutProtection, all("excludes every package from the minimum age of releases")},
	"min-release-age-exclude":        {aboutProtection, all("excludes every package from the minimum age of releases")},
	"dangerously-allow-all-builds":   {aboutProtection, on("lets every package run scripts when it is installed")},
	"dangerously-allow-all-scripts":  {aboutProtection, on("lets every package run scripts when it is installed")},
	"only-built-dependencies":        {aboutProtection, all("lets every package run scripts when it is installed")},
	"allow-scripts":                  {aboutProtection, all("lets every package run scripts when it is installed")},

	"unsafe-disable-integrity-migration":      {aboutProtection, on("keeps yarn from adding the hashes that the lock file lacks")},
	"update-checksums":                        {aboutIntegrity, on("takes what comes for what was locked, whatever its hash")},
	"skip-integrity-check":                    {aboutProtection, on("keeps yarn from comparing what is installed with the lock file")},
	"no-lockfile":                             {aboutProtection, on("keeps versions and hashes from being locked")},
	"trust-policy":                            {aboutCaution, is("accepts releases that prove less about their origin than earlier ones", "off")},
	"minimum-release-age-strict":              {aboutCaution, off("lets young releases in where there is no older one")},
	"minimum-release-age-ignore-missing-time": {aboutCaution, on("lets releases of unknown age in")},
	"min-release-age":                         {aboutCaution, none("asks for no minimum age of releases")},
	"strict-dep-builds":                       {aboutCaution, off("passes over scripts that nobody has allowed")},
	"strict-allow-scripts":                    {aboutCaution, off("passes over scripts that nobody has allowed")},
	"ignore-scripts":                          {aboutCaution, off("asks for the scripts of packages, whatever the machine says")},
	"allow-git":                               {aboutCaution, is("lets packages come from git", "all")},
	"allow-remote":                            {aboutCaution, is("lets packages come from any address", "all")},
	"allow-file":                              {aboutCaution, is("lets packages come from files", "all")},
	"allow-directory":                         {aboutCaution, is("lets packages come from directories", "all")},
	"replace-registry-host":                   {aboutCaution, is("takes what the lock file pins at any host from the registry", "always")},
	"omit-lockfile-registry-resolved":         {aboutCaution, on("keeps the place of packages out of the lock file")},

	"store-dir":       {kind: aboutStore},
	"script-shell":    {kind: aboutProgram},
	"shell":           {kind: aboutProgram},
	"git":             {kind: aboutProgram},
	"node-gyp":        {kind: aboutProgram},
	"python":          {kind: aboutProgram},
	"npm-path":        {kind: aboutProgram},
	"onload-script":   {kind: aboutProgram},
	"node-options":    {kind: aboutProgram},
	"pnpmfile":        {kind: aboutProgram},
	"global-pnpmfile": {kind: aboutProgram},
}

// meaningOf is for a name in the form with dashes; nil where it decides nothing here.
func meaningOf(name string) *meaning {
	m, known := plain[name]
	switch {
	case known:
	case isScope(name):
		m = meaning{kind: aboutRegistry}
	case mirrorName.MatchString(name):
		m = meaning{kind: aboutMirror}
	case slices.Contains(redirects, name):
		m = meaning{kind: aboutFile}
	case secretName.MatchString(name):
		m = meaning{kind: aboutCredential}
	default:
		return nil
	}
	return &m
}

var (
	// mirrorName are the settings by which install scripts download programs: electron_mirror, sass_binary_site, and pnpm's
	// node-mirror:release.
	mirrorName = regexp.MustCompile(`(?i)^(?:[a-z0-9_-]+[_-](?:mirror|binary[_-](?:site|host)|binary[_-]host[_-]mirror|cdnurl)|node-mirror:[a-z-]+)$`)
	// secretName are keys whose values alone open a registry.
	secretName = regexp.MustCompile(`(?i)(?:^|:)(?:_authtoken|_auth|_password|-authtoken|-auth|-password|key)$`)
)

// dashed is pnpm's way from camelCase to the names of an .npmrc.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) {
			if i > 0 {
				b.WriteByte('-')
			}
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// berry are the settings of yarn 2 to 4, as in its 4.18 and 3.8; of both some are gone.
var berry = map[string]meaning{
	"npmRegistryServer":                 {kind: aboutRegistry},
	"npmPublishRegistry":                {kind: aboutRegistry},
	"npmAuditRegistry":                  {kind: aboutRegistry},
	"npmScopes.*.npmRegistryServer":     {kind: aboutRegistry},
	"npmScopes.*.npmPublishRegistry":    {kind: aboutRegistry},
	"npmScopes.*.npmAuditRegistry":      {kind: aboutRegistry},
	"npmAuthToken":                      {kind: aboutCredential},
	"npmAuthIdent":                      {kind: aboutCredential},
	"npmScopes.*.npmAuthToken":          {kind: aboutCredential},
	"npmScopes.*.npmAuthIdent":          {kind: aboutCredential},
	"npmRegistries.*.npmAuthToken":      {kind: aboutCredential},
	"npmRegistries.*.npmAuthIdent":      {kind: aboutCredential},
	"httpProxy":                         {kind: aboutProxy},
	"httpsProxy":                        {kind: aboutProxy},
	"networkSettings.*.httpProxy":       {kind: aboutProxy},
	"networkSettings.*.httpsProxy":      {kind: aboutProxy},
	"httpsCaFilePath":                   {kind: aboutAuthority},
	"caFilePath":                        {kind: aboutAuthority},
	"networkSettings.*.httpsCaFilePath": {kind: aboutAuthority},
	"networkSettings.*.caFilePath":      {kind: aboutAuthority},
	"enableStrictSsl":                   {aboutTLS, off("switches TLS verification off")},
	"unsafeHttpWhitelist":               {aboutHTTP, overHTTP},
	"unsafeHttpWhitelist.[]":            {aboutHTTP, overHTTP},
	"defaultProtocol":                   {aboutFile, among("makes yarn fetch what asks for a version alone from somewhere else than a registry", func(s string) bool { return s != "npm:" })},
	"lockfileFilename":                  {aboutFile, among("makes yarn obey another lock file, which was not read", func(s string) bool { return s != "yarn.lock" })},
	"checksumBehavior":                  {aboutIntegrity, is("lets packages in that are not what was locked", "ignore", "update", "reset")},
	"enableImmutableInstalls":           {aboutProtection, off("lets an install change what the lock file pins")},
	"enableHardenedMode":                {aboutProtection, off("keeps yarn from comparing the lock file with the registry in public pull requests")},
	"enableScripts":                     {aboutCaution, on("lets every package run scripts when it is installed")},
	"npmMinimalAgeGate":                 {aboutCaution, none("switches the minimum age of releases off")},
	"npmScopes.*.npmMinimalAgeGate":     {aboutCaution, none("switches the minimum age of releases off")},
	"npmPreapprovedPackages":            {aboutProtection, all("excludes every package from the minimum age of releases")},
	"npmPreapprovedPackages.[]":         {aboutProtection, all("excludes every package from the minimum age of releases")},
	"approvedGitRepositories":           {aboutCaution, all("approves of every git repository")},
	"approvedGitRepositories.[]":        {aboutCaution, all("approves of every git repository")},
	"yarnPath":                          {kind: aboutProgram},
	"injectEnvironmentFiles":            {kind: aboutProgram},
	"injectEnvironmentFiles.[]":         {kind: aboutProgram},
	"plugins.[]":                        {kind: aboutProgram},
	"plugins.[].path":                   {kind: aboutProgram},
}

func overHTTP(host string) string {
	switch host = strings.TrimSpace(host); {
	case host == "", host == "localhost", host == "127.0.0.1", host == "::1", strings.HasSuffix(host, ".localhost"):
		return ""
	}
	return "lets yarn ask a host without TLS"
}

// bunfig are the settings of bun 1.4.
var bunfig = map[string]meaning{
	"install.registry":                     {kind: aboutRegistry},
	"install.registry.url":                 {kind: aboutRegistry},
	"install.scopes.*":                     {kind: aboutRegistry},
	"install.scopes.*.url":                 {kind: aboutRegistry},
	"install.registry.token":               {kind: aboutCredential},
	"install.registry.password":            {kind: aboutCredential},
	"install.scopes.*.token":               {kind: aboutCredential},
	"install.scopes.*.password":            {kind: aboutCredential},
	"install.cafile":                       {kind: aboutAuthority},
	"install.ca":                           {kind: aboutAuthority},
	"install.ca.[]":                        {kind: aboutAuthority},
	"install.lockfile.path":                {aboutFile, otherLock},
	"install.lockfile.savePath":            {aboutFile, otherLock},
	"install.lockfile.save":                {aboutProtection, off("keeps versions and hashes from being locked")},
	"install.minimumReleaseAge":            {aboutProtection, none("switches the minimum age of releases off")},
	"install.minimumReleaseAgeExcludes.[]": {aboutProtection, all("excludes every package from the minimum age of releases")},
	"install.ignoreScripts":                {aboutCaution, off("asks for the scripts of packages, whatever the machine says")},
	"install.security.scanner":             {kind: aboutProgram},
	"install.cache":                        {kind: aboutStore},
	"install.cache.dir":                    {kind: aboutStore},
	"preload":                              {kind: aboutProgram},
	"preload.[]":                           {kind: aboutProgram},
	"test.preload":                         {kind: aboutProgram},
	"test.preload.[]":                      {kind: aboutProgram},
	"serve.static.plugins":                 {kind: aboutProgram},
	"serve.static.plugins.[]":              {kind: aboutProgram},
}

func otherLock(file string) string {
	if base := path.Base(file); base == "bun.lock" || base == bunBinary {
		return ""
	}
	return "makes bun obey another lock file, which was not read"
}

// workspace are the settings of pnpm-workspace.yaml that are no plain text.
var workspace = map[string]meaning{
	"registries.*":                   {kind: aboutRegistry},
	"named-registries.*":             {kind: aboutRegistry},
	"node-download-mirrors.*":        {kind: aboutMirror},
	"ca.[]":                          {kind: aboutAuthority},
	"allow-builds.*":                 {kind: aboutProtection},
	"minimum-release-age-exclude.[]": plain["minimum-release-age-exclude"],
	"trust-policy-exclude.[]":        plain["trust-policy-exclude"],
	"only-built-dependencies.[]":     plain["only-built-dependencies"],
	"pnpmfile.[]":                    {kind: aboutProgram},
	"config-dependencies.*.tarball":  {kind: aboutRegistry},
}

// classic are the settings of yarn 1 that no other tool has.
var classic = map[string]meaning{
	"yarn-path":              {kind: aboutProgram},
	"cache-folder":           {kind: aboutStore},
	"preferred-cache-folder": {kind: aboutStore},
	"yarnPath":               {kind: aboutProgram},
	"env.NODE_OPTIONS":       {kind: aboutProgram},
	"cwd":                    {kind: aboutFile},
	"use-yarnrc":             {kind: aboutFile},
	"lockfile-folder":        {kind: aboutFile},
	"yarn-offline-mirror":    {aboutCaution, among("takes packages from a directory before any registry is asked", func(s string) bool { return s != "" && s != "false" })},
}
