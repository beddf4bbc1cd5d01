package check

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A name that is missing is one fault, however many destinations lack it, and whether
// ERB requires one is Kamal's to say.
func TestCheck_ReportsAMissingNameOnce(t *testing.T) {
	const erb = "require_destination: <%= ENV[\"ANY\"] %>\n"
	for name, test := range map[string]struct {
		base  string // of deploy.yml, before the rest
		files map[string]string
		want  string // the errors, and who was not checked
	}{
		"everywhere": {
			files: map[string]string{".kamal/secrets-common": "TOKEN=$TOKEN\n"},
			want:  "ORDER is named under env.secret but not defined in .kamal/secrets-common, .kamal/secrets, .kamal/secrets.live or .kamal/secrets.test: add it to .kamal/secrets-common, or take it out of deploy.yml",
		},
		"where ERB may require a destination": {
			base: erb, files: map[string]string{".kamal/secrets-common": "TOKEN=$TOKEN\n"},
			want: "ORDER is named under env.secret but not defined in .kamal/secrets-common, .kamal/secrets.live or .kamal/secrets.test: add it to .kamal/secrets-common, or take it out of deploy.yml; without a destination: ERB decides whether it requires one (--erb has Kamal say it)",
		},
		"in destinations of their own files": {
			base: "require_destination: yes\n", files: map[string]string{".kamal/secrets.live": "TOKEN=$TOKEN\n", ".kamal/secrets.test": "TOKEN=$TOKEN\n"},
			want: "ORDER is named under env.secret but not defined in .kamal/secrets-common, .kamal/secrets.live or .kamal/secrets.test: add it to .kamal/secrets.live and .kamal/secrets.test, or take it out of deploy.yml",
		},
		"in one": {
			base: "require_destination: true\n", files: map[string]string{".kamal/secrets-common": "TOKEN=$TOKEN\n", ".kamal/secrets.live": "ORDER=$ORDER\n"},
			want: "ORDER is named under env.secret but not defined in .kamal/secrets-common or .kamal/secrets.test: add it to .kamal/secrets-common, or take it out of deploy.yml",
		},
		"with another name like it": {
			base: "require_destination: true\n", files: map[string]string{".kamal/secrets-common": "TOKEN=$TOKEN\n", ".kamal/secrets.live": "ORDR=$ORDER\n"},
			want: "ORDER is named under env.secret but not defined in .kamal/secrets-common or .kamal/secrets.live: add it to .kamal/secrets.live, or take it out of deploy.yml. Did you mean ORDR?; " +
				"ORDER is named under env.secret but not defined in .kamal/secrets-common or .kamal/secrets.test: add it to .kamal/secrets-common, or take it out of deploy.yml",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.files["config/deploy.yml"] = test.base + shop + "env: {secret: [ORDER]}\n"
			test.files["config/deploy.live.yml"], test.files["config/deploy.test.yml"] = "servers: [192.0.2.2]\n", "servers: [192.0.2.3]\n"
			for name, text := range test.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			report, err := Check(context.Background(), Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range report.Findings {
				if f.Level == Error {
					got = append(got, f.Problem.Message+": "+f.Problem.Hint)
				}
			}
			for _, s := range report.Skipped {
				if s.As == "without a destination" {
					got = append(got, s.As+": "+s.Why)
				}
			}
			if said := strings.Join(got, "; "); said != test.want {
				t.Errorf("%s\nwant\n%s", said, test.want)
			}
		})
	}
}
