package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates that nobody but this test trusts.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         string
}

// newCertificate makes a certificate and its key, signed by parent, or by itself
// where that is nil.
func newCertificate(t *testing.T, template *x509.Certificate, parent *authority) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := authority{certificate: template, key: key}
	if parent != nil {
		signer = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{made, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// keyPEM is the key as a secret holds it.
func (a authority) keyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// secure gives the previews a wildcard certificate out of the vault, and gives the
// authority that has signed it.
func (h *theater) secure() authority {
	h.t.Helper()
	ca := newCertificate(h.t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "the team's own"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
	wildcard := newCertificate(h.t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "previews"}, DNSNames: []string{"*." + h.project.Domain}, KeyUsage: x509.KeyUsageDigitalSignature,
	}, &ca)
	h.values["REVIEW_CERT"], h.values["REVIEW_KEY"] = wildcard.pem, wildcard.keyPEM(h.t)
	for _, name := range []string{"REVIEW_CERT", "REVIEW_KEY"} {
		if err := h.vault.SetField("MyApp", "Production", name, h.values[name]); err != nil {
			h.t.Fatal(err)
		}
	}
	h.project.edit("config/deploy.review.yml", "ssl: false", "ssl: {certificate_pem: REVIEW_CERT, private_key_pem: REVIEW_KEY}")
	secrets := append([]string{"KAMAL_REGISTRY_PASSWORD", "REVIEW_CERT", "REVIEW_KEY"}, h.project.Secrets...)
	h.project.write(".kamal/secrets.review", passedThrough(secrets...))
	return ca
}

// database gives the project a PostgreSQL server as an accessory that previews share,
// and each preview a database of its own, which its app needs. It gives the names of
// the databases that are there.
func (h *theater) database() (names func() []string) {
	h.t.Helper()
	s, name, image := h.servers[0], h.project.Service+"-sql", h.project.Service+"-sql:1"
	// The server makes the image in its own engine.
	s.mustExec(h.t, "sh", "-c", `database 2>/tmp/database.log | docker import --change "USER postgres" --change "ENV PATH=/bin PGHOST=/var/run/postgresql" --change "CMD [\"postgres\", \"-D\", \"/var/lib/postgresql/data\"]" - "$1" >/dev/null`, "-", image)
	h.t.Cleanup(func() {
		s.remove(h.t, name)
		s.mustExec(h.t, "docker", "image", "rm", "--force", image)
	})
	deploy, err := os.ReadFile(filepath.Join(h.project.Dir, "config/deploy.yml"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.project.write("config/deploy.yml", string(deploy)+"  sql:\n    image: "+image+"\n    host: "+s.Address+"\n    service: "+name+"\n")
	review, err := os.ReadFile(filepath.Join(h.project.Dir, "config/deploy.review.yml"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.project.write("config/deploy.review.yml", string(review)+"env:\n  clear:\n    DATABASE_ADDRESS: "+name+`:5432
    DATABASE_NAME: <%= ENV.fetch("REVIEW_SERVICE").tr("-", "_") %>
`)
	return func() []string {
		h.t.Helper()
		return strings.Fields(s.mustExec(h.t, "docker", "exec", name, "psql", "-tAc", "select datname from pg_database order by 1"))
	}
}

// over asks a server for a host, by TLS and with no other authority than this one.
func (a authority) over(server, host string) (*http.Response, error) {
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(server, "443"))
		},
	}}
	return client.Get("https://" + host + "/up")
}

// A preview by https, with a certificate out of the vault that an authority of the
// team's own has signed, and with a database of its own in a server that previews
// share: made before the app begins, dropped when it has stopped, on a second deploy
// left as it is.
func TestReviewAppWithTLSAndADatabase(t *testing.T) {
	t.Parallel()
	h := newTheater(t)
	ca := h.secure()
	databases := h.database()
	h.project.commit()
	h.open(1)
	one := h.heads[1]
	one.url = "https://" + one.host
	name := strings.ReplaceAll(one.service, "-", "_")
	command := func(args ...string) []string {
		argv := h.command("event", "--shared-accessories", "sql",
			"--secret", "REVIEW_CERT=op://MyApp/Production/REVIEW_CERT", "--secret", "REVIEW_KEY=op://MyApp/Production/REVIEW_KEY",
			"--review-create", "sql: createdb {database} || true", "--review-drop", "sql: dropdb --if-exists {database}")
		return append(argv, args...)
	}
	h.succeeded(one.run(h.job(), append([]string{"kamal-op", "kamal"}, append(h.flags(), "--", "accessory", "boot", "sql")...)...))
	before := databases()

	// Who asks trusts the team's authority beside the system's.
	trust := filepath.Join(one.project.Dir, ".git", "authorities") // git does not see it there
	if err := os.Mkdir(trust, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trust, "team.pem"), []byte(ca.pem), 0o644); err != nil {
		t.Fatal(err)
	}
	env := h.event(1, "opened")
	env["SSL_CERT_DIR"] = trust
	one.remember()
	h.succeeded(one.run(env, command()...))
	h.clean(one.machine)
	h.told(1, one.url, "success")
	resp, err := ca.over(h.servers[0].Address, one.host)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.TLS.PeerCertificates[0].Subject.CommonName; resp.StatusCode != http.StatusOK || got != "previews" {
		t.Errorf("it answers %s, with the certificate of %q", resp.Status, got)
	}
	if status, err := get(h.servers[0].Address, one.host); err != nil || status != http.StatusMovedPermanently {
		t.Errorf("without TLS it answers %d, %v", status, err)
	}
	if got := databases(); !slices.Equal(got, slices.Sorted(slices.Values(append(slices.Clone(before), name)))) {
		t.Errorf("the databases are %q, and were %q", got, before)
	}

	// Who does not trust it is told why, and that the preview does not count.
	h.push(1)
	res := one.run(h.event(1, "synchronize"), command("--ready-timeout", "1s")...)
	h.ended(res, 5)
	if !strings.Contains(res.Log, "its certificate is not accepted: x509: certificate signed by unknown authority") {
		t.Errorf("the log does not say why\n%s", res.Log)
	}
	h.told(1, "its certificate is not accepted", "success", "failure")

	h.close(1)
	h.succeeded(one.run(h.event(1, "closed"), command()...))
	h.told(1, "was removed", "inactive", "inactive")
	if got := databases(); !slices.Equal(got, before) {
		t.Errorf("the databases are %q, and were %q", got, before)
	}
	if left := h.previews(); left != "" {
		t.Errorf("left of the preview, which had a key on the host:\n%s", left)
	}
}
