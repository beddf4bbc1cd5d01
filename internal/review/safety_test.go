package review_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// resolved reads what real Kamal wrote of a project.
func resolved(t *testing.T, name string) review.Resolved {
	t.Helper()
	raw, err := os.ReadFile("testdata/resolved/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	r, err := review.ParseResolved(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// careful is the preview of a project that does it right.
func careful(t *testing.T) review.Resolved {
	r := resolved(t, "preview-careless")
	r.Volumes = []string{"shop-pr-12_storage:/storage", "/etc/ssl:/etc/ssl:ro"}
	db := r.Accessories["db"]
	db.Port = ""
	r.Accessories["db"] = db
	return r
}

func messages(err error) string {
	var list []string
	for _, p := range problem.Of(err) {
		list = append(list, p.Message)
	}
	return strings.Join(list, "\n")
}

func TestSafety_Careless(t *testing.T) {
	production := resolved(t, "production")
	err := review.Safety{}.Check(app(t, 12), resolved(t, "preview-careless"), &production)
	want := "the preview's accessory db publishes port 5432, which production's db has\n" +
		"the preview's app would write to shop_storage, which production's app uses"
	if got := messages(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The file that a project begins with, as real Kamal resolves it.
func TestSafety_Overlay(t *testing.T) {
	production := resolved(t, "production")
	if err := (review.Safety{}).Check(app(t, 12), resolved(t, "preview"), &production); err != nil {
		t.Error(messages(err))
	}
	if !strings.Contains(review.Overlay, `ENV.fetch("REVIEW_SERVICE")`) {
		t.Error("the overlay takes no service")
	}
}

func TestSafety_EachWayToTouchAnother(t *testing.T) {
	production := resolved(t, "production")
	web := func(r review.Resolved, f func(*review.Role)) review.Resolved {
		role := r.Roles["web"]
		p := *role.Proxy
		role.Proxy = &p
		labels := map[string]string{}
		for k, v := range role.Labels {
			labels[k] = v
		}
		role.Labels = labels
		f(&role)
		r.Roles["web"] = role
		return r
	}
	db := func(r review.Resolved, f func(*review.Resource)) review.Resolved {
		a := r.Accessories["db"]
		f(&a)
		r.Accessories["db"] = a
		return r
	}
	for _, tc := range []struct {
		name   string
		shared []string
		change func(review.Resolved) review.Resolved
		want   string
	}{
		{"nothing", nil, func(r review.Resolved) review.Resolved { return r }, ""},
		{"production's service", nil, func(r review.Resolved) review.Resolved { r.Service = "shop"; return r }, "the preview's service is shop, not shop-pr-12"},
		{"another preview's service", nil, func(r review.Resolved) review.Resolved { r.Service = "shop-pr-1"; return r }, "the preview's service is shop-pr-1, not shop-pr-12"},
		{"no destination", nil, func(r review.Resolved) review.Resolved { r.Destination = ""; return r }, `the preview's destination is "", not "review"`},
		{"another tag", nil, func(r review.Resolved) review.Resolved { r.Version = "latest"; return r }, "the preview's image is tagged latest, not pr-12-"},
		{"production's host", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Proxy.Hosts = []string{"Shop.example.com"} })
		}, "the preview's role web would answer for Shop.example.com, which is production's role web"},
		{"another preview's host", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Proxy.Hosts = []string{"pr-1.review.example.com"} })
		}, "the preview's role web would answer for pr-1.review.example.com, not pr-12.review.example.com"},
		{"a host that ends alike", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Proxy.Hosts = []string{"xpr-12.review.example.com"} })
		}, "the preview's role web would answer for xpr-12.review.example.com, not"},
		{"beneath its host", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) {
				w.Proxy.Hosts = []string{"pr-12.review.example.com", "admin.pr-12.review.example.com"}
			})
		}, ""},
		{"every host", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Proxy.Hosts = nil })
		}, "the preview's role web answers for every host"},
		{"no proxy", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Proxy = nil })
		}, "the preview has no role that takes requests"},
		{"production's label", nil, func(r review.Resolved) review.Resolved {
			return web(r, func(w *review.Role) { w.Labels["service"] = "shop" })
		}, `the label service of the preview's role web is "shop", not "shop-pr-12"`},
		{"an accessory's host", nil, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) { a.Proxy = &review.Proxy{Hosts: []string{"shop.example.com"}} })
		}, "the preview's accessory db would answer for shop.example.com"},
		{"production's accessory", nil, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) { a.Service = "shop-db"; a.Labels = map[string]string{"service": "shop-db"} })
		}, "the preview's accessory db is shop-db, which is not its own"},
		{"another preview's accessory", nil, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) {
				a.Service = "shop-pr-123-db"
				a.Labels = map[string]string{"service": a.Service}
			})
		}, "the preview's accessory db is shop-pr-123-db, which is not its own"},
		{"an accessory that is the app", nil, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) { a.Service = "shop-pr-12"; a.Labels = map[string]string{"service": a.Service} })
		}, "the preview's accessory db is shop-pr-12, which is not its own"},
		{"a shared one that is told", []string{"db"}, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) {
				a.Service = "shop-db"
				a.Volumes = []string{"$PWD/shop-db/data:/x"}
				a.Port = "5432:5432"
			})
		}, ""},
		{"a shared one that is not there", []string{"db", "redis"}, func(r review.Resolved) review.Resolved { return r }, "the shared accessory redis is not in the configuration"},
		{"an accessory on production's data", nil, func(r review.Resolved) review.Resolved {
			return db(r, func(a *review.Resource) { a.Volumes = []string{"$PWD/shop-db/data:/x"} })
		}, "the preview's accessory db would write to shop-db/data, which production's accessory db uses"},
		{"the app on the database's data", nil, func(r review.Resolved) review.Resolved {
			r.Volumes = []string{"$PWD/shop-db/data:/x:z"}
			return r
		}, "the preview's app would write to shop-db/data"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := review.Safety{SharedAccessories: tc.shared}.Check(app(t, 12), tc.change(careful(t)), &production)
			got := messages(err)
			if tc.want == "" && got != "" || tc.want != "" && (!strings.HasPrefix(got, tc.want) || strings.Contains(got, "\n")) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestCheckItems(t *testing.T) {
	production := []string{"MyApp/Production", "MyApp/Server"}
	for _, tc := range []struct {
		preview []string
		want    string
	}{
		{[]string{"Previews/Production", "MyApp/Review"}, ""},
		{[]string{"MyApp/Review", "myapp/production", "MyApp/Production"}, "the preview would read op://myapp/production, where production's secrets are"},
		{nil, ""},
	} {
		if got := messages(review.CheckItems(production, tc.preview)); got != tc.want {
			t.Errorf("%q: %q", tc.preview, got)
		}
	}
}

func TestParseResolved(t *testing.T) {
	r := resolved(t, "production")
	if r.Roles["web"].Proxy.Health != "/health" || !r.Roles["web"].Proxy.TLS || r.Roles["job"].Proxy != nil || !slices.Equal(r.Hosts, []string{"192.0.2.2", "192.0.2.1"}) {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{"", "--- {}\n", "@kamal-op-resolved {\n", "@kamal-op-resolved {}\n", "x @kamal-op-resolved {\"service\":\"a\",\"image\":\"b\"}\n"} {
		if _, err := review.ParseResolved([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
