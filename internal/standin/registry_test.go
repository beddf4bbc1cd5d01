package standin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"

	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit"
)

func startRegistry(t *testing.T, opts standin.RegistryOptions) *standin.Registry {
	t.Helper()
	registry, err := standin.StartRegistry(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := registry.Close(); err != nil {
			t.Error(err)
		}
	})
	return registry
}

func TestRegistry_AsksForTheOneUser(t *testing.T) {
	registry := startRegistry(t, standin.RegistryOptions{User: "sample", Password: "p:w"})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, c := range []struct {
		user, password string
		status         int
	}{
		{"sample", "p:w", http.StatusOK},
		{"sample", "p", http.StatusUnauthorized},
		{"", "", http.StatusUnauthorized},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+registry.Address()+"/v2/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.user != "" {
			request.SetBasicAuth(c.user, c.password)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("user %q: status %d, want %d", c.user, response.StatusCode, c.status)
		}
		if c.status == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("user %q: nothing says how to log in", c.user)
		}
	}
}

func TestRegistry_KeepsWhatIsPushed(t *testing.T) {
	for what, dir := range map[string]string{"in memory": "", "on disk": t.TempDir()} {
		t.Run(what, func(t *testing.T) {
			registry := startRegistry(t, standin.RegistryOptions{User: "sample", Password: "word", Dir: dir})
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			do := func(method, path, contentType string, body []byte) []byte {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), method, "http://"+registry.Address()+path, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.SetBasicAuth("sample", "word")
				request.Header.Set("Content-Type", contentType)
				response, err := (&http.Client{Transport: transport}).Do(request)
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				content, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode >= 300 {
					t.Fatalf("%s %s: %s %v %s", method, path, response.Status, err, content)
				}
				return content
			}
			blob := bytes.Repeat([]byte("a layer "), 1<<14)
			digest := fmt.Sprintf("sha256:%x", sha256.Sum256(blob))
			do(http.MethodPost, "/v2/example/myapp/blobs/uploads/?digest="+digest, "application/octet-stream", blob)
			const mediaType = "application/vnd.docker.distribution.manifest.v2+json"
			manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"digest":%q,"size":%d},"layers":[]}`, mediaType, digest, len(blob))
			do(http.MethodPut, "/v2/example/myapp/manifests/latest", mediaType, manifest)

			if got := do(http.MethodGet, "/v2/example/myapp/manifests/latest", "", nil); !bytes.Equal(got, manifest) {
				t.Errorf("manifest: %s", got)
			}
			if got := do(http.MethodGet, "/v2/example/myapp/blobs/"+digest, "", nil); !bytes.Equal(got, blob) {
				t.Errorf("the blob is another one, of %d bytes", len(got))
			}
			if dir != "" {
				if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
					t.Errorf("nothing is on disk: %v", err)
				}
			}
		})
	}
}

func TestRegistry_EndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	registry, err := standin.StartRegistry(ctx, standin.RegistryOptions{User: "sample", Password: "word"})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	testkit.WaitFor(t, "the registry's end", func() bool {
		response, err := (&http.Client{Transport: transport}).Get("http://" + registry.Address() + "/v2/")
		if err == nil {
			_ = response.Body.Close()
		}
		return err != nil
	})
	if err := registry.Close(); err != nil {
		t.Error(err)
	}
}
