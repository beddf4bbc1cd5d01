package watch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"

	"github.com/kamal-op/kamal-op/internal/doctor"
)

// soon is before the end of a certificate: kamal-proxy gets a new one thirty days
// before, so that one this near its end is not being renewed.
const soon = 14 * 24 * time.Hour

// certificateTime is how long a host may take to show its certificate.
const certificateTime = 10 * time.Second

// Certificates are how the certificates of an app's hosts are looked at.
type Certificates struct {
	Hosts func(ctx context.Context) []string                                   // that are served with TLS
	Dial  func(ctx context.Context, network, address string) (net.Conn, error) // nil is the network's
	Roots *x509.CertPool                                                       // nil is the system's
	Now   func() time.Time
}

// Check looks how long each host's certificate holds, and whether it is good.
func (c Certificates) Check() doctor.Check {
	return doctor.Check{Area: areaDrift, Name: "certificates", Look: func(ctx context.Context) (found []doctor.Finding) {
		for _, host := range c.Hosts(ctx) {
			found = append(found, c.look(ctx, host))
		}
		return found
	}}
}

// look looks at one host. What an address does not answer is no finding: a runner may
// not reach where an app's users come from.
func (c Certificates) look(ctx context.Context, host string) doctor.Finding {
	f := doctor.Finding{Area: areaDrift, Check: "certificate", About: host}
	ctx, cancel := context.WithTimeout(ctx, certificateTime)
	defer cancel()
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, "443"))
	if err != nil {
		f.State, f.Text, f.Hint = doctor.Unseen, "its certificate", "it does not answer from here: "+err.Error()
		return f
	}
	client := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: c.Roots, Time: c.Now, MinVersion: tls.VersionTLS12})
	defer client.Close() //nolint:errcheck // it was only looked at
	if err := client.HandshakeContext(ctx); err != nil {
		f.State, f.Text = doctor.Wrong, "its certificate is not good: "+err.Error()
		f.Hint = "`kamal-op kamal -- proxy logs` says why kamal-proxy gets no other; with a certificate of your own, put a new one in its place"
		var invalid *tls.CertificateVerificationError
		if !errors.As(err, &invalid) {
			f.State, f.Text, f.Hint = doctor.Unseen, "its certificate", "there is no TLS: "+err.Error()
		}
		return f
	}
	end := client.ConnectionState().PeerCertificates[0].NotAfter
	f.State, f.Text = doctor.Well, "its certificate holds until "+end.UTC().Format("2006-01-02")
	if end.Sub(c.Now()) < soon {
		f.State = doctor.Wrong
		f.Hint = "kamal-proxy renews its own thirty days before: `kamal-op kamal -- proxy logs` says why not; put a new one in the place of your own"
	}
	return f
}
