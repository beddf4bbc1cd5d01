package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What opens a connection, or asks a name server.
var opens = regexp.MustCompile(`http\.Client\{|http\.DefaultClient|net\.Dialer\{|net\.Dialer\)|net\.Dial\(|tls\.Dial|ssh\.Dial\(|\.LookupHost\b|sdk\.NewClient|https?\)\.request\(`)

// Each file that opens connections, and the words of docs/install.md for where they
// lead.
var talking = map[string][]string{
	"internal/onepassword/connect.go":        {"the Connect server"},
	"internal/onepassword/serviceaccount.go": {"my.1password.com"},
	"internal/github/client.go":              {"api.github.com"},
	"internal/jobs/jobs.go":                  {"api.buildkite.com", "circleci.com", "CI_API_V4_URL"},
	"internal/hosts/attempt.go":              {"the servers of `deploy.yml`"},
	"internal/hosts/login.go":                {"the machine's name servers"},
	"internal/deploy/hosts.go":               {"the machine's name servers"},
	"internal/deploy/container.go":           {"the Docker engine"},
	"internal/deploy/docker.go":              {"the Docker engine"},
	"internal/review/readycheck.go":          {"the host of a preview"},
	"internal/watch/certificate.go":          {"the hosts of `proxy`"},
	"internal/registry/probe.go":             {"the registries of both destinations"},
	"native/download.js":                     {"github.com", "release-assets.githubusercontent.com"},
}

// Hosts that stand in the code and are asked nothing: names of formats, links for
// people, and what a system or a registry is called elsewhere.
var toldOnly = []string{
	"json-schema.org", "raw.githubusercontent.com", "json.schemastore.org", "status.1password.com", "buildkite.com", "index.docker.io",
}

// addressTable is what docs/install.md says a run talks to.
func addressTable(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n## What a run talks to\n")
	table, _, ok2 := strings.Cut(rest, "\n## ")
	if !ok || !ok2 {
		t.Fatal("docs/install.md does not say what a run talks to")
	}
	return table
}

// sourceFiles calls a function with each file of the program and of the launcher; what
// stands in for others in rehearsals and tests is not part of a run.
func sourceFiles(t *testing.T, each func(path, text string)) {
	t.Helper()
	comment := regexp.MustCompile(`(?m)^\s*//.*`)
	for _, dir := range []string{"internal", "mask", "sshagent", "native", "setup"} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && slices.Contains([]string{"testkit", "testdata", "githubtest", "standin", "rehearsal"}, entry.Name()) {
				return fs.SkipDir
			}
			if ext := filepath.Ext(path); ext != ".js" && (ext != ".go" || strings.HasSuffix(path, "_test.go")) {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil {
				each(path, comment.ReplaceAllString(string(text), ""))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A firewall needs to know where a run's connections lead: no file opens one that
// docs/install.md does not tell.
func TestAddresses_EveryConnectionIsTold(t *testing.T) {
	table := addressTable(t)
	missing := maps.Clone(talking)
	sourceFiles(t, func(path, text string) {
		if !opens.MatchString(text) {
			return
		}
		if _, ok := talking[path]; !ok {
			t.Errorf("%s opens connections (%s): say where to, in docs/install.md and here", path, opens.FindString(text))
		}
		delete(missing, path)
	})
	for path := range missing {
		t.Errorf("%s opens no connection", path)
	}
	for path, words := range talking {
		for _, word := range words {
			if !strings.Contains(table, word) {
				t.Errorf("docs/install.md does not tell of %q, to which %s connects", word, path)
			}
		}
	}
}

// Every host that stands in the code is in the list, or is asked nothing.
func TestAddresses_EveryHostIsTold(t *testing.T) {
	table := addressTable(t)
	address := regexp.MustCompile(`https?://([a-z0-9-]+(?:\.[a-z0-9-]+)+)(/\S*)?`)
	unseen := slices.Clone(toldOnly)
	seen := 0
	check := func(path, text string) {
		for _, m := range address.FindAllStringSubmatch(text, -1) {
			host := m[1]
			switch {
			case slices.Contains(toldOnly, host):
				unseen = slices.DeleteFunc(unseen, func(h string) bool { return h == host })
			case host == "docs.github.com" || strings.HasSuffix(host, ".example.com") || host == "example.com" || net4(host):
			case !strings.Contains(table, "`"+host+"`"):
				t.Errorf("%s has %s, which docs/install.md does not tell", path, host)
			default:
				seen++
			}
		}
	}
	sourceFiles(t, func(path, text string) {
		if filepath.Ext(path) == ".js" {
			check(path, text)
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if value, err := strconv.Unquote(lit.Value); err == nil {
					check(path, value)
				}
			}
			return true
		})
	})
	if seen < 3 || len(unseen) > 0 {
		t.Errorf("%d hosts were seen, and not %q", seen, unseen)
	}
}

// net4 says whether a host is an address of numbers, such as that of this machine.
func net4(host string) bool { return regexp.MustCompile(`^[0-9.]+$`).MatchString(host) }
