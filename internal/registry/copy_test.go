package registry_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	stand "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/registry"
	"github.com/kamal-op/kamal-op/mask"
)

// A place is a registry in which each repository has a user and a password of its own.
type place struct {
	t     *testing.T
	host  string
	users map[string][2]string // by repository

	mu    sync.Mutex
	wrong func(w http.ResponseWriter, r *http.Request) bool // answers in the registry's place, where it says so
}

// answers sets what answers in the registry's place.
func (p *place) answers(wrong func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrong = wrong
}

func (p *place) answered(w http.ResponseWriter, r *http.Request) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wrong != nil && p.wrong(w, r)
}

func newPlace(t *testing.T, repositories ...string) *place {
	t.Helper()
	p := &place{t: t, users: map[string][2]string{}}
	for _, repository := range repositories {
		p.users[repository] = [2]string{"user-of-" + repository, "password-of-" + repository}
	}
	inner := stand.New(stand.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		may := r.URL.Path == "/v2/" && user != ""
		for repository, who := range p.users {
			may = may || strings.HasPrefix(r.URL.Path, "/v2/"+repository+"/") && [2]string{user, password} == who
		}
		switch {
		case !may:
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		case !p.answered(w, r):
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.host = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *place) repository(of, path string) registry.Repository {
	return registry.Repository{Of: of, Name: p.host + "/" + path, Username: p.users[path][0], Password: mask.NewSecret("", p.users[path][1])}
}

// login is what a test itself uses.
func (p *place) login(path string) remote.Option {
	return remote.WithAuth(&authn.Basic{Username: p.users[path][0], Password: p.users[path][1]})
}

// holds puts an image of two platforms into a repository, and gives its digest.
func (p *place) holds(path, tag string) (v1.ImageIndex, string) {
	p.t.Helper()
	index, err := random.Index(512, 2, 2)
	if err != nil {
		p.t.Fatal(err)
	}
	p.takes(path, tag, index)
	digest, err := index.Digest()
	if err != nil {
		p.t.Fatal(err)
	}
	return index, digest.String()
}

// takes puts an image into a repository.
func (p *place) takes(path, tag string, index v1.ImageIndex) {
	p.t.Helper()
	at, err := name.NewTag(p.host + "/" + path + ":" + tag)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := remote.WriteIndex(at, index, p.login(path)); err != nil {
		p.t.Fatal(err)
	}
}

// has fails the test where a repository does not have the image under the tag, whole.
func (p *place) has(path, tag string, want v1.ImageIndex) {
	p.t.Helper()
	at, err := name.NewTag(p.host + "/" + path + ":" + tag)
	if err != nil {
		p.t.Fatal(err)
	}
	got, err := remote.Index(at, p.login(path))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, index := range []v1.ImageIndex{want, got} {
		manifest, err := index.IndexManifest()
		if err != nil || len(manifest.Manifests) != 2 {
			p.t.Fatalf("%+v, %v", manifest, err)
		}
		for _, of := range manifest.Manifests {
			image, err := got.Image(of.Digest)
			if err != nil {
				p.t.Fatal(err)
			}
			layers, err := image.Layers()
			if err != nil {
				p.t.Fatal(err)
			}
			for _, layer := range layers {
				r, err := layer.Compressed()
				if err != nil {
					p.t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil { // which is held to its digest
					p.t.Error(err)
				}
				r.Close()
			}
		}
	}
}

// An image of several platforms comes with all of them, under the same digest, from one
// registry to another and within one, each side with a login of its own. Docker's own
// logins and stores are not asked.
func TestCopy(t *testing.T) {
	docker, bin := t.TempDir(), t.TempDir()
	asked := filepath.Join(bin, "asked")
	for path, text := range map[string]string{
		filepath.Join(docker, "config.json"):             `{"credsStore": "recorder"}`,
		filepath.Join(bin, "docker-credential-recorder"): "#!/bin/sh\necho \"$1\" >>" + asked + "\nexit 1\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("DOCKER_CONFIG", docker)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	one, two := newPlace(t, "staging/app", "production/app"), newPlace(t, "app")
	index, digest := one.holds("staging/app", "v1")
	gone := "sha256:" + strings.Repeat("0", 64)
	for called, to := range map[string]struct {
		at   *place
		path string
	}{"another registry": {two, "app"}, "another repository": {one, "production/app"}} {
		c, err := registry.Find(t.Context(), one.repository("staging", "staging/app"), []string{gone, digest}, to.at.repository("production", to.path), "v1")
		if err != nil {
			t.Fatalf("%s: %v", called, err)
		}
		if c.There || c.From != one.host+"/staging/app@"+digest || c.To != to.at.host+"/"+to.path+":v1" {
			t.Errorf("%s: %+v", called, c)
		}
		if err := c.Run(t.Context()); err != nil || !c.There {
			t.Fatalf("%s: %v, %v", called, c.There, err)
		}
		to.at.has(to.path, "v1", index)
		writes := 0
		to.at.answers(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				writes++
			}
			return false
		})
		again, err := registry.Find(t.Context(), one.repository("staging", "staging/app"), []string{digest}, to.at.repository("production", to.path), "v1")
		if err != nil || !again.There || again.Run(t.Context()) != nil || writes > 0 {
			t.Errorf("%s, once more: %+v, %v, %d writes", called, again, err, writes)
		}
	}
	if text, err := os.ReadFile(asked); err == nil {
		t.Errorf("docker's store was asked: %s", text)
	}
}

// What is wrong is said of the side that it is wrong with, before anything is copied where
// that can be known, and without the password.
func TestCopy_SaysWhichSideRefuses(t *testing.T) {
	answer := func(status int, when func(r *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if when(r) {
				w.WriteHeader(status)
			}
			return when(r)
		}
	}
	isWrite := func(r *http.Request) bool { return r.Method == http.MethodPost || r.Method == http.MethodPut }
	for called, test := range map[string]struct {
		set     func(from, to *place, source, target *registry.Repository)
		digest  string // "" is the image's
		finds   string // what Find says, "" where it finds
		refused string // what Run says, "" where it copies
		only    bool   // it is all that is said
	}{
		"the login of the source": {
			set: func(_, _ *place, source, _ *registry.Repository) {
				source.Password = mask.NewSecret("", "password-of-nobody")
			},
			finds: "refuses the login of staging, while the image is read: 401 Unauthorized",
		},
		"the login of the target": {
			set:   func(_, _ *place, _, target *registry.Repository) { target.Username = "" },
			finds: "refuses the login of production, while whether it takes the image is asked: 401 Unauthorized",
		},
		"an image that is gone": {digest: "sha256:" + strings.Repeat("1", 64), finds: "the registry of staging has no "},
		"an image that is gone, and another of the name": {
			digest: "sha256:" + strings.Repeat("1", 64), finds: "the registry of staging has no ", only: true,
			set: func(_, to *place, _, _ *registry.Repository) { to.holds("app", "v1") },
		},
		"another image of the name": {
			set:   func(_, to *place, _, _ *registry.Repository) { to.holds("app", "v1") },
			finds: "the registry of production has another image as ",
		},
		"a source that fails": {
			set: func(from, _ *place, _, _ *registry.Repository) {
				from.answers(answer(http.StatusNotImplemented, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }))
			},
			finds: "the registry of staging (HOST) fails, while the image is read: 501",
		},
		"a target that fails": {
			set: func(_, to *place, _, _ *registry.Repository) {
				to.answers(answer(http.StatusNotImplemented, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }))
			},
			finds: "the registry of production (HOST) fails, while whether it has the image is asked: 501",
		},
		"no repository": {
			set:   func(_, _ *place, _, target *registry.Repository) { target.Name = "A B" },
			finds: "A B of production is no repository that a registry can have",
		},
		"a source that gives no layers": {
			set: func(from, _ *place, _, _ *registry.Repository) {
				from.answers(answer(http.StatusForbidden, func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }))
			},
			refused: "refuses the login of staging, while the image is copied: 403 Forbidden",
		},
		"a target that may be read alone": {
			set:     func(_, to *place, _, _ *registry.Repository) { to.answers(answer(http.StatusForbidden, isWrite)) },
			refused: "refuses the login of production, while the image is copied: 403 Forbidden",
		},
		"a target that says nothing of what it has not": {
			set: func(_, to *place, _, _ *registry.Repository) {
				empty := true
				to.answers(func(w http.ResponseWriter, r *http.Request) bool {
					empty = empty && r.Method != http.MethodPut
					return answer(http.StatusForbidden, func(r *http.Request) bool { return empty && strings.Contains(r.URL.Path, "/manifests/") })(w, r)
				})
			},
		},
		"a target that makes something else of it": {
			set: func(_, to *place, _, _ *registry.Repository) {
				written := false
				to.answers(func(w http.ResponseWriter, r *http.Request) bool {
					written = written || r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v1")
					if !written || r.Method != http.MethodHead {
						return false
					}
					w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
					w.Header().Set("Content-Length", "9")
					w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("2", 64))
					return true
				})
			},
			refused: "the registry of production has made another image of the copy: ",
		},
	} {
		t.Run(called, func(t *testing.T) {
			from, to := newPlace(t, "app"), newPlace(t, "app")
			_, digest := from.holds("app", "v1")
			source, target := from.repository("staging", "app"), to.repository("production", "app")
			if test.set != nil {
				test.set(from, to, &source, &target)
			}
			if test.digest != "" {
				digest = test.digest
			}
			c, err := registry.Find(t.Context(), source, []string{digest}, target, "v1")
			expect(t, err, test.finds, from, to)
			if test.only && len(problem.Of(err)) != 1 {
				t.Errorf("%v", err)
			}
			if err != nil {
				return
			}
			expect(t, c.Run(t.Context()), test.refused, from, to)
		})
	}
}

// expect holds an error to what it should say: it has a hint, and no password.
func expect(t *testing.T, err error, want string, places ...*place) {
	t.Helper()
	if (err == nil) != (want == "") {
		t.Fatalf("%v, want %q", err, want)
	}
	if err == nil {
		return
	}
	p := problem.Of(err)[0]
	text := p.Message
	for _, at := range places {
		text = strings.ReplaceAll(text, at.host, "HOST")
	}
	if !strings.Contains(text, want) || p.Hint == "" || problem.Status(err) != problem.Found {
		t.Errorf("%+v, want %q", p, want)
	}
	if strings.Contains(err.Error()+p.Hint, "password-of-") {
		t.Errorf("a password: %v", err)
	}
}

// Both sides are told at once, and one that is not there as that.
func TestFind_TellsBothSides(t *testing.T) {
	nobody := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(nobody.URL, "http://")
	nobody.Close()
	at := newPlace(t, "app")
	wrong := at.repository("staging", "app")
	wrong.Username = "nobody"
	_, err := registry.Find(t.Context(), wrong, []string{"sha256:" + strings.Repeat("1", 64)}, registry.Repository{Of: "production", Name: host + "/app"}, "v1")
	list := problem.Of(err)
	if len(list) != 2 || !strings.Contains(list[0].Message, "refuses the login of staging") || !strings.Contains(list[1].Message, "the registry of production ("+host+") does not answer, while") {
		t.Errorf("%v", err)
	}
}

// What has been given the tag since it was looked for is not replaced, nor copied again.
func TestCopy_LooksOnceMore(t *testing.T) {
	for called, same := range map[string]bool{"another image": false, "the same image": true} {
		from, to := newPlace(t, "app"), newPlace(t, "app")
		index, digest := from.holds("app", "v1")
		c, err := registry.Find(t.Context(), from.repository("staging", "app"), []string{digest}, to.repository("production", "app"), "v1")
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		if same {
			to.takes("app", "v1", index)
		} else {
			index, _ = to.holds("app", "v1")
			want = "the registry of production has another image as "
		}
		to.answers(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				t.Errorf("%s: %s %s", called, r.Method, r.URL.Path)
			}
			return false
		})
		expect(t, c.Run(t.Context()), want, from, to)
		to.has("app", "v1", index)
	}
}

// A run that is over says nothing of registries.
func TestCopy_OfARunThatIsOver(t *testing.T) {
	from, to := newPlace(t, "app"), newPlace(t, "app")
	_, digest := from.holds("app", "v1")
	ctx, cancel := context.WithCancel(t.Context())
	c, err := registry.Find(ctx, from.repository("staging", "app"), []string{digest}, to.repository("production", "app"), "v1")
	if err != nil {
		t.Fatal(err)
	}
	to.answers(func(http.ResponseWriter, *http.Request) bool { cancel(); return false })
	if err := c.Run(ctx); !errors.Is(err, context.Canceled) || c.There {
		t.Errorf("%v", err)
	}
	if _, err := registry.Find(ctx, from.repository("staging", "app"), []string{digest}, to.repository("production", "app"), "v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Nor does it wait for a registry, where it is asked whether it takes the image.
func TestFind_OfARunThatEndsMeanwhile(t *testing.T) {
	from, to := newPlace(t, "app"), newPlace(t, "app")
	_, digest := from.holds("app", "v1")
	ctx, cancel := context.WithCancel(t.Context())
	to.answers(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		cancel()
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
			t.Error("it is still waited for")
		}
		return true
	})
	if _, err := registry.Find(ctx, from.repository("staging", "app"), []string{digest}, to.repository("production", "app"), "v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if ctx.Err() == nil {
		t.Error("it was not asked")
	}
}

// The upload that asks a registry whether it takes the image is given up before that is
// known, so that a run that ends then leaves nothing behind: no upload, and nobody that
// still speaks to the registry.
func TestFind_GivesUpTheUploadThatAsks(t *testing.T) {
	from, to := newPlace(t, "app"), newPlace(t, "app")
	_, digest := from.holds("app", "v1")
	var begun, givenUp atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The run is ended as the upload has been begun.
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) {
		if begun.Load() == 1 {
			cancel()
		}
	}})
	to.answers(func(w http.ResponseWriter, r *http.Request) bool {
		switch r.Method {
		case http.MethodPost:
			begun.Add(1)
			w.Header().Set("Location", "/v2/app/blobs/uploads/1?state=a%2Fb")
			w.WriteHeader(http.StatusAccepted)
		case http.MethodDelete:
			if r.URL.String() == "/v2/app/blobs/uploads/1?state=a%2Fb" {
				givenUp.Add(1)
			}
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
		return true
	})
	if _, err := registry.Find(ctx, from.repository("staging", "app"), []string{digest}, to.repository("production", "app"), "v1"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if begun.Load() != 1 || givenUp.Load() != 1 {
		t.Errorf("uploads: %d, and %d of them given up", begun.Load(), givenUp.Load())
	}
}
