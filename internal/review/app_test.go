package review_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/github/githubtest"
	"github.com/kamal-op/kamal-op/internal/review"
)

func app(t *testing.T, number int) review.App {
	t.Helper()
	a, err := review.NewApp("shop", "review.example.com", "", number, githubtest.SHA(number))
	if err != nil {
		t.Fatal(err)
	}
	a.Repository = "acme/shop"
	return a
}

func TestNewApp_Names(t *testing.T) {
	a := app(t, 12)
	if a.Service != "shop-pr-12" || a.Host != "pr-12.review.example.com" || a.Version != "pr-12-"+githubtest.SHA(12) || a.Destination != "review" {
		t.Errorf("%+v", a)
	}
	want := []string{"REVIEW_APP=pr-12", "REVIEW_SERVICE=shop-pr-12", "REVIEW_HOST=pr-12.review.example.com", "REVIEW_NUMBER=12", "REVIEW_VERSION=pr-12-" + githubtest.SHA(12), "REVIEW_OF=shop", "REVIEW_REPOSITORY=acme/shop"}
	if got := a.Env(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if a.URL(true, 0) != "https://pr-12.review.example.com" || a.URL(false, 8080) != "http://pr-12.review.example.com:8080" {
		t.Errorf("%s %s", a.URL(true, 0), a.URL(false, 8080))
	}
}

func TestNewApp_Hosts(t *testing.T) {
	for _, tc := range []struct{ template, want string }{
		{"review.example.com", "pr-7.review.example.com"},
		{".review.example.com", "pr-7.review.example.com"},
		{"{app}-shop.example.com", "pr-7-shop.example.com"},
		{"{service}.example.com", "shop-pr-7.example.com"},
		{"p{number}.example.com", "p7.example.com"},
		{strings.Repeat("a", 49) + ".example.com", ""},                                                 // 49+5+12 = 66
		{strings.Repeat("a", 45) + ".example.com", "pr-7." + strings.Repeat("a", 45) + ".example.com"}, // 62
		{strings.Repeat("a", 46) + ".example.com", ""},                                                 // 63
		{"{branch}.example.com", ""},
		{"fixed{x}.example.com", ""},
		{"", ""},
		{"{app}", ""},
		{"{app}.exa mple.com", ""},
		{"{app}.example.com/path", ""},
		{"{app}.example.com:8080", ""},
		{"-{app}.example.com", ""},
		{"{app}_x.example.com", ""},
		{"{app}..example.com", ""},
		{"{APP}.example.com", ""},
		{"{app}.$(id).com", ""},
	} {
		a, err := review.NewApp("shop", tc.template, "", 7, "")
		if (err == nil) != (tc.want != "") || err == nil && a.Host != tc.want {
			t.Errorf("%q: %q, %v; want %q", tc.template, a.Host, err, tc.want)
		}
		if err != nil && wantProblem(t, err).Status != 2 {
			t.Errorf("%q: not a problem of usage: %v", tc.template, err)
		}
	}
}

func TestNewApp_Refuses(t *testing.T) {
	for _, tc := range []struct {
		service, destination string
		number               int
		sha                  string
	}{
		{"Shop", "", 1, ""},
		{"shop;id", "", 1, ""},
		{"", "", 1, ""},
		{"-shop", "", 1, ""},
		{"shop\n", "", 1, ""},
		{"shop", "re view", 1, ""},
		{"shop", "--help", 1, ""},
		{"shop", "", -1, ""},
		{"shop", "", 1 << 40, ""},
		{"shop", "", 1, "main"},
		{"shop", "", 1, strings.Repeat("a", 39)},
		{"shop", "", 1, strings.Repeat("A", 40)},
		{"shop", "", 1, "--" + strings.Repeat("a", 38)},
	} {
		if a, err := review.NewApp(tc.service, "example.com", tc.destination, tc.number, tc.sha); err == nil {
			t.Errorf("%+v became %+v", tc, a)
		}
	}
}

// Whatever the template, two pull requests never share a host, and what comes out
// is a host.
func FuzzNewApp(f *testing.F) {
	f.Add("shop", "{app}.example.com", "review", 1, 10)
	f.Add("shop", "x{number}1.example.com", "review", 1, 11)
	f.Fuzz(func(t *testing.T, service, host, destination string, one, two int) {
		a, err1 := review.NewApp(service, host, destination, one, "")
		b, err2 := review.NewApp(service, host, destination, two, "")
		if err1 != nil || err2 != nil {
			return
		}
		if one != two && (a.Host == b.Host || a.Service == b.Service) {
			t.Errorf("%d and %d share %s or %s", one, two, a.Host, a.Service)
		}
		for _, s := range append(a.Env(), a.Args()...) {
			if strings.ContainsAny(s, "\n\r\x00 '\"`$;|&<>(){}\\*?") {
				t.Errorf("%q", s)
			}
		}
		if len(a.Host) > review.MaxHost || a.Host != strings.ToLower(a.Host) {
			t.Errorf("host %q", a.Host)
		}
	})
}
