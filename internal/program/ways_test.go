package program

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Every way out leads through the gate: what the syntax tree shows of it. Who reads
// this because it failed has made another way out. Take a *gate.Stream, or one of the
// gate's methods; where the gate does not have it yet, it belongs there and into the
// matrix of TestMatrix.
func TestWaysOut_LeadThroughTheGate(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (path == "e2e" || path == "bench" || path == "build" || strings.HasPrefix(entry.Name(), ".") && path != ".") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		room := filepath.ToSlash(filepath.Dir(path))
		ast.Inspect(file, func(n ast.Node) bool {
			if why := wayOut(room, n); why != "" {
				t.Errorf("%s: %s", files.Position(n.Pos()), why)
			}
			return true
		})
		seen++
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("%d files were seen, %v", seen, err)
	}
}

// writers are the rooms that have a field or a parameter of a raw writer, and why that
// is no way out.
var writers = map[string]string{
	"internal/gate":                 "it is the gate",
	"internal/cli":                  "Process is what main hands in, and Main gives to the gate; else they are given a stream",
	"internal/supervise":            "the ends of pipes that a child writes to",
	"internal/kamal":                "the follower stands between the masker and the log",
	"internal/check":                "reports, which are given a stream",
	"internal/edit":                 "likewise",
	"internal/rehearsal":            "what a person is told, which is given a stream",
	"internal/standin":              "connections of stand-ins, to clients that are this program's own children",
	"internal/broker/opclient":      "the op of a child: its output is the child's",
	"internal/hosts/sshname":        "likewise, ssh",
	"internal/github/githubtest":    "of tests",
	"internal/testkit":              "of tests",
	"internal/onepassword/coretest": "of tests",
	"mask":                          "public: the masker's own streams",
	"sshagent":                      "public: the agent's connections",
}

// posts are the rooms that send: github through the gate, deploy what the Docker engine on
// this machine is told, registry an image as it is and no text of ours.
var posts = map[string]bool{
	"internal/github": true, "internal/github/githubtest": true, "internal/standin": true, "internal/deploy": true, "internal/registry": true,
}

// wayOut says what is wrong with a node that is a way out past the gate.
func wayOut(room string, n ast.Node) string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		switch name := dotted(n); {
		case (name == "os.Stdout" || name == "os.Stderr") && room != "internal/program":
			return name + " is for package program alone"
		case strings.HasPrefix(name, "fmt.Print"), strings.HasPrefix(name, "log.Print"), strings.HasPrefix(name, "log.Fatal"):
			return name + " writes past the gate"
		case strings.HasSuffix(name, ".Process.Stdout"), strings.HasSuffix(name, ".Process.Stderr"):
			return name + " is the raw stream"
		case name == "io.Writer" && writers[room] == "":
			return "this room has a raw writer: take a *gate.Stream"
		case name == "http.NewRequest", name == "http.Post", name == "http.PostForm", name == "http.MethodPost", name == "http.MethodPut", name == "http.MethodPatch":
			if !posts[room] {
				return name + ": what is sent passes gate.Transport, in the room github"
			}
		}
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return ""
		}
		switch f.Sel.Name {
		case "Prepared", "MaskCommands", "MaskHelp":
			if room != "internal/ci" {
				return f.Sel.Name + " passes text on as it is, for the room ci alone"
			}
		}
		switch name := dotted(f); {
		case name == "gate.New" && room != "internal/cli":
			return "there is one gate in a run, and Main makes it"
		case name == "github.New" && room != "internal/github" && !mentions(n, "Transport"):
			return "a client of GitHub's has the gate's transport"
		case name == "os.WriteFile" || name == "os.OpenFile" || name == "os.Create":
			if room != "internal/gate" && (mentions(n, "env") || mentions(n, "GITHUB_")) {
				return name + ": files that a CI system names are the gate's"
			}
		}
	}
	return ""
}

// dotted is a selector as it is written, as far as it is names.
func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return dotted(e.X) + "." + e.Sel.Name
	}
	return ""
}

// mentions tells whether a name, or the beginning of a text, is in a call.
func mentions(call *ast.CallExpr, name string) (found bool) {
	for _, arg := range call.Args {
		ast.Inspect(arg, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				found = found || n.Name == name
			case *ast.BasicLit:
				found = found || strings.HasPrefix(n.Value, `"`+name)
			}
			return true
		})
	}
	return found
}

// The rules above do fail.
func TestWaysOut_AreSeen(t *testing.T) {
	for _, text := range []string{
		`fmt.Println("x")`, `os.Stdout.WriteString("x")`, `a.Process.Stdout.Write(nil)`, `log.Prepared("::x")`, `gate.New(o)`,
		`github.New(github.Options{Token: token})`, `os.WriteFile(env["GITHUB_OUTPUT"], nil, 0o600)`, `http.Post(url, "", body)`, `func(w io.Writer) {}`,
	} {
		e, err := parser.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		ast.Inspect(e, func(n ast.Node) bool {
			found = found || n != nil && wayOut("internal/review", n) != ""
			return true
		})
		if !found {
			t.Errorf("%s is not seen", text)
		}
	}
}
