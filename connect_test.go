package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kamal-op/kamal-op/internal/standin"
)

// secure has the script's vault answer over TLS as well, and names it as the Connect
// host; its certificate is written to a file: secure FILE.
func secure(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: secure FILE")
	}
	target, err := url.Parse(ts.Value("vault").(*standin.Vault).URL())
	ts.Check(err)
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	ts.Defer(server.Close)
	ts.Setenv("OP_CONNECT_HOST", server.URL)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), certificate, 0o600))
}

// serviceToken is a well-formed token of a service account whose account is at an
// address that 1Password's SDK sends nothing to. Its parts open nothing.
func serviceToken() string {
	text, err := json.Marshal(map[string]any{
		"signInAddress": "127.0.0.1",
		"userAuth":      map[string]any{"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650000, "salt": strings.Repeat("A", 22)},
		"email":         "sample@1passwordserviceaccounts.com",
		"srpX":          strings.Repeat("5a", 32),
		"muk":           map[string]any{"alg": "A256GCM", "ext": true, "k": (rand.Text() + rand.Text())[:43], "key_ops": []string{"encrypt", "decrypt"}, "kty": "oct", "kid": "mp"},
		"secretKey":     "A3-SAMPLE-SAMPLE-SAMPL-SAMPL-SAMPL-SAMPL",
		"deviceUuid":    strings.Repeat("a", 26),
	})
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return "ops_" + base64.RawURLEncoding.EncodeToString(text)
}
