package hosts

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

var (
	errSeen    = errors.New("the host key was seen")
	errDiffers = errors.New("the host key differs")
)

// An attempt is one connection to one host.
type attempt struct {
	batch      *loginBatch
	target     Target
	ctx        context.Context
	through    *ssh.Client
	algorithms []string
	hostKey    ssh.PublicKey
	asked      bool   // a signature was asked for: the key is in authorized_keys
	used       string // fingerprint of the key that signed last
	offered    bool   // a key was offered at all
	heard      *greetingConn
	proxy      *proxy // nil without a command
}

func (a *attempt) run() (*ssh.Client, error) {
	conn, err := a.dial()
	if err != nil {
		return nil, err
	}
	// The client takes no context: the connection's end is its end.
	stop := context.AfterFunc(a.ctx, func() { _ = conn.Close() })
	defer stop()
	a.heard = &greetingConn{Conn: conn}
	c, channels, requests, err := ssh.NewClientConn(a.heard, a.target.address(), &ssh.ClientConfig{
		User:              a.target.user(),
		HostKeyAlgorithms: a.algorithms,
		HostKeyCallback:   a.seeHostKey,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(a.signers)},
		ClientVersion:     "SSH-2.0-kamal-op",
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

func (a *attempt) dial() (net.Conn, error) {
	if a.target.Command != "" {
		var err error
		a.proxy, err = startProxy(a.target, a.batch.o)
		return a.proxy, err
	}
	if a.through != nil {
		return a.through.DialContext(a.ctx, "tcp", a.target.address())
	}
	addresses := []string{a.target.Host}
	if net.ParseIP(a.target.Host) == nil {
		var err error
		if addresses, err = a.batch.o.Lookup(a.ctx, a.target.Host); err != nil {
			return nil, err
		}
	}
	// An address that does not answer leaves the others their share of the time.
	d := net.Dialer{Timeout: a.batch.o.Time / time.Duration(max(len(addresses), 1))}
	var last error = &net.DNSError{Err: "no address", Name: a.target.Host, IsNotFound: true}
	for _, address := range addresses {
		conn, err := d.DialContext(a.ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(a.target.port())))
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, last
}

func (a *attempt) seeHostKey(_ string, _ net.Addr, key ssh.PublicKey) error {
	a.hostKey = key
	if a.batch.o.Pins != nil && !a.batch.o.Pins.Accepts(a.target, key) && (!a.batch.scan || len(a.batch.o.Pins.of(a.target)) != 0) {
		return errDiffers
	}
	if a.batch.scan && a.batch.jumps[a.target.String()] == nil {
		return errSeen
	}
	return nil
}

func (a *attempt) signers() ([]ssh.Signer, error) {
	a.offered = true
	var out []ssh.Signer
	for _, k := range a.batch.o.Keys {
		if s, ok := k.Signer().(ssh.MultiAlgorithmSigner); ok {
			out = append(out, &recordingSigner{s, a})
		} else {
			out = append(out, k.Signer())
		}
	}
	return append(out, a.certified()...), nil
}

// certified are the keys with the certificates that are in files: of those that
// cannot be read, or are of other keys, nothing is known here.
func (a *attempt) certified() []ssh.Signer {
	var out []ssh.Signer
	for _, file := range a.target.Certificates {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		public, _, _, _, err := ssh.ParseAuthorizedKey(text)
		certificate, ok := public.(*ssh.Certificate)
		if err != nil || !ok {
			continue
		}
		for _, k := range a.batch.o.Keys {
			signer, err := ssh.NewCertSigner(certificate, k.Plain())
			if err != nil {
				continue
			}
			if s, ok := signer.(ssh.MultiAlgorithmSigner); ok {
				signer = &recordingSigner{s, a}
			}
			out = append(out, signer)
		}
	}
	return out
}

// recordingSigner is a signer that notes when it is asked for a signature: a client asks
// only once the server has said that the key is in authorized_keys.
type recordingSigner struct {
	ssh.MultiAlgorithmSigner
	attempt *attempt
}

func (w *recordingSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	w.attempt.asked = true
	w.attempt.used = ssh.FingerprintSHA256(w.PublicKey())
	return w.MultiAlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}

// greetingConn is a connection that keeps the first bytes that came: a server that is
// none of SSH's is known by them, whatever error they end in.
type greetingConn struct {
	net.Conn
	mu    sync.Mutex
	first []byte
}

// longestGreeting is more than what an SSH server may say before its version.
const longestGreeting = 1 << 10

func (h *greetingConn) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.mu.Lock()
	defer h.mu.Unlock()
	if room := longestGreeting - len(h.first); room > 0 {
		h.first = append(h.first, b[:min(n, room)]...)
	}
	return n, err
}

// silent says that nothing came.
func (h *greetingConn) silent() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.first) == 0
}

// another says that something came, and that it was not SSH's.
func (h *greetingConn) another() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.first) > 0 && !strings.Contains(string(h.first), "SSH-")
}

// explain says what an error of a login means.
func (a *attempt) explain(err error) (Outcome, string) {
	var dns *net.DNSError
	var channel *ssh.OpenChannelError
	var late net.Error
	var negotiation *ssh.AlgorithmNegotiationError
	text := err.Error()
	switch {
	case errors.Is(err, errDiffers):
		return HostDiffers, ""
	case a.proxy != nil && (a.heard == nil || a.heard.silent()):
		return ProxyFailed, a.proxy.errorText()
	case errors.As(err, &channel):
		return explainChannel(channel)
	case errors.As(err, &negotiation):
		return NoCommon, plain(negotiation.Error())
	case errors.As(err, &dns) && !dns.IsTimeout:
		return NoSuchName, ""
	case a.ctx.Err() != nil, errors.As(err, &late) && late.Timeout():
		return NoAnswer, ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return PortClosed, ""
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoAnswer, "no route to it"
	case strings.Contains(text, "no supported methods remain") && a.asked:
		return UserBarred, ""
	case strings.Contains(text, "no supported methods remain") && !a.offered:
		return NoPublicKey, ""
	case strings.Contains(text, "no supported methods remain"):
		return NotAllowed, ""
	case strings.Contains(text, "oo many authentication failures"):
		return TooMany, ""
	case strings.Contains(text, "disconnect, reason"):
		return UserBarred, plain(text)
	case a.heard != nil && a.heard.another():
		return NotSSH, ""
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return HungUp, ""
	}
	return OtherFailure, plain(text)
}

func explainChannel(err *ssh.OpenChannelError) (Outcome, string) {
	switch {
	case err.Reason == ssh.Prohibited:
		return JumpRefuses, plain(err.Message)
	case strings.Contains(err.Message, "refused"):
		return PortClosed, ""
	case strings.Contains(err.Message, "not known"), strings.Contains(err.Message, "resolve"), strings.Contains(err.Message, "No address"):
		return NoSuchName, "seen from the jump host"
	}
	return NoAnswer, plain(err.Message)
}
