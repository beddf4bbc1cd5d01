//go:build !race

package coretest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// reset stands for a status: the server resets the HTTP/2 stream.
const reset = -1

// TestLogin_ProxyAndCA: the SDK's requests go through HTTPS_PROXY, trust
// SSL_CERT_FILE, and what comes back is told for what it is.
func TestLogin_ProxyAndCA(t *testing.T) {
	const host = "kamal-op-test.1password.com"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex
		status  int
		refuse  int  // the proxy's own answer, 0 where it lets through
		passing bool // the fault strikes once, and 401 comes after it
		asked   []string
	)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Host+r.URL.Path+" "+r.UserAgent())
		code := status
		if passing {
			status, passing = 401, false
		}
		if code == reset {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(code)
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	var connects []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connects = append(connects, r.Method+" "+r.Host)
		code := refuse
		if passing {
			refuse = 0
		}
		mu.Unlock()
		if code != 0 {
			w.WriteHeader(code)
			return
		}
		splice(w, server.Listener.Addr().String())
	}))
	defer proxy.Close()

	dir := private(t)
	if r := elsewhere(t, job{Do: "warm", Dirs: []string{dir}}); r.Err != "" {
		t.Fatal(r.Err)
	}
	const again = "refused the service account token" // the 401 after it was asked for
	for _, test := range []struct {
		name, ca string
		status   int
		refuse   int
		want     string
		requests int // of the server, or of the proxy where that refuses; 0 is several
	}{
		{"an unknown authority", "", 200, 0, "could not be trusted", -1},
		{"401", ca, 401, 0, "refused the service account token", 1},
		{"403", ca, 403, 0, "refused access", 1},
		{"404", ca, 404, 0, "refused the service account token", 1},
		{"429", ca, 429, 0, "rate limit is used up", 0}, // how many come before the deadline is the machine's
		{"500", ca, 500, 0, "could not be reached", 0},
		{"a passing 503", ca, 503, 0, again, 2},
		{"a passing reset of an HTTP/2 stream", ca, reset, 0, again, 2},
		{"a proxy's passing 504", ca, 401, 504, again, 2},
		{"a proxy's passing 429", ca, 401, 429, again, 2},
		{"a proxy's 407", ca, 200, 407, "the proxy of HTTPS_PROXY refused", 1},
		{"an empty answer", ca, 200, 0, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			mu.Lock()
			status, refuse, asked, connects = test.status, test.refuse, nil, nil
			passing = strings.Contains(test.name, "passing")
			mu.Unlock()
			env := []string{"HTTPS_PROXY=" + proxy.URL, "NO_PROXY="}
			if test.ca != "" {
				env = append(env, "SSL_CERT_FILE="+test.ca)
			}
			r := elsewhere(t, job{Do: "login", Token: token(host), Dirs: []string{dir}}, env...)
			if r.Err == "" || !strings.Contains(r.Err, test.want) || strings.Contains(r.Err, "\n") {
				t.Errorf("%+v", r)
			}
			t.Log(r.Err)
			mu.Lock()
			defer mu.Unlock()
			if len(connects) == 0 || connects[0] != "CONNECT "+host+":443" {
				t.Errorf("the proxy saw %v", connects)
			}
			count := len(asked)
			if test.refuse != 0 {
				count = len(connects)
			}
			switch {
			case test.requests < 0 && len(asked) > 0:
				t.Errorf("%d requests went to a server that is not trusted", len(asked))
			case test.requests > 0 && count != test.requests, test.requests == 0 && count < 2:
				t.Errorf("%d requests: %v", count, asked)
			}
			for _, a := range asked {
				if !strings.HasPrefix(a, host+"/api/") || !strings.Contains(a, "kamal-op/") {
					t.Errorf("an unexpected request: %s", a)
				}
			}
		})
	}
}

// splice joins the connection of a CONNECT request with an address.
func splice(w http.ResponseWriter, address string) {
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	target, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer target.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() { _, _ = io.Copy(target, client) }()
	_, _ = io.Copy(client, target)
}
