package native

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A server that fails for a moment is asked again, one that has no such file is not.
func TestLaunch_serverThatFails(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	r.answer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if len(r.asked()) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.serveRelease(w, req)
	}))
	r.start("launch.js").ends(t, 0, "called")

	r = newRunner(t)
	r.env["INPUT_MIRROR"] = strings.Replace(r.server.URL, "//", "//someone:hidden@", 1) + "/nothing"
	r.answer(http.NotFoundHandler())
	log := r.start("launch.js").ends(t, 3, "::error::", r.server.URL+"/nothing/"+releaseName()+".tar.gz cannot be downloaded: the server answers 404", "HTTPS_PROXY")
	if strings.Contains(log, "hidden") || len(r.asked()) != 1 {
		t.Errorf("asked for %q\n%s", r.asked(), log)
	}
}

// Redirects are followed, but not out of TLS, and not for ever.
func TestLaunch_redirects(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, r.server.URL+req.URL.Path, http.StatusFound)
	}))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	r.answer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if rest, ok := strings.CutPrefix(req.URL.Path, "/from"); ok {
			http.Redirect(w, req, "/to"+rest, http.StatusFound)
			return
		}
		r.serveRelease(w, req)
	}))
	r.env["INPUT_MIRROR"] = r.server.URL + "/from"
	r.start("launch.js").ends(t, 0, "called")

	r.env["RUNNER_TOOL_CACHE"] = r.file("empty")
	r.env["NODE_EXTRA_CA_CERTS"] = r.certificate(secure)
	r.env["INPUT_MIRROR"] = secure.URL
	r.start("launch.js").ends(t, 3, "it redirects to "+r.server.URL+", which is not https")

	r.answer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, req.URL.Path, http.StatusFound) }))
	r.env["INPUT_MIRROR"] = r.server.URL
	r.start("launch.js").ends(t, 3, "it redirects too often")

	delete(r.env, "NODE_EXTRA_CA_CERTS") // nobody vouches for the server
	r.env["INPUT_MIRROR"] = secure.URL
	r.start("launch.js").ends(t, 3, "cannot be downloaded", "NODE_EXTRA_CA_CERTS")
}

// certificate is a file with the certificate of a server.
func (r *runner) certificate(server *httptest.Server) string {
	file := r.file("ca.pem")
	r.write(file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return file
}

// A server is reached through the proxy that the environment has for it.
func TestLaunch_proxy(t *testing.T) {
	t.Parallel()
	var (
		r      = newRunner(t)
		secure = httptest.NewUnstartedServer(r) // its certificate is for example.com, too
		mu     sync.Mutex
		seen   []string
	)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	secure.StartTLS()
	t.Cleanup(secure.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		seen = append(seen, req.Method+" "+req.RequestURI+" "+req.Header.Get("Proxy-Authorization"))
		mu.Unlock()
		if req.Method != http.MethodConnect {
			r.serveRelease(w, req)
			return
		}
		to, err := net.Dial("tcp", secure.Listener.Addr().String())
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		from, _, _ := w.(http.Hijacker).Hijack()
		defer from.Close()
		_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() { _, _ = io.Copy(to, from) }()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(proxy.Close)
	r.env["NODE_EXTRA_CA_CERTS"] = r.certificate(secure)
	address := strings.Replace(proxy.URL, "//", "//someone:hid%20den@", 1)
	const credentials = "Basic c29tZW9uZTpoaWQgZGVu"
	for _, test := range []struct {
		name, mirror string
		env          map[string]string
		proxied      string // "" goes without
	}{
		{"https", "https://example.com", map[string]string{"HTTPS_PROXY": address}, "CONNECT example.com:443 " + credentials},
		{"lower case, without scheme", "https://example.com", map[string]string{"https_proxy": strings.TrimPrefix(proxy.URL, "http://")}, "CONNECT example.com:443 "},
		{"http", "http://example.com", map[string]string{"HTTP_PROXY": address}, "GET http://example.com/" + releaseName() + ".tar.gz " + credentials},
		{"another scheme's", secure.URL, map[string]string{"HTTP_PROXY": address}, ""},
		{"not for this host", secure.URL, map[string]string{"HTTPS_PROXY": address, "NO_PROXY": "localhost, 127.0.0.1"}, ""},
		{"not for this port", secure.URL, map[string]string{"HTTPS_PROXY": address, "no_proxy": strings.TrimPrefix(secure.URL, "https://")}, ""},
		{"for no host", secure.URL, map[string]string{"HTTPS_PROXY": address, "NO_PROXY": "*"}, ""},
		{"other hosts excepted", "https://www.example.com", map[string]string{"HTTPS_PROXY": address, "NO_PROXY": "ww.example.com,.www.example.com.,:443,example.com:80"}, "CONNECT www.example.com:443 " + credentials},
	} {
		t.Run(test.name, func(t *testing.T) {
			mu.Lock()
			seen = nil
			mu.Unlock()
			step := &runner{t: t, dir: r.dir, env: map[string]string{}}
			for name, value := range r.env {
				step.env[name] = value
			}
			for name, value := range test.env {
				step.env[name] = value
			}
			step.env["RUNNER_TOOL_CACHE"] = t.TempDir()
			step.env["INPUT_MIRROR"] = test.mirror
			step.start("launch.js").ends(t, 0, "called")
			mu.Lock()
			defer mu.Unlock()
			if got := strings.Join(seen, "\n"); !strings.HasPrefix(got, test.proxied) || (got == "") != (test.proxied == "") {
				t.Errorf("the proxy saw %q, not %q", got, test.proxied)
			}
		})
	}
}
