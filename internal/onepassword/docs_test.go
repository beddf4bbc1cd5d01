package onepassword_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
)

// section is a section of docs/secrets.md.
func section(t *testing.T, title string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "secrets.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("docs/secrets.md has no section %q", title)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// documentedVault is the vault that the page speaks of.
func documentedVault(t *testing.T) []standin.VaultSpec {
	return []standin.VaultSpec{{ID: strings.Repeat("v", 26), Name: "MyApp", Items: []standin.ItemSpec{
		{
			ID: strings.Repeat("i", 26), Title: "Production", Sections: []standin.SectionSpec{{ID: id("smtp"), Label: "smtp"}},
			Fields: []standin.FieldSpec{
				{ID: strings.Repeat("f", 26), Label: "DATABASE_PASSWORD", Value: "database\n"},
				{ID: id("p"), Label: "password", Value: "own"},
				{ID: id("q"), Label: "password", Value: "of smtp", Section: id("smtp")},
				{ID: id("k"), Label: "API key", Value: "with a space"},
				{ID: id("x"), Label: "a/b ? 100%", Value: "encoded"},
				{ID: id("o"), Label: "login", Type: "OTP", Value: rulestest.AuthURI},
				{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "the notes"},
			},
			Files: []standin.FileSpec{{ID: id("ca"), Name: "ca.pem", Content: []byte("PEM\n")}},
		},
		{ID: id("key"), Title: "Deploy Key", Category: "SSH_KEY", Fields: []standin.FieldSpec{
			{ID: "private_key", Label: "private key", Type: "SSHKEY", Value: rulestest.NewKey(t).Private},
			{ID: "public_key", Label: "public key", Type: "STRING", Value: "ssh-ed25519 AAAA"},
		}},
		{ID: id("shared"), Title: "Shared", Sections: []standin.SectionSpec{{ID: id("web"), Label: "web"}}, Fields: []standin.FieldSpec{
			{Label: "A", Value: "1"},
			{Label: "B", Value: "2", Section: id("web")},
			{ID: "username", Label: "username", Purpose: "USERNAME"},
			{ID: "notesPlain", Label: "notesPlain", Type: "STRING", Purpose: "NOTES", Value: "the notes"},
		}},
	}}}
}

// TestDocumentedReferences: every reference on the page gives what the page says, on
// both backends, and none is left out here.
func TestDocumentedReferences(t *testing.T) {
	vaults := documentedVault(t)
	key := vaults[0].Items[1].Fields[0].Value
	opened, err := onepassword.OpenSSH(key)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"op://MyApp/Production/DATABASE_PASSWORD": "database\n",
		"op://myapp/production/database_password": "database\n",
		"op://MyApp/Production/smtp/password":     "of smtp",
		"op://MyApp/Production/password":          "own",
		"op://" + strings.Repeat("v", 26) + "/" + strings.Repeat("i", 26) + "/" + strings.Repeat("f", 26): "database\n",
		"op://MyApp/Production/API key":                          "with a space",
		"op://MyApp/Production/API%20key":                        "with a space",
		"op://MyApp/Production/a%2Fb %3F 100%25":                 "encoded",
		"op://MyApp/Production/ca.pem":                           "PEM\n",
		"op://MyApp/Production/notesPlain":                       "the notes",
		"op://MyApp/Production/login?attribute=otp":              "94287082",
		"op://MyApp/Production/DATABASE_PASSWORD?attribute=type": "CONCEALED",
		"op://MyApp/Production/ca.pem?attribute=size":            "4",
		"op://MyApp/Deploy Key/private key":                      key,
		"op://MyApp/Deploy Key/private key?ssh-format=openssh":   opened,
		"op://MyApp/Deploy Key/public key":                       "ssh-ed25519 AAAA",
		"op://MyApp/Shared":                                      "A=1 B=2",
		"op://MyApp/Shared?section=web":                          "B=2",
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(op://[^`]+)` \\|").FindAllStringSubmatch(section(t, "Secret references"), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	if d := cmp.Diff(slices.Sorted(maps.Keys(values)), documented); d != "" {
		t.Fatal(d)
	}
	o := onepassword.Options{Now: func() time.Time { return time.Unix(59, 0) }}
	_, connect := startVault(t, standin.VaultOptions{Vaults: vaults})
	for name, r := range map[string]*onepassword.Resolver{
		"connect":         onepassword.NewResolver(connect.Backend(), o),
		"service account": (&fakeSDK{t: t, vaults: vaults}).resolver(o),
	} {
		for reference, want := range values {
			ref, err := onepassword.ParseReference(reference)
			if err != nil {
				t.Fatal(err)
			}
			line := "X=" + reference
			if ref.WholeItem() {
				line = reference
			}
			secrets, err := r.Resolve(t.Context(), declare(t, line))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got := secrets[0].Reveal()
			if ref.WholeItem() {
				var all []string
				for _, s := range secrets {
					all = append(all, s.Name()+"="+s.Reveal())
				}
				got = strings.Join(all, " ")
			}
			// OpenSSH's format has a random number in it.
			if ref.SSHFormat != "" && len(got) == len(want) && strings.HasPrefix(got, "-----BEGIN OPENSSH") {
				continue
			}
			if got != want {
				t.Errorf("%s: %s gives %q", name, reference, got)
			}
		}
	}
	// The attributes that the page lists are those that there are.
	for _, attribute := range regexp.MustCompile("attribute=(\\w+)|`(type|title|value|id|purpose|content|name|size|totp)`").FindAllStringSubmatch(section(t, "Secret references"), -1) {
		if _, err := onepassword.ParseReference("op://v/i/f?attribute=" + attribute[1] + attribute[2]); err != nil {
			t.Error(err)
		}
	}
}

// TestDocumentedDeadline: the page says how long 1Password is waited for.
func TestDocumentedDeadline(t *testing.T) {
	if onepassword.DefaultDeadline != time.Minute || !strings.Contains(section(t, "How long 1Password is waited for"), "for 60 seconds at most") {
		t.Errorf("the deadline is %v", onepassword.DefaultDeadline)
	}
}

// TestDocumentedProcessors: the page names the features of processors that wazero
// tells apart, and no others.
func TestDocumentedProcessors(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := section(t, "A core cache")
	for arch, object := range map[string]string{"amd64": "X86", "arm64": "ARM64"} {
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "internal", "platform", "cpuid_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		var used []string
		for _, m := range regexp.MustCompile(`cpu\.`+object+`\.Has(\w+)`).FindAllStringSubmatch(string(source), -1) {
			used = append(used, m[1])
		}
		slices.Sort(used)
		row := regexp.MustCompile(`(?m)^\| ` + arch + ` \| (.*) \|$`).FindStringSubmatch(text)
		if row == nil {
			t.Fatalf("the page has no row of %s", arch)
		}
		named := regexp.MustCompile(`[A-Z][A-Z0-9]+`).FindAllString(row[1], -1)
		slices.Sort(named)
		if d := cmp.Diff(slices.Compact(used), named); d != "" {
			t.Errorf("%s: %s", arch, d)
		}
	}
}
