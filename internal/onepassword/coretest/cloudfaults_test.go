//go:build !race

package coretest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// A fault is how a cloud answers a request, or not.
type fault struct {
	name  string
	serve func(w http.ResponseWriter)
}

// passing are the faults that are over when it is asked again.
func passing() []fault {
	faults := []fault{
		{"reset", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }},
		{"cut", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"x`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
	}
	for _, f := range []struct {
		status int
		after  string
	}{{429, ""}, {429, "1"}, {502, ""}, {503, "1"}, {504, ""}} {
		faults = append(faults, fault{strings.TrimSpace(fmt.Sprint(f.status, " ", f.after)), func(w http.ResponseWriter) {
			if f.after != "" {
				w.Header().Set("Retry-After", f.after)
			}
			w.WriteHeader(f.status)
		}})
	}
	return faults
}

// declared is what the tests of faults read: a field, and a file, which is one more
// request.
func declared(t *testing.T) []onepassword.Declaration {
	t.Helper()
	var all []onepassword.Declaration
	for _, text := range []string{"A=op://MyApp/one/A", "X=op://MyApp/one/x"} {
		d, err := onepassword.ParseDeclaration(text, "--secret")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func faulty(t *testing.T) *standin.Cloud {
	t.Helper()
	return startCloud(t, standin.CloudOptions{Vaults: []standin.VaultSpec{{Name: "MyApp", Items: []standin.ItemSpec{{
		Title: "one", Fields: []standin.FieldSpec{{Label: "A", Value: "1"}}, Files: []standin.FileSpec{{Name: "x", Content: []byte("x")}},
	}}}}})
}

// TestCloud_PassingFaults: whatever fault one request meets is passed over, and what was
// answered before is not asked for again, less the item of a file, which the core asks
// for with each.
func TestCloud_PassingFaults(t *testing.T) {
	cloud := faulty(t)
	// All have one session: to sign in takes the longest.
	backend := overCloudBackend(t, cloud)
	if _, err := onepassword.NewResolver(backend, onepassword.Options{Deadline: time.Minute}).Resolve(t.Context(), declared(t)); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"/v1/vaults", "/items/overviews", "/items/batch", "/v3/file/"} {
		for _, f := range passing() {
			cloud.Forget()
			struck := 0
			cloud.SetFault(func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, at) || struck > 0 {
					return false
				}
				struck++
				f.serve(w)
				return true
			})
			got, err := onepassword.NewResolver(backend, onepassword.Options{Deadline: time.Minute}).Resolve(t.Context(), declared(t))
			if err != nil || len(got) != 2 || struck != 1 {
				t.Errorf("%s, %s: %d values, %v after %d times", at, f.name, len(got), err, struck)
			}
			asked := map[string]int{}
			for _, r := range cloud.Requests() {
				path, _, _ := strings.Cut(r.Path, "?")
				asked[path]++
			}
			for path, n := range asked {
				if again := strings.Contains(path, at) || strings.HasPrefix(at, "/v3/file") && strings.Contains(path, "/item/"); n > 1 && !again || n > 2 {
					t.Errorf("%s, %s: %s is asked %d times", at, f.name, path, n)
				}
			}
		}
	}
}

// TestCloud_ACoreThatManyFaultsHaveSpoiled: each request that gets no answer leaves
// something on the stack of the SDK's core, until it traps at whatever it is asked. It
// is one core for the whole process, so that a fault that has passed would never be over.
func TestCloud_ACoreThatManyFaultsHaveSpoiled(t *testing.T) {
	cloud := faulty(t)
	signedIn := overCloud(t, cloud, onepassword.Options{Deadline: time.Minute})
	if _, err := signedIn.Resolve(t.Context(), declared(t)); err != nil {
		t.Fatal(err)
	}
	spoil := func() {
		cloud.SetFault(func(int, http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		defer cloud.SetFault(nil)
		const most = 200
		for n := range most {
			_, err := sdk.NewClient(t.Context(), sdk.WithServiceAccountToken(cloud.Token()), sdk.WithIntegrationInfo("kamal-op", "v0.0.0"))
			if err != nil && strings.Contains(err.Error(), "out of bounds") {
				t.Logf("after %d requests without an answer", n)
				return
			}
		}
		t.Fatalf("the core is whole after %d requests without an answer: is renewing it still needed?", most)
	}
	spoil()
	if _, err := overCloud(t, cloud, onepassword.Options{Deadline: time.Minute}).Resolve(t.Context(), declared(t)); err != nil {
		t.Errorf("another client: %v", err)
	}
	// One that was signed in to the spoiled core.
	if _, err := signedIn.Environment(t.Context(), "none"); err == nil || strings.Contains(err.Error(), "wasm") {
		t.Errorf("one that was there before: %v", err)
	}
}
