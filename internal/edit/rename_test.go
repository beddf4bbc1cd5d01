package edit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/check"
)

// The value of a secret that comes from the environment is never lost by a rename:
// the source is renamed where this repository's workflows give it and nothing else
// names it, and else the secret goes on taking the old variable, which is said.
func TestRename_keepsTheValueOfAVariable(t *testing.T) {
	const config = "service: a\nimage: a\nservers: [a]\nenv: {secret: [OLD]}\n"
	renamed := strings.Replace(config, "OLD", "NEW", 1)
	step := "jobs:\n  deploy:\n    steps:\n      - uses: kamal-op/kamal-op@v1\n        with:\n          secrets: |\n            OLD=op://V/I/OLD\n"
	const workflow = ".github/workflows/d.yml"
	tests := map[string]struct {
		files       map[string]string
		destination string
		want        map[string]string
		note, err   string
	}{
		"from who knows where": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\n"}, want: map[string]string{".kamal/secrets": "NEW=$OLD\n"},
			note: "keeps its name, since what sets it does (no file of the project",
		},
		"in braces and quotes": {
			files: map[string]string{".kamal/secrets": "OLD=\"${OLD}\"\r\n"}, want: map[string]string{".kamal/secrets": "NEW=\"${OLD}\"\r\n"},
		},
		"exported": {
			files: map[string]string{".kamal/secrets": "export OLD=$OLD\n"}, want: map[string]string{".kamal/secrets": "export NEW=$OLD\n"},
		},
		"from a workflow's env": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\n", workflow: "jobs:\n  d:\n    env:\n      OLD: ${{ secrets.OLD }}\n"},
			want:  map[string]string{".kamal/secrets": "NEW=$OLD\n"}, note: ".github/workflows/d.yml:4:7",
		},
		"composed, of the line above and of the environment": {
			files: map[string]string{".kamal/secrets": "A=x$OLD\nOLD=$OLD\nB=y${OLD}z\nC=$(echo $OLD)\n"},
			want:  map[string]string{".kamal/secrets": "A=x$OLD\nNEW=$OLD\nB=y${NEW}z\nC=$(echo $NEW)\n"}, note: ".kamal/secrets:1:4",
		},
		"under another name": {
			files: map[string]string{".kamal/secrets": "OLD=$STAGING_OLD\n"}, want: map[string]string{".kamal/secrets": "NEW=$STAGING_OLD\n"},
		},
		"each destination for itself": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\n", ".kamal/secrets.eu": "OLD=$(op read op://V/EU/OLD)\n", "config/deploy.eu.yml": "servers: [b]\n"},
			want:  map[string]string{".kamal/secrets": "NEW=$OLD\n", ".kamal/secrets.eu": "NEW=$(op read op://V/EU/NEW)\n"},
		},
		"declared in the workflow": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\nX=a$OLD\n", workflow: step},
			want:  map[string]string{".kamal/secrets": "NEW=$NEW\nX=a$NEW\n", workflow: strings.Replace(step, "OLD=op://V/I/OLD", "NEW=op://V/I/NEW", 1)},
			note:  "declare NEW there",
		},
		"declared, but ERB reads the variable": {
			files: map[string]string{"config/deploy.yml": config + "labels: {x: <%= ENV[\"OLD\"] %>}\n", ".kamal/secrets": "OLD=$OLD\n", workflow: step},
			want:  map[string]string{"config/deploy.yml": renamed + "labels: {x: <%= ENV[\"OLD\"] %>}\n", ".kamal/secrets": "NEW=$OLD\n"}, note: "config/deploy.yml:5:22",
		},
		"declared, but a hook reads the variable": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\n", ".kamal/hooks/pre-deploy": "#!/bin/sh\ncurl -H \"$OLD\" x\n", workflow: step},
			want:  map[string]string{".kamal/secrets": "NEW=$OLD\n"}, note: ".kamal/hooks/pre-deploy:2:11",
		},
		"declared in one workflow, a whole item in another": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\n", workflow: step, ".github/workflows/e.yml": strings.Replace(step, "OLD=op://V/I/OLD", "op://V/J", 1)},
			want:  map[string]string{".kamal/secrets": "NEW=$OLD\n"},
		},
		"declared, for one destination alone": {
			files:       map[string]string{"config/deploy.eu.yml": "env: {secret: [OLD]}\n", ".kamal/secrets.eu": "OLD=$OLD\n", ".kamal/secrets": "OLD=$OLD\n", workflow: step},
			destination: "eu",
			want:        map[string]string{"config/deploy.yml": config, "config/deploy.eu.yml": "env: {secret: [NEW]}\n", ".kamal/secrets.eu": "NEW=$OLD\n"},
		},
		"an alias": {
			files: map[string]string{"config/deploy.yml": "service: a\nservers: [a]\nenv:\n  secret:\n    - OLD:OLD\n    - APP:OLD\n", ".kamal/secrets": "OLD=$OLD\n"},
			want:  map[string]string{"config/deploy.yml": "service: a\nservers: [a]\nenv:\n  secret:\n    - OLD:NEW\n    - APP:NEW\n", ".kamal/secrets": "NEW=$OLD\n"},
		},
		"the new name is a variable of the environment": {
			files: map[string]string{".kamal/secrets": "OLD=$OLD\nX=$NEW\n"}, err: "$NEW is a variable of the environment here",
		},
		"the new name is where it comes from": {
			files: map[string]string{".kamal/secrets": "OLD=$NEW\n"}, want: map[string]string{".kamal/secrets": "NEW=$NEW\n"},
		},
		"a field of another adapter": {
			files: map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter doppler --from p/c OLD)\nOLD=$(kamal secrets extract OLD $S)\n"},
			want:  map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter doppler --from p/c OLD)\nNEW=$(kamal secrets extract OLD $S)\n"}, note: "the field keeps its name",
		},
		"a field of an item that a variable names": {
			files: map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from $V/I OLD)\nOLD=$(kamal secrets extract OLD $S)\n"},
			want:  map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from $V/I OLD)\nNEW=$(kamal secrets extract OLD $S)\n"}, note: "the field keeps its name",
		},
		"a field that another destination's secret has": {
			files: map[string]string{
				".kamal/secrets":    "OLD=$(op read op://V/I/OLD)\n",
				".kamal/secrets.eu": "OTHER=$(op read op://V/I/OLD)\nOLD=x\n", "config/deploy.eu.yml": "servers: [b]\n",
			},
			want: map[string]string{".kamal/secrets": "NEW=$(op read op://V/I/OLD)\n", ".kamal/secrets.eu": "OTHER=$(op read op://V/I/OLD)\nNEW=x\n"}, note: "OTHER in .kamal/secrets.eu takes it too",
		},
		"a field of the same name in another item": {
			files: map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V/I OLD)\nT=$(kamal secrets fetch --adapter 1password --account a --from V/J OLD X)\nOLD=$(kamal secrets extract OLD $S)\nX=$(kamal secrets extract X $T)\n"},
			want:  map[string]string{".kamal/secrets": "S=$(kamal secrets fetch --adapter 1password --account a --from V/I NEW)\nT=$(kamal secrets fetch --adapter 1password --account a --from V/J OLD X)\nNEW=$(kamal secrets extract NEW $S)\nX=$(kamal secrets extract X $T)\n"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.files["config/deploy.yml"] == "" {
				test.files["config/deploy.yml"] = config
				if test.want != nil && test.want["config/deploy.yml"] == "" {
					test.want["config/deploy.yml"] = renamed
				}
			}
			o := check.Options{Dir: project(t, test.files)}
			if test.destination != "" {
				o.Destinations = []string{test.destination}
			}
			plan, err := Rename(o, "OLD", "NEW")
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v does not say %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.want["config/deploy.yml"] == test.files["config/deploy.yml"] {
				delete(test.want, "config/deploy.yml")
			}
			got := map[string]string{}
			for _, c := range plan.Changes {
				got[c.File] = c.New
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(strings.Join(plan.Notes, "\n"), test.note) {
				t.Errorf("notes: %q", plan.Notes)
			}
		})
	}
}

// Between lines of ERB a name is renamed as well; what only ERB says is refused by
// name, and then no file is changed.
func TestRenameRemove_betweenLinesOfERB(t *testing.T) {
	const begin = "service: a\nimage: a\nservers: [a]\nenv:\n  secret:\n    - KEEP\n"
	tests := map[string]struct{ config, want, rename, remove string }{
		"a condition":                           {config: begin + "<% if ENV[\"MAIL\"] %>\n    - OLD\n<% end %>\n", want: begin + "<% if ENV[\"MAIL\"] %>\n    - NEW\n<% end %>\n", remove: "ERB decides whether OLD is named here"},
		"both branches":                         {config: begin + "<% if ENV[\"X\"] %>\n    - OLD\n<% else %>\n    - APP:OLD\n<% end %>\n", want: begin + "<% if ENV[\"X\"] %>\n    - NEW\n<% else %>\n    - APP:NEW\n<% end %>\n", remove: "ERB decides"},
		"a whole role":                          {config: begin + "<% if ENV[\"X\"] -%>\nbuilder:\n  secrets: [OLD]\n<% end -%>\n", want: begin + "<% if ENV[\"X\"] -%>\nbuilder:\n  secrets: [NEW]\n<% end -%>\n", remove: "ERB decides"},
		"a list of Ruby's":                      {config: begin + "<% %w[OLD B].each do |n| %>\n    - <%= n %>\n<% end %>\n", rename: "ERB decides", remove: "ERB decides"},
		"a text of Ruby's":                      {config: begin + "    - <%= \"OLD\" %>\n", rename: "ERB decides", remove: "ERB decides"},
		"a variable":                            {config: begin + "    - OLD\nlabels: {x: <%= ENV.fetch(\"OLD\") %>}\n", want: begin + "    - NEW\nlabels: {x: <%= ENV.fetch(\"OLD\") %>}\n"},
		"a comment":                             {config: begin + "    - OLD\n<%# OLD %>\n", want: begin + "    - NEW\n<%# OLD %>\n"},
		"a key of env.clear":                    {config: "service: a\nservers: [a]\nenv:\n  secret:\n    - A:OLD\n  clear:\n<% if true %>\n    OLD: x\n<% end %>\n", want: "service: a\nservers: [a]\nenv:\n  secret:\n    - A:NEW\n  clear:\n<% if true %>\n    OLD: x\n<% end %>\n"},
		"the only one that is not between them": {config: "service: a\nservers: [a]\nenv:\n  secret:\n    - OLD\n<% if true %>\n    - KEEP\n<% end %>\n", want: "service: a\nservers: [a]\nenv:\n  secret:\n    - NEW\n<% if true %>\n    - KEEP\n<% end %>\n", remove: "cannot be changed here"},
		"what is no YAML":                       {config: begin + "    - OLD\n<%= foo %>: [\n", rename: "ERB decides", remove: "ERB decides"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := check.Options{Dir: project(t, map[string]string{"config/deploy.yml": test.config, ".kamal/secrets": "KEEP=k\nOLD=$(cat old)\n"})}
			plan, err := Rename(o, "OLD", "NEW")
			if test.rename != "" {
				if err == nil || !strings.Contains(err.Error(), test.rename) || !strings.HasPrefix(err.Error(), "config/deploy.yml:") || plan.Changes != nil {
					t.Errorf("%v does not say %q", err, test.rename)
				}
			} else {
				if err != nil {
					t.Fatal(err)
				}
				got := map[string]string{}
				for _, c := range plan.Changes {
					got[c.File] = c.New
				}
				if diff := cmp.Diff(map[string]string{"config/deploy.yml": test.want, ".kamal/secrets": "KEEP=k\nNEW=$(cat old)\n"}, got); diff != "" {
					t.Error(diff)
				}
			}
			if plan, err = Remove(o, "OLD"); test.remove != "" && (err == nil || !strings.Contains(err.Error(), test.remove) || plan.Changes != nil) {
				t.Errorf("%v does not say %q", err, test.remove)
			}
		})
	}
}
