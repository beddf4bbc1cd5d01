package standin_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// TestCloud_RefusesRequestsBeforeSigningIn: what the SDK's core does is tried with the core
// itself, beside internal/onepassword. Here is what a client gets that does less.
func TestCloud_RefusesRequestsBeforeSigningIn(t *testing.T) {
	cloud, err := standin.StartCloud(t.Context(), standin.CloudOptions{Vaults: []standin.VaultSpec{{Name: "MyApp"}}})
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := url.Parse(cloud.Proxy())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cloud.CA())
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer func() {
		client.CloseIdleConnections()
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	}()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cloud.Token(), "ops_"))
	if err != nil {
		t.Fatal(err)
	}
	var token struct{ SignInAddress, Email, SecretKey, DeviceUUID string }
	if err := json.Unmarshal(raw, &token); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, body, session string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+token.SignInAddress+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-AgileBits-Session-Id", session)
		req.Header.Set("X-AgileBits-MAC", "v1|1|AAAAAAAAAAAAAAAA")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	name := func(email string) string {
		text, err := json.Marshal(map[string]string{"email": email, "skFormat": "A3", "skid": token.SecretKey[3:9], "deviceUuid": token.DeviceUUID})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var begun struct{ SessionID string }
	status, text := ask("POST", "/api/v3/auth/start", name(token.Email), "")
	if err := json.Unmarshal([]byte(text), &begun); err != nil || status != 200 || begun.SessionID == "" {
		t.Fatalf("%d %s", status, text)
	}
	for _, test := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/api/v3/auth/start", name("other@example.com"), 401},
		{"POST", "/api/v3/auth/start", "{", 400},
		{"POST", "/api/v2/auth/confirm-key", `{"clientVerifyHash":""}`, 401},
		{"GET", "/api/v1/vaults", "", 401},
		{"POST", "/api/v2/auth", `{"userA":"0"}`, 400},
		{"POST", "/api/v2/auth", `{"userA":"zz"}`, 400},
		{"POST", "/api/v2/auth", `{"userA":"5"}`, 200},
		{"POST", "/api/v2/auth/confirm-key", `{"clientVerifyHash":"AAAA"}`, 401},
		{"POST", "/api/v2/auth/complete", `{}`, 401},
		{"GET", "/api/v2/account/keysets", "", 401},
		{"GET", "/api/v9", "", 404},
	} {
		if status, text := ask(test.method, test.path, test.body, begun.SessionID); status != test.status {
			t.Errorf("%s %s %s: %d %s, want %d", test.method, test.path, test.body, status, text, test.status)
		}
	}
	if _, err := client.Get("https://example.com/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("the proxy leads elsewhere: %v", err)
	}
}
