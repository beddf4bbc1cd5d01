package kamal

import (
	"strings"
	"testing"
)

// The texts are what Kamal 2.12, its libraries, docker and OpenSSH print.
func TestDiagnose(t *testing.T) {
	for _, test := range []struct {
		name, text, cause, host string
	}{
		{"wrong key", "  \x1b[31mERROR (Net::SSH::AuthenticationFailed): Authentication failed for user root@203.0.113.10\x1b[0m", "does not accept the SSH key", "203.0.113.10"},
		{"jump host", "deploy@jump.example.com: Permission denied (publickey).", "does not accept", ""},
		{"host key", "  ERROR (Net::SSH::HostKeyMismatch): fingerprint SHA256:x does not match for \"h\"", "host key is not the one", ""},
		{"host keys that do not hold", "kamal-op: /app/bin/kamal is stopped before it connects to 203.0.113.10: the host keys of --host-keys do not hold for the way in which it is loaded or connects; name another", "cannot be held to", ""},
		{"unhealthy", " ERROR Failed to boot web on 127.0.0.1\n  ERROR (SSHKit::Command::Failed): Exception while executing on host 127.0.0.1: docker exit status: 1\ndocker stderr: Error: target failed to become healthy within configured timeout (30s)", "did not become healthy", "127.0.0.1"},
		{"lock", "Deploy lock already in place!\nLocked by: me\n  ERROR (Kamal::Cli::LockError): Deploy lock found. Run 'kamal lock help' for more information", "holds the lock", ""},
		{"empty password", "docker stderr: flag needs an argument: 'p' in -p", "password is empty", ""},
		{"registry", "Error response from daemon: Get \"https://r/v2/\": unauthorized: incorrect username or password", "registry refused", ""},
		{"buildx", "Docker buildx plugin is not installed locally", "buildx", ""},
		{"disk", "write /var/lib/docker/x: no space left on device", "disk is full", ""},
		{"port", "Bind for 0.0.0.0:80 failed: port is already allocated", "port", ""},
		{"destination", "ERROR (RuntimeError): Configuration file not found in config/deploy.x.yml", "no such destination", ""},
		{"dns", "ERROR (SocketError): getaddrinfo: Name or service not known", "does not resolve", ""},
		{"nothing known", "  ERROR (RuntimeError): something else", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := Diagnose(strings.Split(test.text, "\n"))
			if (test.cause == "") != (f.Cause == "") || !strings.Contains(f.Cause, test.cause) {
				t.Errorf("the cause is %q, not %q", f.Cause, test.cause)
			}
			if f.Host != test.host {
				t.Errorf("the host is %q, not %q", f.Host, test.host)
			}
			if f.Cause != "" && f.Hint == "" {
				t.Error("there is no remedy")
			}
			p := f.Problem("boot", 1)
			if strings.Contains(p.Error(), "\x1b") || strings.Contains(strings.Join(p.Details, ""), "\x1b") {
				t.Error("an escape sequence is told")
			}
			if len(p.Details) > 6 {
				t.Errorf("%d details", len(p.Details))
			}
		})
	}
}
