package standin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"
)

// tunnels are the connections that the proxy's clients asked for with CONNECT, as a
// listener: whoever serves on it is what they lead to.
type tunnels struct {
	addr   net.Addr
	opened chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func newTunnels(addr net.Addr) *tunnels {
	return &tunnels{addr: addr, opened: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept is the next tunnel.
func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.opened:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

// Close has Accept end; tunnels that are open stay.
func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

// Addr is the proxy's.
func (t *tunnels) Addr() net.Addr { return t.addr }

// handler is the proxy: it opens tunnels to the host, and refuses all others as a
// proxy with a list does.
func (t *tunnels) handler(host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != net.JoinHostPort(host, "443") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			_ = conn.Close() // its client is gone
			return
		}
		select {
		case t.opened <- conn:
		case <-t.closed:
			_ = conn.Close() // there is nobody to serve it
		}
	})
}

// newAuthority makes an authority of one certificate: its own in PEM, and the host's.
func newAuthority(host string) (ca []byte, certificate tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, certificate, fmt.Errorf("making a key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kamal-op stand-in"}, DNSNames: []string{host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, certificate, fmt.Errorf("making a certificate: %w", err)
	}
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), certificate, nil
}
