package deploy

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// Whatever way a project asks for its secrets, the page has each by its name, vault,
// item and version, and 1Password is not asked for that.
func TestSecretsUsed_ListsThoseOfEveryKindOfProject(t *testing.T) {
	fields := func(labels ...string) (all []standin.FieldSpec) {
		for _, label := range labels {
			all = append(all, standin.FieldSpec{Label: label, Value: "value of " + label})
		}
		return all
	}
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{
		{Title: "Production", Fields: fields("KEY", "OTHER")}, {Title: "Whole", Fields: fields("ONE", "TWO")}, {Title: "Hook", Fields: fields("X")}, {Title: "Server"},
	}}}})
	ok(t, err)
	defer func() { _ = vault.Close() }()
	for name, test := range map[string]struct {
		secrets  string
		declared []string
		read     []string // by the project's own op
		want     []string
	}{
		"fetch and extract": {
			secrets: "F=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Production KEY OTHER)\nKEY=$(kamal secrets extract KEY $F)\nRENAMED=$(kamal secrets extract MyApp/Production/OTHER $F)\n",
			read:    []string{"op://MyApp/Production"},
			want:    []string{"KEY: MyApp/Production/KEY", "RENAMED: MyApp/Production/OTHER"},
		},
		"all of an item": {
			secrets: "F=$(kamal secrets fetch --adapter 1password --account a --from MyApp/Production)\nKEY=$(kamal secrets extract KEY $F)\n",
			read:    []string{"op://MyApp/Production"},
			want:    []string{"KEY: MyApp/Production/KEY"},
		},
		"op read, and a name that holds it": {
			secrets: "KEY=$(op read op://MyApp/Production/KEY)\nSAME=$KEY\n",
			read:    []string{"op://MyApp/Production"},
			want:    []string{"KEY: MyApp/Production/KEY", "SAME: MyApp/Production/KEY"},
		},
		"a hook's own": {read: []string{"op://MyApp/Hook"}, want: []string{"(read by the project): MyApp/Hook/"}},
		"declared, a whole item with a row for each field": {
			declared: []string{"KEY=op://MyApp/Production/KEY", "op://MyApp/Whole"},
			secrets:  "KEY=$KEY\n",
			want:     []string{"KEY: MyApp/Production/KEY", "ONE: MyApp/Whole/ONE", "TWO: MyApp/Whole/TWO"},
		},
		"what was not read": {secrets: "KEY=$(op read op://MyApp/Production/KEY)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range map[string]string{"config/deploy.yml": "service: a\nimage: a/a\n", ".kamal/secrets": test.secrets} {
				ok(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
				ok(t, os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600))
			}
			project, err := kamal.OpenProject(kamal.ProjectOptions{Dir: dir})
			ok(t, err)
			backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: vault.URL(), Token: mask.NewSecret("token", vault.Token())})
			ok(t, err)
			r := &runner{resources: &resources{resolver: onepassword.NewResolver(backend, onepassword.Options{})}, project: project}
			for _, line := range test.declared {
				d, err := onepassword.ParseDeclaration(line, "")
				ok(t, err)
				r.job.Wanted.Secrets = append(r.job.Wanted.Secrets, d)
			}
			_, err = r.resolver.Resolve(t.Context(), r.job.Wanted.Secrets)
			ok(t, err)
			for _, text := range test.read {
				ref, err := onepassword.ParseReference(text)
				ok(t, err)
				ok(t, r.resolver.Prefetch(t.Context(), ref))
			}
			before := len(vault.Requests())
			var got []string
			for _, s := range r.secretsUsed(t.Context()) {
				got = append(got, s.Name+": "+s.Vault+"/"+s.Item+"/"+s.Field)
				if s.ItemVersion != 1 || s.Changed.IsZero() {
					t.Errorf("%s has the version %d of %s", s.Name, s.ItemVersion, s.Changed.Format(time.RFC3339))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if n := len(vault.Requests()) - before; n != 0 {
				t.Errorf("1Password is asked %d times for the page", n)
			}
		})
	}
}

// Without 1Password there are none.
func TestSecretsUsed_ListsVariablesWithout1Password(t *testing.T) {
	if got := (&runner{resources: &resources{}}).secretsUsed(t.Context()); len(got) > 0 {
		t.Errorf("%v", got)
	}
}
