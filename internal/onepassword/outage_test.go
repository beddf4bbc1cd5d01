package onepassword_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
	"github.com/kamal-op/kamal-op/mask"
)

// connectOver is a Connect backend whose network is f.
func connectOver(t *testing.T, f func(*http.Request) (*http.Response, error)) *onepassword.Connect {
	t.Helper()
	backend, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: "http://connect:8080", Token: mask.NewSecret("token", connectToken())})
	if err != nil {
		t.Fatal(err)
	}
	backend.AnswerWith(f)
	return backend
}

// answer is an answer of a server.
func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(body))}
}

// TestResolver_EndsWithinTheDeadlineOfAnOutage: whatever is asked of 1Password one
// after another, a server that fails for ever keeps all of it for one deadline.
func TestResolver_EndsWithinTheDeadlineOfAnOutage(t *testing.T) {
	backends := map[string]func(t *testing.T) onepassword.Backend{
		"Connect that answers 500": func(t *testing.T) onepassword.Backend {
			return connectOver(t, func(*http.Request) (*http.Response, error) { return answer(http.StatusInternalServerError, ""), nil })
		},
		"Connect that hangs": func(t *testing.T) onepassword.Backend {
			return connectOver(t, func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			})
		},
		"a service account": func(t *testing.T) onepassword.Backend {
			return (&fakeSDK{t: t, fault: func(string, int) error { return errors.New("internal server error") }}).backend()
		},
	}
	for name, backend := range backends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := onepassword.NewResolver(backend(t), onepassword.Options{})
				key := onepassword.Reference{Vault: "MyApp", Item: "Key"}
				began := time.Now()
				if err := r.Prefetch(t.Context(), key); err != nil {
					t.Error(err)
				}
				asks := map[string]func(context.Context) error{
					"declared": func(ctx context.Context) error {
						_, err := r.Resolve(ctx, append(declare(t, "A=op://MyApp/one/A", "B=op://Other/two/B"), onepassword.Declaration{Environment: "env"}))
						if len(problem.Of(err)) != 1 && !strings.Contains(err.Error(), "Environments") {
							t.Errorf("%d problems of one cause: %v", len(problem.Of(err)), err)
						}
						return err
					},
					"key":    func(ctx context.Context) error { _, err := r.SSHKey(ctx, key); return err },
					"vaults": func(ctx context.Context) error { _, err := r.Vaults(ctx); return err },
					"items":  func(ctx context.Context) error { _, err := r.Items(ctx, "MyApp"); return err },
					"item":   func(ctx context.Context) error { _, err := r.Item(ctx, "MyApp", "three"); return err },
				}
				for what, ask := range asks {
					if err := ask(t.Context()); problem.Status(err) != problem.Refused {
						t.Errorf("%s: status %d of %v", what, problem.Status(err), err)
					}
				}
				// Connect's health page is asked for once more beyond it.
				if took := time.Since(began); took > onepassword.DefaultDeadline+2*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestResolver_AsksAgainAfterAnOutage: a run that lives long is not without
// 1Password for good.
func TestResolver_AsksAgainAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		fake := &fakeSDK{t: t, vaults: rulestest.Vaults(t), fault: func(string, int) error {
			if down {
				return errors.New("internal server error")
			}
			return nil
		}}
		r := fake.resolver(onepassword.Options{})
		if _, err := r.Vaults(t.Context()); err == nil {
			t.Error("passed")
		}
		down = false
		asked := len(fake.calls)
		if _, err := r.Vaults(t.Context()); err == nil || len(fake.calls) != asked {
			t.Errorf("at once: %v after %d calls", err, len(fake.calls)-asked)
		}
		time.Sleep(onepassword.DefaultDeadline)
		if _, err := r.Vaults(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
