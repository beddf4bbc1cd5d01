package sshagent

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/ssh"
)

func block64(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func pkcs8(t testing.TB, k any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	check(t, err)
	return block64("PRIVATE KEY", der)
}

func TestParseKey_Formats(t *testing.T) {
	for _, kind := range []string{ed, ec, rsa2k} {
		k := privateKey(t, kind)
		want, err := ssh.NewPublicKey(k.Public())
		check(t, err)
		open, err := ssh.MarshalPrivateKey(k, "a comment")
		check(t, err)
		texts := map[string][]byte{"OPENSSH": pem.EncodeToMemory(open), "PKCS#8": pkcs8(t, k)}
		switch k := k.(type) {
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(k)
			check(t, err)
			texts["SEC1"] = block64("EC PRIVATE KEY", der)
			parameters, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
			check(t, err)
			texts["SEC1 with parameters"] = append(block64("EC PARAMETERS", parameters), texts["SEC1"]...)
		case *rsa.PrivateKey:
			texts["PKCS#1"] = block64("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
		}
		for format, text := range texts {
			t.Run(kind+" "+format, func(t *testing.T) {
				k, err := ParseKey(bytes.Clone(text), []byte("not needed"))
				check(t, err)
				if !bytes.Equal(k.Public().Marshal(), want.Marshal()) {
					t.Error("another key came out")
				}
				if r := k.Repairs(); len(r) > 0 {
					t.Errorf("repaired: %q", r)
				}
				if format == "OPENSSH" && k.Comment() != "a comment" {
					t.Errorf("the comment is %q", k.Comment())
				}
			})
		}
	}
}

func TestParseKey_Repairs(t *testing.T) {
	for _, kind := range []string{ed, rsa2k} {
		text := string(keyText(t, kind))
		want, err := ParseKey([]byte(text), nil)
		check(t, err)
		lines := func(sep string) string { return strings.ReplaceAll(text, "\n", sep) }
		units := utf16.Encode([]rune("\ufeff" + text))
		little := make([]byte, 0, 2*len(units))
		big := make([]byte, 0, 2*len(units))
		for _, u := range units {
			little = binary.LittleEndian.AppendUint16(little, u)
			big = binary.BigEndian.AppendUint16(big, u)
		}
		indented := "    " + lines("\n    ")
		for name, c := range map[string]struct {
			text    string
			repairs []string
		}{
			"CRLF":                  {lines("\r\n"), []string{repairCRLF}},
			"CR":                    {lines("\r"), []string{repairCR}},
			"byte order mark":       {"\ufeff" + text, []string{repairBOM}},
			"UTF-16":                {string(little), []string{repairUTF16}},
			"UTF-16, big end first": {string(big), []string{repairUTF16}},
			"indented":              {indented, []string{repairIndent}},
			"indented by tabs":      {"\t" + lines("\n\t"), []string{repairIndent}},
			"no-break spaces":       {strings.ReplaceAll(indented, " ", "\u00a0"), []string{repairBlanks, repairIndent}},
			"one line":              {strings.TrimSpace(lines(" ")), []string{repairOneLine, repairLastLine}},
			"one line, no blanks":   {lines(""), []string{repairOneLine, repairLastLine}},
			"written line ends":     {lines(`\n`), []string{repairEscapes}},
			"written CRLF":          {lines(`\r\n`), []string{repairEscapes}},
			"quotes":                {`"` + text + `"`, []string{repairQuotes}},
			"quotes and \\n":        {`'` + lines(`\n`) + `'`, []string{repairQuotes, repairEscapes}},
			"no last line end":      {strings.TrimSpace(text), []string{repairLastLine}},
			"base64":                {base64.StdEncoding.EncodeToString([]byte(text)), []string{repairBase64}},
			"base64, wrapped":       {wrap(base64.StdEncoding.EncodeToString([]byte(text)), 76), []string{repairBase64}},
			"base64, no padding":    {base64.RawStdEncoding.EncodeToString([]byte(text)), []string{repairBase64}},
			"base64 of CRLF":        {base64.StdEncoding.EncodeToString([]byte(lines("\r\n"))), []string{repairBase64, repairCRLF}},
			"blank lines":           {"\n\n" + text + "\n\n", nil},
			"text around it":        {"the key:\n" + text + "end\n", nil},
			"beside its public key": {text + string(ssh.MarshalAuthorizedKey(want.Public())), nil},
			"wrapped elsewhere":     {rewrap(text, 40), nil},
			"blanks at line ends":   {lines("  \n"), nil},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				k, err := ParseKey([]byte(c.text), nil)
				check(t, err)
				if k.Fingerprint() != want.Fingerprint() {
					t.Error("another key came out")
				}
				if got := k.Repairs(); !slices.Equal(got, c.repairs) {
					t.Errorf("repairs are %q, want %q", got, c.repairs)
				}
			})
		}
	}
}

func wrap(s string, at int) string {
	var b strings.Builder
	for len(s) > at {
		b.WriteString(s[:at] + "\n")
		s = s[at:]
	}
	return b.String() + s + "\n"
}

func rewrap(text string, at int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[0] + "\n" + wrap(strings.Join(lines[1:len(lines)-1], ""), at) + lines[len(lines)-1] + "\n"
}

// wantKind parses a text that is no key, and sees that the error is only what
// its kind says, that it has a hint, and that the input was cleared.
func wantKind(t *testing.T, text, passphrase string, kind KeyErrorKind) {
	t.Helper()
	in, pass := []byte(text), []byte(passphrase)
	k, err := ParseKey(in, pass)
	if err == nil {
		t.Fatalf("parsed: %v", k)
	}
	var e *KeyError
	if !errors.As(err, &e) {
		t.Fatalf("the error is a %T", err)
	}
	if e.Kind != kind {
		t.Fatalf("it is %q, want %q", e.Kind, kind)
	}
	if message, hint := describeKind(kind); *e != (KeyError{kind, message, hint}) || hint == "" {
		t.Errorf("the error is %+v", e)
	}
	if bytes.Trim(in, "\x00") != nil && len(bytes.Trim(in, "\x00")) > 0 || len(bytes.Trim(pass, "\x00")) > 0 {
		t.Error("the input was not cleared")
	}
}

func TestParseKey_WhatPeoplePaste(t *testing.T) {
	k := makeKey(t, ed)
	rsaKey := makeKey(t, rsa2k)
	text := string(keyText(t, ed))
	lines := strings.Split(strings.TrimSpace(text), "\n")
	middle := strings.Join(lines[1:len(lines)-1], "\n")
	public := string(ssh.MarshalAuthorizedKey(k.Public()))
	cert := &ssh.Certificate{Key: k.Public(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	check(t, cert.SignCert(rand.Reader, hostSigner(t)))
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	check(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	check(t, err)
	weak := weakRSA(t)
	pub8, err := x509.MarshalPKIXPublicKey(privateKey(t, ec).Public())
	check(t, err)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(privateKey(t, ed), "", []byte("correct horse"))
	check(t, err)
	for name, c := range map[string]struct {
		text string
		kind KeyErrorKind
	}{
		"nothing":                   {"", Empty},
		"blanks":                    {" \n\t\r\n", Empty},
		"very long":                 {strings.Repeat("A", longestText+1), TooLong},
		"mask":                      {"***", Masked},
		"mask of dots":              {"••••••••", Masked},
		"mask of op":                {"<concealed by 1Password>", Masked},
		"reference":                 {"op://MyApp/Server/SSH_KEY", Reference},
		"reference in quotes":       {`"op://MyApp/Server/SSH_KEY"`, Reference},
		"variable":                  {"$SSH_KEY", Placeholder},
		"variable in braces":        {"${SSH_KEY}", Placeholder},
		"variable of a workflow":    {"${{ secrets.SSH_KEY }}", Placeholder},
		"path":                      {"~/.ssh/id_ed25519", FilePath},
		"absolute path":             {"/home/me/.ssh/deploy key", FilePath},
		"Windows path":              {`C:\Users\me\.ssh\key`, FilePath},
		"file name":                 {"id_ed25519", FilePath},
		"JSON":                      {`{"private_key": "` + strings.ReplaceAll(middle, "\n", "") + `"}`, JSON},
		"public key":                {public, PublicKey},
		"public key, RSA":           {string(ssh.MarshalAuthorizedKey(rsaKey.Public())), PublicKey},
		"public key, comment":       {strings.TrimSpace(public) + " me@laptop", PublicKey},
		"public key without type":   {strings.Fields(public)[1], PublicKey},
		"public key, PEM":           {string(block64("PUBLIC KEY", pub8)), PublicKey},
		"public key, RFC 4716":      {"---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"x\"\n" + strings.Fields(public)[1] + "\n---- END SSH2 PUBLIC KEY ----", PublicKey},
		"security key's public key": {"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29t", PublicKey},
		"known_hosts":               {"server.example.com " + public, KnownHost},
		"fingerprint":               {k.Fingerprint(), Fingerprint},
		"fingerprint, ssh-keygen":   {"256 " + k.Fingerprint() + " me@laptop (ED25519)", Fingerprint},
		"fingerprint, MD5":          {"MD5:" + ssh.FingerprintLegacyMD5(k.Public()), Fingerprint},
		"certificate":               {string(ssh.MarshalAuthorizedKey(cert)), Certificate},
		"X.509":                     {string(block64("CERTIFICATE", []byte{1, 2, 3})), X509},
		"PuTTY 2":                   {"PuTTY-User-Key-File-2: ssh-ed25519\nEncryption: none\n", PuTTY},
		"PuTTY 3":                   {"PuTTY-User-Key-File-3: ssh-rsa\r\nEncryption: none\r\n", PuTTY},
		"ssh.com":                   {"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nAAAA\n---- END SSH2 ENCRYPTED PRIVATE KEY ----", SSHCom},
		"PGP":                       {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\nAAAA\n=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n", PGP},
		"PGP public":                {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", PGP},
		"encrypted":                 {string(pem.EncodeToMemory(locked)), Encrypted},
		"encrypted, PEM":            {"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n", Encrypted},
		"short RSA, PKCS#1":         {string(block64("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(weak))), ShortRSA},
		"short RSA, PKCS#8":         {string(pkcs8(t, weak)), ShortRSA},
		"short RSA, OPENSSH":        {string(openssh(t, weak)), ShortRSA},
		"DSA, PEM":                  {string(dsaText(t)), DSA},
		"DSA, OPENSSH":              {string(sealed("ssh-dss", 1)), DSA},
		"security key":              {string(sealed("sk-ssh-ed25519@openssh.com", 1)), SecurityKey},
		"unknown kind":              {string(sealed("ssh-mldsa-65", 1)), Unsupported},
		"X25519":                    {string(pkcs8(t, x25519)), X25519},
		"P-224":                     {string(pkcs8(t, p224)), Unsupported},
		"secp256k1":                 {string(otherCurve(t)), Unsupported},
		"Ed448":                     {string(otherAlgorithm(t, asn1.ObjectIdentifier{1, 3, 101, 113})), Unsupported},
		"DSA, PKCS#8":               {string(otherAlgorithm(t, asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1})), DSA},
		"an unknown label":          {string(block64("TSS2 PRIVATE KEY", []byte{1})), Unsupported},
		"two keys":                  {text + string(keyText(t, ed)), SeveralKeys},
		"two in one file":           {string(sealed("ssh-ed25519", 2)), SeveralKeys},
		"none in the file":          {string(sealed("ssh-ed25519", 0)), Damaged},
		"no first line":             {strings.Join(lines[1:], "\n"), NoFrame},
		"no first nor last line":    {middle, NoFrame},
		"no last line":              {strings.Join(lines[:len(lines)-1], "\n"), CutOff},
		"a line lost":               {strings.Join(slices.Delete(slices.Clone(lines), 2, 3), "\n"), Damaged},
		"cut off beside another":    {string(block64("PUBLIC KEY", pub8)) + strings.Join(lines[:len(lines)-1], "\n"), CutOff},
		"nothing inside":            {lines[0] + "\n" + lines[len(lines)-1], CutOff},
		"another last line":         {strings.Replace(text, "END OPENSSH", "END RSA", 1), Damaged},
		"four dashes":               {strings.ReplaceAll(text, "-----", "----"), NoFrame},
		"lower case":                {strings.ToLower(text), NoFrame},
		"a character that is none":  {strings.Replace(text, "\n", "\n!", 1), Damaged},
		"words":                     {"my ssh key", NotKey},
		"a passphrase":              {"correct horse battery staple", NotKey},
		"bytes":                     {"\x00\x01\x02\xff", NotKey},
	} {
		t.Run(name, func(t *testing.T) { wantKind(t, c.text, "", c.kind) })
	}
}

func openssh(t testing.TB, k crypto.PrivateKey) []byte {
	t.Helper()
	b, err := ssh.MarshalPrivateKey(k, "")
	check(t, err)
	return pem.EncodeToMemory(b)
}

// weakRSA has 1024 bits, which Go makes only when told to.
func weakRSA(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	check(t, err)
	return k
}

func dsaText(t testing.TB) []byte {
	t.Helper()
	der, err := asn1.Marshal([]int{0, 23, 11, 2, 9, 5}) // version, p, q, g, public, private
	check(t, err)
	return block64("DSA PRIVATE KEY", der)
}

// sealed is an OPENSSH container of a kind of key, with nothing in it.
func sealed(kind string, keys uint32) []byte {
	b := []byte(containerMagic)
	b = appendString(b, "none")
	b = appendString(b, "none")
	b = appendString(b, "")
	b = binary.BigEndian.AppendUint32(b, keys)
	b = appendString(b, appendString(nil, kind))
	b = appendString(b, "")
	return block64("OPENSSH PRIVATE KEY", b)
}

func otherCurve(t testing.TB) []byte {
	t.Helper()
	der, err := asn1.Marshal(sec1{Version: 1, Private: make([]byte, 32), Curve: asn1.ObjectIdentifier{1, 3, 132, 0, 10}})
	check(t, err)
	return block64("EC PRIVATE KEY", der)
}

func otherAlgorithm(t testing.TB, id asn1.ObjectIdentifier) []byte {
	t.Helper()
	type algorithm struct{ ID asn1.ObjectIdentifier }
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{id}, []byte{4, 1, 0}})
	check(t, err)
	return block64("PRIVATE KEY", der)
}

func TestParseKey_Passphrases(t *testing.T) {
	private := privateKey(t, ed)
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "hidden", []byte("correct horse"))
	check(t, err)
	text := pem.EncodeToMemory(locked)
	k, err := ParseKey(bytes.Clone(text), []byte("correct horse"))
	check(t, err)
	want, err := ssh.NewPublicKey(private.Public())
	check(t, err)
	if !bytes.Equal(k.Public().Marshal(), want.Marshal()) {
		t.Error("another key came out")
	}
	wantKind(t, string(text), "wrong", WrongPassphrase)
	wantKind(t, string(text), "", Encrypted)
	slow := bytes.Clone(locked.Bytes)
	i := bytes.Index(slow, []byte{0, 0, 0, 24, 0, 0, 0, 16}) + 8 + 16
	binary.BigEndian.PutUint32(slow[i:], mostRounds+1)
	wantKind(t, string(block64("OPENSSH PRIVATE KEY", slow)), "correct horse", SlowPassphrase)
	other := bytes.Replace(locked.Bytes, []byte("aes256-ctr"), []byte("aes128-ctr"), 1)
	wantKind(t, string(block64("OPENSSH PRIVATE KEY", other)), "correct horse", Cipher)
}

// What OpenSSL and ssh-keygen write, in all the ways that people use them.
func TestParseKey_OtherToolsFiles(t *testing.T) {
	for _, tool := range []string{"openssl", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	dir := t.TempDir()
	run := func(t *testing.T, name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	path := filepath.Join(dir, "key")
	for name, c := range map[string]struct {
		args       []string
		passphrase string
	}{
		"ssh-keygen ed25519":            {[]string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path}, ""},
		"ssh-keygen ed25519, locked":    {[]string{"ssh-keygen", "-q", "-t", "ed25519", "-N", "correct horse", "-f", path}, "correct horse"},
		"ssh-keygen ecdsa-384, aes-cbc": {[]string{"ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-Z", "aes256-cbc", "-N", "correct horse", "-f", path}, "correct horse"},
		"ssh-keygen PEM":                {[]string{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", path}, ""},
		"ssh-keygen PEM, locked":        {[]string{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "correct horse", "-f", path}, "correct horse"},
		"ssh-keygen PEM ecdsa, locked":  {[]string{"ssh-keygen", "-q", "-t", "ecdsa", "-m", "PEM", "-N", "correct horse", "-f", path}, "correct horse"},
		"ssh-keygen PKCS#8, locked":     {[]string{"ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "correct horse", "-f", path}, "correct horse"},
		"openssl ed25519":               {[]string{"openssl", "genpkey", "-algorithm", "ed25519", "-out", path}, ""},
		"openssl ed25519, AES-256":      {[]string{"openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:correct horse", "-out", path}, "correct horse"},
		"openssl ed25519, AES-128":      {[]string{"openssl", "genpkey", "-algorithm", "ed25519", "-aes-128-cbc", "-pass", "pass:correct horse", "-out", path}, "correct horse"},
		"openssl P-521":                 {[]string{"openssl", "ecparam", "-name", "secp521r1", "-genkey", "-out", path}, ""},
		"openssl P-256, no public half": {[]string{"sh", "-c", "openssl ecparam -name prime256v1 -genkey | openssl ec -no_public -out " + path}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			run(t, c.args[0], c.args[1:]...)
			text, err := os.ReadFile(path)
			check(t, err)
			k, err := ParseKey(bytes.Clone(text), []byte(c.passphrase))
			check(t, err)
			if pub, err := os.ReadFile(path + ".pub"); err == nil {
				check(t, k.Check(string(pub)))
				check(t, os.Remove(path+".pub"))
			}
			if c.passphrase != "" {
				wantKind(t, string(text), "", Encrypted)
				tries := 20 // noise passes for padding once in some hundred
				if bytes.Contains(text, []byte("OPENSSH")) {
					tries = 1 // each takes a second
				}
				for i := range tries {
					wantKind(t, string(text), fmt.Sprint("wrong", i), WrongPassphrase)
				}
			}
		})
	}
}

func TestParseKey_HalvesThatDiffer(t *testing.T) {
	for _, kind := range []string{ed, ec} {
		t.Run(kind+" OPENSSH", func(t *testing.T) {
			der, _ := pem.Decode(keyText(t, kind))
			other, _ := pem.Decode(keyText(t, kind))
			a, _ := parseContainer(der.Bytes)
			b, _ := parseContainer(other.Bytes)
			mixed := bytes.Replace(der.Bytes, a.public, b.public, 1)
			wantKind(t, string(block64("OPENSSH PRIVATE KEY", mixed)), "", HalvesDiffer)
		})
	}
	t.Run("a flipped bit of the seed", func(t *testing.T) {
		k := privateKey(t, ed).(ed25519.PrivateKey)
		der, _ := pem.Decode(openssh(t, k))
		i := bytes.Index(der.Bytes, k.Seed())
		der.Bytes[i] ^= 1
		wantKind(t, string(pem.EncodeToMemory(der)), "", HalvesDiffer)
	})
	t.Run("SEC1", func(t *testing.T) {
		k := privateKey(t, ec).(*ecdsa.PrivateKey)
		for label, marshal := range map[string]func(*ecdsa.PrivateKey) ([]byte, error){
			"EC PRIVATE KEY": x509.MarshalECPrivateKey,
			"PRIVATE KEY":    func(k *ecdsa.PrivateKey) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) },
		} {
			der, err := marshal(k)
			check(t, err)
			d, err := k.Bytes()
			check(t, err)
			der[bytes.Index(der, d)+5] ^= 1
			wantKind(t, string(block64(label, der)), "", HalvesDiffer)
		}
	})
	t.Run("PKCS#1", func(t *testing.T) {
		der := x509.MarshalPKCS1PrivateKey(privateKey(t, rsa2k).(*rsa.PrivateKey))
		der[len(der)/2] ^= 1
		wantKind(t, string(block64("RSA PRIVATE KEY", der)), "", Damaged)
	})
}

// One changed character of a PKCS#8 ed25519 key gives another valid key: only
// the public half, kept elsewhere, can tell.
func TestCheck(t *testing.T) {
	k, other := makeKey(t, ed), makeKey(t, ed)
	public := string(ssh.MarshalAuthorizedKey(k.Public()))
	md5 := ssh.FingerprintLegacyMD5(k.Public())
	for _, good := range []string{
		public, strings.TrimSpace(public) + " me@laptop", "\n " + public,
		k.Fingerprint(), k.Fingerprint() + "=", " " + k.Fingerprint() + "\n",
		md5, "MD5:" + md5, strings.ToUpper(md5),
		"256 " + k.Fingerprint() + " me@laptop (ED25519)", "256 MD5:" + md5 + " me (ED25519)",
	} {
		if err := k.Check(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for text, kind := range map[string]KeyErrorKind{
		string(ssh.MarshalAuthorizedKey(other.Public())): Mismatch,
		other.Fingerprint():                      Mismatch,
		ssh.FingerprintLegacyMD5(other.Public()): Mismatch,
		"":                                       NotPublic,
		"SHA256:":                                NotPublic,
		"SHA256:short":                           NotPublic,
		"me@laptop":                              NotPublic,
		string(keyText(t, ed)):                   NotPublic,
	} {
		err := k.Check(text)
		var e *KeyError
		if !errors.As(err, &e) || e.Kind != kind {
			t.Errorf("%v, want %s", err, kind)
		}
	}
}

func TestCertify_Refuses(t *testing.T) {
	k, other := makeKey(t, ed), makeKey(t, ed)
	ca := hostSigner(t)
	line := func(c ssh.Certificate) string {
		check(t, c.SignCert(rand.Reader, ca))
		return string(ssh.MarshalAuthorizedKey(&c))
	}
	for text, kind := range map[string]KeyErrorKind{
		"": NotCertificate,
		string(ssh.MarshalAuthorizedKey(k.Public())):                                                               NotCertificate,
		line(ssh.Certificate{Key: k.Public(), CertType: ssh.HostCert, ValidBefore: ssh.CertTimeInfinity}):          HostCertificate,
		line(ssh.Certificate{Key: k.Public(), CertType: ssh.UserCert, ValidBefore: uint64(time.Now().Unix() - 5)}): Expired,
		line(ssh.Certificate{Key: other.Public(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}):      Mismatch,
	} {
		err := k.Certify([]byte(text))
		var e *KeyError
		if !errors.As(err, &e) || e.Kind != kind || e.Hint == "" {
			t.Errorf("%v, want %s", err, kind)
		}
	}
}

func TestKey_PrintsNoSecret(t *testing.T) {
	private := privateKey(t, ed).(ed25519.PrivateKey)
	k, err := ParseKey(openssh(t, private), nil)
	check(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		for _, v := range []any{k, *k, Key{}, Options{Keys: []*Key{k}}, struct{ K Key }{*k}} {
			out := fmt.Sprintf(verb, v)
			for _, form := range []string{string(private.Seed()), fmt.Sprintf("%x", private.Seed()), fmt.Sprint(private.Seed()), strings.Trim(fmt.Sprint(private.Seed()), "[]")} {
				if strings.Contains(out, form) {
					t.Errorf("%s of a %T shows the seed", verb, v)
				}
			}
		}
	}
}

func TestKeyError_EveryKindSaysWhat(t *testing.T) {
	seen := map[string]KeyErrorKind{}
	for _, kind := range []KeyErrorKind{
		Empty, TooLong, Masked, Reference, Placeholder, FilePath, JSON, PublicKey, KnownHost, Fingerprint,
		Certificate, X509, PuTTY, SSHCom, PGP, Encrypted, WrongPassphrase, SlowPassphrase, Cipher, ShortRSA,
		DSA, X25519, SecurityKey, Unsupported, SeveralKeys, NoFrame, CutOff, Damaged, HalvesDiffer, NotKey,
		Mismatch, NotPublic, NotCertificate, HostCertificate, Expired,
	} {
		e := keyError(kind)
		if e.Message == "" || e.Hint == "" {
			t.Errorf("%s has no message or no hint", kind)
		}
		if other, twice := seen[e.Message]; twice {
			t.Errorf("%s and %s say the same", kind, other)
		}
		seen[e.Message] = kind
		if !errors.Is(e, &KeyError{Kind: kind}) || errors.Is(e, &KeyError{Kind: "another"}) {
			t.Errorf("errors.Is does not tell %s", kind)
		}
	}
}
