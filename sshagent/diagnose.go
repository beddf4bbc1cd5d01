package sshagent

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// What people paste where a private key belongs. All of them are matched against
// tidied text with the blanks around it gone. They are compiled when they are first
// used: a program that calls itself for every `op` line must not pay for them.
var (
	maskText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\*{3,}|•{3,}|(?i)[<\[{(]?\s*(concealed|redacted|masked|hidden)\b.{0,60})$`)
	})
	placeholderText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\$\{\{.*\}\}|\$\{?[A-Za-z_][A-Za-z0-9_]*\}?|\{\{.*\}\}|%[A-Za-z_][A-Za-z0-9_]*%|<[A-Za-z][A-Za-z0-9 _-]*>)$`)
	})
	pathText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(~|\.{1,2}|\$HOME|[A-Za-z]:)?[/\\][^\n]{1,300}$|^(id_(rsa|ed25519|ecdsa|dsa)|[\w.-]+\.(pem|key|ppk))$`)
	})
	fingerprintText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\d{2,5}\s+)?(SHA256:[A-Za-z0-9+/]{20,44}={0,2}|(MD5:)?([0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2})(\s[^\n]*)?$`)
	})
	publicText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(sk-)?(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp\d+)(@openssh\.com)?\s`)
	})
	certText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(sk-)?(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp\d+|rsa-sha2-\d+)-cert-v01@openssh\.com\s`)
	})
	hostText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(@[a-z-]+\s+)?\S+\s+(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp\d+)\s+AAAA`)
	})
	// What the base64 of a private key begins with: OPENSSH, and DER.
	bodyText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(b3BlbnNzaC1rZXktdjE|MII[A-Za-z0-9+/]|MC4CAQAwBQYDK2Vw|MHcCAQEE|MIG)[A-Za-z0-9+/\s]{20,}`)
	})
	brokenMark = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?i)-{2,}\s*(BEGIN|END)\s+([A-Z0-9]+\s+)*PRIVATE\s+KEY`)
	})
)

// diagnose says what a text without a private key in it is. blocks are those
// that it does have.
func diagnose(text []byte, blocks []block) *KeyError {
	for _, b := range blocks {
		switch {
		case strings.HasPrefix(b.label, "PGP "):
			return keyError(PGP)
		case strings.HasSuffix(b.label, "PUBLIC KEY"):
			return keyError(PublicKey)
		case strings.HasSuffix(b.label, "CERTIFICATE"), strings.HasSuffix(b.label, "CERTIFICATE REQUEST"):
			return keyError(X509)
		}
	}
	t := bytes.TrimSpace(text)
	switch {
	case len(t) == 0:
		return keyError(Empty)
	case bytes.HasPrefix(t, []byte("PuTTY-User-Key-File-")):
		return keyError(PuTTY)
	case bytes.Contains(t, []byte("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY")):
		return keyError(SSHCom)
	case bytes.Contains(t, []byte("---- BEGIN SSH2 PUBLIC KEY")):
		return keyError(PublicKey)
	case bytes.Contains(t, []byte("-----BEGIN PGP ")):
		return keyError(PGP)
	case bytes.HasPrefix(t, []byte("op://")):
		return keyError(Reference)
	case maskText().Match(t):
		return keyError(Masked)
	case placeholderText().Match(t):
		return keyError(Placeholder)
	case certText().Match(t):
		return keyError(Certificate)
	case publicText().Match(t):
		return keyError(PublicKey)
	case fingerprintText().Match(t):
		return keyError(Fingerprint)
	case hostText().Match(t):
		return keyError(KnownHost)
	case bytes.HasPrefix(t, []byte("AAAA")) && isPublicBlob(t):
		return keyError(PublicKey)
	case t[0] == '{' || t[0] == '[' && bytes.HasSuffix(t, []byte("]")):
		return keyError(JSON)
	case brokenMark().Match(t), bodyText().Match(t):
		return keyError(NoFrame)
	case pathText().Match(t):
		return keyError(FilePath)
	}
	return keyError(NotKey)
}

// isPublicBlob says that a text is a public key with its type before it lost.
func isPublicBlob(t []byte) bool {
	if i := bytes.IndexAny(t, " \t\n"); i >= 0 {
		t = t[:i]
	}
	for _, kind := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521} {
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(kind + " " + string(t))); err == nil {
			return true
		}
	}
	return false
}
