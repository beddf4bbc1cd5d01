package edit

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/projectfile"
)

// Every form in which the project file may have names is one that add, rename and
// remove change, or refuse by its line; all other bytes stay.
func TestProjectFile_EveryForm(t *testing.T) {
	const config = "service: a\nimage: a\nservers: [a]\nenv: {secret: [OLD, B]}\n"
	tests := map[string]struct {
		text, add, rename, remove string
		refused                   string // what all three say
		addRefused                string
	}{
		"pairs": {
			text:   "# ours\nsecrets: # these\n  OLD: op://V/I/OLD # old\n\n  B:   \"op://V/I/B\"\ntimeout: 15m\n",
			add:    "# ours\nsecrets: # these\n  OLD: op://V/I/OLD # old\n\n  B:   \"op://V/I/B\"\n  N: \"op://V/I/N\"\ntimeout: 15m\n",
			rename: "# ours\nsecrets: # these\n  NEW: op://V/I/NEW # old\n\n  B:   \"op://V/I/B\"\ntimeout: 15m\n",
			remove: "# ours\nsecrets: # these\n\n  B:   \"op://V/I/B\"\ntimeout: 15m\n",
		},
		"a list": {
			text:   "secret:\n- 'OLD=op://V/I/OLD'\n- B=op://V/My Item/section/B # b\npublic:\n- OLD\n- B\n",
			add:    "secret:\n- 'OLD=op://V/I/OLD'\n- B=op://V/My Item/section/B # b\n- N=op://V/My Item/section/N\npublic:\n- OLD\n- B\n",
			rename: "secret:\n- 'NEW=op://V/I/NEW'\n- B=op://V/My Item/section/B # b\npublic:\n- NEW\n- B\n",
			remove: "secret:\n- B=op://V/My Item/section/B # b\npublic:\n- B\n",
		},
		"a text": {
			text:   "secrets: |\n  # OLD is old\n  OLD=op://V/I/OLD\n  B=op://V/I/B\n\nallow-empty: |\n  B OLD\n  C\n",
			add:    "secrets: |\n  # OLD is old\n  OLD=op://V/I/OLD\n  B=op://V/I/B\n  N=op://V/I/N\n\nallow-empty: |\n  B OLD\n  C\n",
			rename: "secrets: |\n  # OLD is old\n  NEW=op://V/I/NEW\n  B=op://V/I/B\n\nallow-empty: |\n  B NEW\n  C\n",
			remove: "secrets: |\n  # OLD is old\n  B=op://V/I/B\n\nallow-empty: |\n  B\n  C\n",
		},
		"in brackets": {
			text:   "secrets: [OLD=op://V/I/OLD, \"B=op://V/I/B\"] # two\npublic: [B, OLD]\nallow-reference: [OLD]\n",
			add:    "secrets: [OLD=op://V/I/OLD, \"B=op://V/I/B\", \"N=op://V/I/N\"] # two\npublic: [B, OLD]\nallow-reference: [OLD]\n",
			rename: "secrets: [NEW=op://V/I/NEW, \"B=op://V/I/B\"] # two\npublic: [B, NEW]\nallow-reference: [NEW]\n",
			remove: "secrets: [\"B=op://V/I/B\"] # two\npublic: [B]\n",
		},
		"in braces": {
			text:   "secrets: {B: op://V/I/B, OLD: op://V/I/OLD}\n",
			add:    "secrets: {B: op://V/I/B, OLD: op://V/I/OLD, N: op://V/I/N}\n",
			rename: "secrets: {B: op://V/I/B, NEW: op://V/I/NEW}\n",
			remove: "secrets: {B: op://V/I/B}\n",
		},
		"behind the key": {
			text:       "secret: OLD=op://V/I/OLD\npublic: \"OLD, B\"\ntimeout: 1m\n",
			addRefused: "at .kamal/kamal-op.yml:1:1",
			rename:     "secret: NEW=op://V/I/NEW\npublic: \"NEW, B\"\ntimeout: 1m\n",
			remove:     "public: \"B\"\ntimeout: 1m\n",
		},
		"the only one": {
			text:   "timeout: 1m\nsecrets:\n  OLD: op://V/I/OLD",
			add:    "timeout: 1m\nsecrets:\n  OLD: op://V/I/OLD\n  N: op://V/I/N",
			rename: "timeout: 1m\nsecrets:\n  NEW: op://V/I/NEW",
			remove: "timeout: 1m",
		},
		"each destination for itself": {
			text:   "secrets:\n  OLD: op://V/P/OLD\n  B: op://V/P/B\ndestinations:\n  eu:\n    secrets:\n      OLD: op://V/E/OLD\n    allow-empty: OLD\n  us:\n    ssh-user: u\n",
			add:    "secrets:\n  OLD: op://V/P/OLD\n  B: op://V/P/B\n  N: op://V/P/N\ndestinations:\n  eu:\n    secrets:\n      OLD: op://V/E/OLD\n      N: op://V/E/N\n    allow-empty: OLD\n  us:\n    ssh-user: u\n",
			rename: "secrets:\n  NEW: op://V/P/NEW\n  B: op://V/P/B\ndestinations:\n  eu:\n    secrets:\n      NEW: op://V/E/NEW\n    allow-empty: NEW\n  us:\n    ssh-user: u\n",
			remove: "secrets:\n  B: op://V/P/B\ndestinations:\n  eu:\n  us:\n    ssh-user: u\n",
		},
		"letters of more than a byte": {
			text:   "secrets:\n  OLD: op://Bücher/Größe/OLD # ö\n  \"B\": op://Bücher/Größe/B\n",
			add:    "secrets:\n  OLD: op://Bücher/Größe/OLD # ö\n  \"B\": op://Bücher/Größe/B\n  N: op://Bücher/Größe/N\n",
			rename: "secrets:\n  NEW: op://Bücher/Größe/NEW # ö\n  \"B\": op://Bücher/Größe/B\n",
			remove: "secrets:\n  \"B\": op://Bücher/Größe/B\n",
		},
		"loaded by an earlier step": {
			text:   "secrets:\n  OLD: env://OLD\n  B: env://B\n",
			add:    "secrets:\n  OLD: env://OLD\n  B: env://B\n  N: env://N\n",
			rename: "secrets:\n  NEW: env://OLD\n  B: env://B\n",
			remove: "secrets:\n  B: env://B\n",
		},
		"an anchor":           {text: "timeout: 1m\nsecrets: &s\n  OLD: op://V/I/OLD\n", refused: "at .kamal/kamal-op.yml:2:1"},
		"a folded text":       {text: "timeout: 1m\nsecrets: >\n  OLD=op://V/I/OLD\n", refused: "at .kamal/kamal-op.yml:2:1"},
		"an escape":           {text: "secrets:\n  \"\\x4fLD\": op://V/I/OLD\n  B: op://V/I/B\n  C: \"op://V/I/OLD\\x20\"\n", addRefused: "at .kamal/kamal-op.yml:2:1", refused: "at .kamal/kamal-op.yml:2:1"},
		"all of it in braces": {text: "{secrets: {OLD: op://V/I/OLD}}\n", refused: "at .kamal/kamal-op.yml:1:1"},
		"no YAML":             {text: "secrets: [\n", refused: "is not YAML"},
	}
	does := map[string]func(o check.Options) (Plan, error){
		"add":    func(o check.Options) (Plan, error) { return Add(context.Background(), o, Addition{Name: "N"}) },
		"rename": func(o check.Options) (Plan, error) { return Rename(o, "OLD", "NEW") },
		"remove": func(o check.Options) (Plan, error) { return Remove(o, "OLD") },
	}
	for name, test := range tests {
		for _, eol := range []string{"\n", "\r\n"} {
			for command, do := range does {
				t.Run(name+", "+command+strings.TrimPrefix(eol, "\n"), func(t *testing.T) {
					text := strings.ReplaceAll(test.text, "\n", eol)
					o := check.Options{Dir: project(t, map[string]string{
						"config/deploy.yml": config, "config/deploy.eu.yml": "servers: [b]\n", "config/deploy.us.yml": "servers: [c]\n", projectfile.Name: text,
					})}
					want := strings.ReplaceAll(map[string]string{"add": test.add, "rename": test.rename, "remove": test.remove}[command], "\n", eol)
					refused := test.refused
					if command == "add" && test.addRefused != "" {
						refused = test.addRefused
					}
					plan, err := do(o)
					if refused != "" {
						if err == nil || !strings.Contains(whole(err), refused) {
							t.Errorf("%v does not say %q; %v", err, refused, plan.Changes)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					got := ""
					for _, c := range plan.Changes {
						if c.File == projectfile.Name {
							got = c.New
						}
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Error(diff)
					}
				})
			}
		}
	}
}

// whole is an error with its places.
func whole(err error) string {
	var b strings.Builder
	for _, p := range problem.Of(err) {
		b.WriteString(p.Error() + " at " + p.Place.String() + "\n")
	}
	return b.String()
}

// What the project file declares goes with the secrets files, the workflows and the
// destinations: no name is left in one of them that another has lost.
func TestProjectFile_WithTheOtherPlaces(t *testing.T) {
	const (
		config   = "service: a\nimage: a\nservers: [a]\nenv: {secret: [OLD]}\n"
		declared = "secrets:\n  OLD: op://V/I/OLD\n"
		own      = declared + "destinations:\n  eu:\n    secrets:\n      OLD: op://V/E/OLD\n"
		bare     = "jobs:\n  d:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n"
		step     = bare + "        with:\n          secrets: |\n            OLD=op://V/I/OLD\n"
		workflow = ".github/workflows/d.yml"
	)
	add := func(a Addition) func(check.Options) (Plan, error) {
		return func(o check.Options) (Plan, error) { return Add(context.Background(), o, a) }
	}
	rename := func(o check.Options) (Plan, error) { return Rename(o, "OLD", "NEW") }
	remove := func(o check.Options) (Plan, error) { return Remove(o, "OLD") }
	renamed := strings.ReplaceAll(declared, "OLD", "NEW")
	tests := map[string]struct {
		files       map[string]string
		destination string
		do          func(check.Options) (Plan, error)
		want        map[string]string // beside config/deploy.yml
		note, todo  string
		err         string
	}{
		"a whole item needs no line": {
			files: map[string]string{projectfile.Name: "secrets: op://V/I\n"}, do: add(Addition{Name: "N"}),
			note: ".kamal/kamal-op.yml:1:10 declares all of op://V/I: its field N needs no line", todo: "add field N to op://V/I",
		},
		"of two whole items one is to be said": {
			files: map[string]string{projectfile.Name: "secrets: [op://V/I, op://V/J]\n"}, do: add(Addition{Name: "N"}), err: "declares more than one item",
		},
		"one of two whole items": {
			files: map[string]string{projectfile.Name: "secrets: [op://V/I, op://V/J]\n"}, do: add(Addition{Name: "N", Item: "op://V/J"}), note: "all of op://V/J",
		},
		"another item than the whole one": {
			files: map[string]string{projectfile.Name: "secrets: [op://V/I]\n"}, do: add(Addition{Name: "N", Item: "op://V/J/x"}),
			want: map[string]string{projectfile.Name: "secrets: [op://V/I, N=op://V/J/x]\n"}, todo: "add field x to op://V/J",
		},
		"the field of a whole item is renamed": {
			files: map[string]string{projectfile.Name: "secrets: op://V/I\n"}, do: rename, todo: "rename field OLD of op://V/I to NEW",
		},
		"the field of a whole item is free": {
			files: map[string]string{projectfile.Name: "secrets: op://V/I\n"}, do: remove, todo: "remove field OLD from op://V/I",
		},
		"an item that is given holds for all": {
			files: map[string]string{projectfile.Name: own, "config/deploy.eu.yml": "servers: [b]\n"}, do: add(Addition{Name: "N", Item: "op://V/J"}),
			want: map[string]string{projectfile.Name: strings.Replace(own, "destinations", "  N: op://V/J/N\ndestinations", 1)},
		},
		"for one destination": {
			files: map[string]string{projectfile.Name: own, "config/deploy.eu.yml": "env: {secret: [OLD]}\n"}, destination: "eu", do: add(Addition{Name: "N"}),
			want: map[string]string{projectfile.Name: own + "      N: op://V/E/N\n", "config/deploy.eu.yml": "env: {secret: [OLD, N]}\n"},
		},
		"for one destination that has none of its own": {
			files: map[string]string{projectfile.Name: declared, "config/deploy.eu.yml": "env: {secret: [OLD]}\n"}, destination: "eu", do: add(Addition{Name: "N"}),
			err: "the secrets of eu are declared for all destinations",
		},
		"what is there stays": {
			files: map[string]string{projectfile.Name: declared}, do: add(Addition{Name: "OLD"}), todo: "add field OLD to op://V/I",
		},
		"a fetch comes before": {
			files: map[string]string{projectfile.Name: declared, ".kamal/secrets": "X=$(op read op://V/K/X)\n"}, do: add(Addition{Name: "N"}),
			want: map[string]string{".kamal/secrets": "X=$(op read op://V/K/X)\nN=$(op read op://V/K/N)\n"},
		},
		"passed on": {
			files: map[string]string{projectfile.Name: declared, ".kamal/secrets": "OLD=$OLD\n"}, do: add(Addition{Name: "N"}),
			want: map[string]string{projectfile.Name: declared + "  N: op://V/I/N\n", ".kamal/secrets": "OLD=$OLD\nN=$N\n"},
		},
		"in the workflow too": {
			files: map[string]string{projectfile.Name: declared, workflow: step}, do: add(Addition{Name: "N"}),
			want: map[string]string{projectfile.Name: declared + "  N: op://V/I/N\n", workflow: step + "            N=op://V/I/N\n"},
		},
		"rename what is passed on": {
			files: map[string]string{projectfile.Name: declared, ".kamal/secrets": "OLD=$OLD\n", workflow: bare}, do: rename,
			want: map[string]string{projectfile.Name: renamed, ".kamal/secrets": "NEW=$NEW\n"},
		},
		"rename what is passed on, and a hook reads": {
			files: map[string]string{projectfile.Name: declared, ".kamal/secrets": "OLD=$OLD\n", ".kamal/hooks/pre-deploy": "echo $OLD\n"}, do: rename,
			want: map[string]string{".kamal/secrets": "NEW=$OLD\n"}, note: "goes on declaring OLD",
		},
		"rename what a hook reads": {
			files: map[string]string{projectfile.Name: declared, ".kamal/hooks/pre-deploy": "echo $OLD\n"}, do: rename,
			want: map[string]string{projectfile.Name: renamed}, note: ".kamal/hooks/pre-deploy:1:7 names OLD",
		},
		"rename in the workflow too": {
			files: map[string]string{projectfile.Name: declared, workflow: step}, do: rename,
			want: map[string]string{projectfile.Name: renamed, workflow: strings.ReplaceAll(step, "OLD", "NEW")},
		},
		"rename for one destination what all have": {
			files: map[string]string{projectfile.Name: declared, "config/deploy.eu.yml": "env: {secret: [OLD]}\n"}, destination: "eu", do: rename,
			err: "declares OLD for all destinations",
		},
		"rename for one destination": {
			files: map[string]string{projectfile.Name: own, "config/deploy.eu.yml": "env: {secret: [OLD]}\n"}, destination: "eu", do: rename,
			want: map[string]string{projectfile.Name: declared + "destinations:\n  eu:\n    secrets:\n      NEW: op://V/E/OLD\n", "config/deploy.eu.yml": "env: {secret: [NEW]}\n"},
			note: "the field OLD keeps its name",
		},
		"rename to what is declared": {
			files: map[string]string{projectfile.Name: declared + "  NEW: op://V/I/NEW\n"}, do: rename, err: "NEW is there already",
		},
		"rename a field that another takes": {
			files: map[string]string{projectfile.Name: declared + "  C: op://V/I/OLD\n"}, do: rename,
			want: map[string]string{projectfile.Name: "secrets:\n  NEW: op://V/I/OLD\n  C: op://V/I/OLD\n"}, note: "C in .kamal/kamal-op.yml takes it too",
		},
		"remove for one destination": {
			files: map[string]string{projectfile.Name: own, "config/deploy.eu.yml": "env: {secret: [OLD, B]}\n"}, destination: "eu", do: remove,
			want: map[string]string{projectfile.Name: declared + "destinations:\n  eu:\n", "config/deploy.eu.yml": "env: {secret: [B]}\n"},
		},
		"remove what a destination alone has": {
			files: map[string]string{projectfile.Name: "secrets:\n  OLD: op://V/I/OLD\n  B: op://V/I/B\npublic: [B]\ndestinations:\n  eu:\n    public: [OLD]\n", "config/deploy.eu.yml": "env: {secret: [OLD, B]}\n"},
			do:    remove, err: "what holds for all would take its place",
		},
		"remove beside what is odd": {
			files: map[string]string{projectfile.Name: "secrets: [OLD=op://V/I/OLD, \"C\\x3dop://V/I/C\"]\n"}, do: remove, err: "is written in a way that is not changed here",
		},
		"remove beside another's comment": {
			files: map[string]string{projectfile.Name: "secrets: [\n  C=op://V/I/C, # c\n  OLD=op://V/I/OLD,\n]\n"}, do: remove, err: "is written in a way that is not changed here",
		},
		"remove what is named nowhere": {
			files: map[string]string{projectfile.Name: "secrets:\n  MASTER_KEY: op://V/I/K\n"}, do: func(o check.Options) (Plan, error) { return Remove(o, "MASTR_KEY") },
			err: "MASTR_KEY is named nowhere",
		},
		"rename what the app calls a secret": {
			files: map[string]string{"config/deploy.eu.yml": "env: {secret: [\"DATABASE_URL:OLD\"]}\n"}, do: func(o check.Options) (Plan, error) { return Rename(o, "DATABASE_URL", "K") },
			err: "DATABASE_URL is what the app calls the secret OLD",
		},
		"rename what is named nowhere": {
			files: map[string]string{projectfile.Name: "secrets:\n  MASTER_KEY: op://V/I/K\n"}, do: func(o check.Options) (Plan, error) { return Rename(o, "MASTR_KEY", "K") },
			err: "MASTR_KEY is named nowhere",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.files["config/deploy.yml"] = config
			o := check.Options{Dir: project(t, test.files)}
			if test.destination != "" {
				o.Destinations = []string{test.destination}
			}
			plan, err := test.do(o)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v does not say %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, c := range plan.Changes {
				if c.File != "config/deploy.yml" {
					got[c.File] = c.New
				}
			}
			if test.want == nil {
				test.want = map[string]string{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			var todo []string
			for _, item := range plan.Todo {
				todo = append(todo, item.Text)
			}
			if !strings.Contains(strings.Join(todo, "\n"), test.todo) || !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("to do: %q, notes: %q", todo, plan.Notes)
			}
		})
	}
}

// A diff of the project file shows no value that somebody has put there.
func TestProjectFile_ShowsNoValue(t *testing.T) {
	const value = "hunter2-not-a-reference"
	for _, text := range []string{
		"secrets:\n  X: " + value + "\n  OLD: op://V/I/OLD\n",
		"secrets:\n  - X=" + value + "\n  - OLD=op://V/I/OLD\n",
	} {
		o := check.Options{Dir: project(t, map[string]string{"config/deploy.yml": "service: a\nimage: a\nservers: [a]\n", projectfile.Name: text})}
		plan, err := Rename(o, "OLD", "NEW")
		if err != nil || len(plan.Changes) != 1 {
			t.Fatal(plan.Changes, err)
		}
		if diff := plan.Changes[0].Diff(); strings.Contains(diff, value) || !strings.Contains(diff, "op://V/I/NEW") {
			t.Error(diff)
		}
	}
}
