package onepassword_test

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/mask"
)

// resolve reads one field of the walkthrough through a client of these options.
func resolve(t *testing.T, o onepassword.ConnectOptions) error {
	t.Helper()
	backend, err := onepassword.NewConnect(o)
	if err != nil {
		return err
	}
	r := onepassword.NewResolver(backend, onepassword.Options{Deadline: time.Minute})
	got, err := r.Resolve(t.Context(), declare(t, "KEY=op://MyApp/Server/SSH_KEY"))
	if err == nil && got[0].Reveal() != "the key" {
		t.Error("the value is wrong")
	}
	return errors.Join(err, backend.Close())
}

func TestConnect_ChecksAddresses(t *testing.T) {
	options := walkthrough
	options.Prefix = "/some/prefix"
	vault, _ := startVault(t, options)
	token := mask.NewSecret("token", vault.Token())
	for _, host := range []string{vault.URL(), vault.URL() + "/", vault.URL() + "/v1", vault.URL() + "/v1/", " " + vault.URL() + "\n"} {
		if err := resolve(t, onepassword.ConnectOptions{Host: host, Token: token}); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
	for host, want := range map[string]string{
		"":                        "is empty",
		"connect:8080":            "has no http://",
		"//connect":               "has no http://",
		"ftp://connect":           "has no http://",
		"http://":                 "has no name",
		"http://user:pw@connect":  "holds a user",
		"http://connect?a=b":      "more than an address",
		"http://connect#a":        "more than an address",
		"http://connect:80 80":    "is not an address",
		connectToken():            "is a token",
		"ops_abc":                 "is a token",
		"http://[::1":             "is not an address",
		"https://connect\x7f.com": "is not an address",
	} {
		err := resolve(t, onepassword.ConnectOptions{Host: host, Token: token})
		if err == nil || !strings.Contains(err.Error(), want) || problem.Status(err) != problem.Usage {
			t.Errorf("%q: %v, want %q", host, err, want)
		}
	}
	if err := resolve(t, onepassword.ConnectOptions{Host: vault.URL(), Token: mask.NewSecret("token", connectToken())}); err == nil || !strings.Contains(err.Error(), "Invalid token signature") {
		t.Errorf("another token: %v", err)
	}
}

// TestConnect_TLS: a server with a certificate of its own authority.
func TestConnect_TLS(t *testing.T) {
	vault, _ := startVault(t, walkthrough)
	target, err := url.Parse(vault.URL())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	server.Config.ErrorLog = discardLog()
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	token := mask.NewSecret("token", vault.Token())
	if err := resolve(t, onepassword.ConnectOptions{Host: server.URL, Token: token, CA: ca}); err != nil {
		t.Error(err)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(server.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		o    onepassword.ConnectOptions
		want string
		most time.Duration
	}{
		"unknown authority": {onepassword.ConnectOptions{Host: server.URL}, "signed by an unknown authority", 40 * time.Second},
		"another name":      {onepassword.ConnectOptions{Host: "https://localhost:" + port, CA: ca}, "not valid for this host", 40 * time.Second},
		"plain":             {onepassword.ConnectOptions{Host: strings.Replace(vault.URL(), "http:", "https:", 1)}, "does not speak TLS", 40 * time.Second},
		"no certificate":    {onepassword.ConnectOptions{Host: server.URL, CA: []byte("none")}, "no certificate in it", 40 * time.Second},
		"TLS where plain":   {onepassword.ConnectOptions{Host: strings.Replace(server.URL, "https:", "http:", 1)}, "answered 400", 40 * time.Second},
		"no name":           {onepassword.ConnectOptions{Host: "http://no-such-host.invalid"}, "does not resolve", 40 * time.Second},
		"refused":           {onepassword.ConnectOptions{Host: "http://127.0.0.1:1"}, "the connection was refused", 40 * time.Second},
	} {
		test.o.Token = token
		began := time.Now()
		err := resolve(t, test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		if took := time.Since(began); took > test.most {
			t.Errorf("%s: it took %v", name, took)
		}
	}
}

// The token goes over no TLS that can be broken, whatever the server would take.
func TestConnect_OffersNoOldTLS(t *testing.T) {
	vault, _ := startVault(t, walkthrough)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) }))
	var offered atomic.Value
	server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered.Store(slices.Clone(hello.SupportedVersions))
		return nil, nil
	}}
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	c, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: server.URL, Token: mask.NewSecret("token", vault.Token()), CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Vaults(t.Context()); err != nil {
		t.Error(err)
	}
	_ = c.Close()
	versions, _ := offered.Load().([]uint16)
	if len(versions) == 0 || slices.Min(versions) < tls.VersionTLS12 {
		t.Errorf("the versions offered are %v", versions)
	}
}

// TestConnect_Proxy: requests go through the proxy that is chosen for them, and
// connections are kept.
func TestConnect_Proxy(t *testing.T) {
	vault, _ := startVault(t, walkthrough)
	var seen, opened atomic.Int64
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		seen.Add(1)
		r.Out.URL = r.In.URL
		r.Out.Host = ""
		r.Out.URL.Host = strings.TrimPrefix(vault.URL(), "http://")
	}})
	proxy.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	proxy.Start()
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	err = resolve(t, onepassword.ConnectOptions{Host: "http://connect.example:8080", Token: mask.NewSecret("token", vault.Token()), Proxy: at})
	if err != nil || seen.Load() != 3 || opened.Load() != 1 {
		t.Errorf("%d requests over %d connections: %v", seen.Load(), opened.Load(), err)
	}
}

func TestConnect_KnowsWhenItIsUnencrypted(t *testing.T) {
	for host, want := range map[string]bool{
		"http://127.0.0.1:8080":            false,
		"http://127.9.9.9:8080":            false,
		"http://[::1]:8080":                false,
		"http://[::ffff:10.0.0.1]:8080":    false,
		"http://localhost:8080":            false,
		"http://connect:8080":              false,
		"http://10.1.2.3":                  false,
		"http://172.16.0.1":                false,
		"http://172.32.0.1":                true,
		"http://192.168.1.1":               false,
		"http://169.254.1.1":               false,
		"http://100.64.0.1":                false,
		"http://100.128.0.1":               true,
		"http://[fd00::1]":                 false,
		"http://[2001:db8::1]":             true,
		"http://203.0.113.1:8080":          true,
		"http://connect.default.svc":       false,
		"http://connect.svc.cluster.local": false,
		"http://Connect.Internal.:8080":    false,
		"http://connect.example.com":       true,
		"http://10.0.0.1.example.com":      true,
		"http://local.example":             true,
		"http://3405803777:8080":           true, // 203.0.113.1, to a resolver of C's
		"http://0xcb007101":                true,
		"http://031300070401.":             true,
		"http://8x8":                       false,
		"https://connect.example.com":      false,
		"https://203.0.113.1":              false,
	} {
		c, err := onepassword.NewConnect(onepassword.ConnectOptions{Host: host, Token: mask.NewSecret("token", connectToken())})
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if c.InTheClear() != want {
			t.Errorf("%s: in the clear %v, want %v", host, !want, want)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, ok := range map[string]bool{
		"http://proxy:3128": true, "https://u:p@proxy": true, "socks5://127.0.0.1:1080": true,
		"": false, "proxy:3128": false, "ftp://proxy": false, "http://": false, "http://u:geheim@proxy:port": false,
	} {
		u, err := onepassword.ParseProxy(text)
		if (err == nil) != ok || ok && u.String() != text || err != nil && (strings.Contains(err.Error(), "geheim") || problem.Status(err) != problem.Usage) {
			t.Errorf("%q: %v, %v", text, u, err)
		}
	}
}

// TestConnect_ReportsAProxyThatRefuses: what a proxy answers in the server's place is the
// proxy's to mend, and asking again is no help.
func TestConnect_ReportsAProxyThatRefuses(t *testing.T) {
	for _, code := range []int{http.StatusProxyAuthRequired, http.StatusForbidden} {
		var asked atomic.Int64
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(code)
		}))
		at, err := url.Parse(proxy.URL)
		if err != nil {
			t.Fatal(err)
		}
		err = resolve(t, onepassword.ConnectOptions{Host: "https://connect.example", Token: mask.NewSecret("token", connectToken()), Proxy: at})
		// Beside the one try stands the question for the server's health.
		if err == nil || !strings.Contains(err.Error(), "the proxy refused") || asked.Load() != 2 {
			t.Errorf("%d: %d requests: %v", code, asked.Load(), err)
		}
		proxy.Close()
	}
}

// TestConnect_KeepsTheTokenToItself: not in an error, whatever a server echoes, and
// not sent on a redirect.
func TestConnect_KeepsTheTokenToItself(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	vault, err := standin.StartVault(t.Context(), standin.VaultOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer vault.Close()
	token := mask.NewSecret("token", vault.Token())
	for name, fault := range map[string]fault{
		"an echo": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"who sends ` + r.Header.Get("Authorization") + `?\nsecond line"}`))
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
	} {
		vault.SetFault(func(_ int, w http.ResponseWriter, r *http.Request) bool { fault(w, r); return true })
		err := resolve(t, onepassword.ConnectOptions{Host: vault.URL(), Token: token})
		if err == nil || strings.Contains(err.Error(), vault.Token()) || strings.Contains(problem.Of(err)[0].Message, "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if elsewhere.Load() != 0 {
		t.Error("the redirect was followed")
	}
}
