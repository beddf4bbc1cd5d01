package program

import (
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"

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
