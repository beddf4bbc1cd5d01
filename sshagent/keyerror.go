package sshagent

// A KeyErrorKind is what a text turned out to be instead of a usable key.
type KeyErrorKind string

// The kinds of a KeyError. They are stable: programs may act on them.
const (
	Empty           KeyErrorKind = "empty"
	TooLong         KeyErrorKind = "too long"
	Masked          KeyErrorKind = "masked"
	Reference       KeyErrorKind = "reference"
	Placeholder     KeyErrorKind = "placeholder"
	FilePath        KeyErrorKind = "file path"
	JSON            KeyErrorKind = "JSON"
	PublicKey       KeyErrorKind = "public key"
	KnownHost       KeyErrorKind = "known host"
	Fingerprint     KeyErrorKind = "fingerprint"
	Certificate     KeyErrorKind = "certificate"
	X509            KeyErrorKind = "X.509"
	PuTTY           KeyErrorKind = "PuTTY"
	SSHCom          KeyErrorKind = "ssh.com"
	PGP             KeyErrorKind = "PGP"
	Encrypted       KeyErrorKind = "encrypted"
	WrongPassphrase KeyErrorKind = "wrong passphrase"
	SlowPassphrase  KeyErrorKind = "slow passphrase"
	Cipher          KeyErrorKind = "cipher"
	ShortRSA        KeyErrorKind = "short RSA"
	DSA             KeyErrorKind = "DSA"
	X25519          KeyErrorKind = "X25519"
	SecurityKey     KeyErrorKind = "security key"
	Unsupported     KeyErrorKind = "unsupported"
	SeveralKeys     KeyErrorKind = "several keys"
	NoFrame         KeyErrorKind = "no first and last line"
	CutOff          KeyErrorKind = "cut off"
	Damaged         KeyErrorKind = "damaged"
	HalvesDiffer    KeyErrorKind = "halves differ"
	NotKey          KeyErrorKind = "not a key"

	// Of Key.Check and Key.Certify.
	Mismatch        KeyErrorKind = "mismatch"
	NotPublic       KeyErrorKind = "not a public key"
	NotCertificate  KeyErrorKind = "not a certificate"
	HostCertificate KeyErrorKind = "host certificate"
	Expired         KeyErrorKind = "expired"
)

// A KeyError says why a text is not a key that can be used, and what to do. Its
// texts are the same for every text of a kind, so none holds a byte of the
// input.
type KeyError struct {
	Kind    KeyErrorKind
	Message string // reads on from the name of the text: "is a public key"
	Hint    string // the next step: "put the private key there"
}

// Error is the message, of "the key".
func (e *KeyError) Error() string { return "the key " + e.Message }

// Is lets errors.Is compare kinds: errors.Is(err, &KeyError{Kind: PuTTY}).
func (e *KeyError) Is(target error) bool {
	t, ok := target.(*KeyError)
	return ok && t.Kind == e.Kind && t.Message == ""
}

func keyError(kind KeyErrorKind) *KeyError {
	message, hint := describeKind(kind)
	return &KeyError{Kind: kind, Message: message, Hint: hint}
}

const (
	hintPrivate = "put the private key (-----BEGIN OPENSSH PRIVATE KEY-----) there"
	hintAgain   = "copy the whole file again, from -----BEGIN to the end of the -----END line"
	hintNew     = "make a new key with ssh-keygen -t ed25519, and put its public half in the server's authorized_keys"
)

func describeKind(kind KeyErrorKind) (message, hint string) {
	if message, hint = describeOther(kind); message == "" {
		message, hint = describeFault(kind)
	}
	return message, hint
}

// describeOther tells what stands in the place of a private key.
func describeOther(kind KeyErrorKind) (message, hint string) {
	switch kind {
	case Empty:
		return "is empty", hintPrivate
	case TooLong:
		return "is too long to be a private key", hintPrivate
	case Masked:
		return "is a mask (***), put in the place of the value", "copy the value itself; a log or a dialog shows it masked"
	case Reference:
		return "is a secret reference, not what it refers to", "give the reference where references are resolved, or put the private key there"
	case Placeholder:
		return "is a variable that nothing was put in for", "check how the variable is spelled and where it is set"
	case FilePath:
		return "is the path of a file", "put what is in the file there"
	case JSON:
		return "is JSON", "put the private key alone there, without what is around it"
	case PublicKey:
		return "is a public key", hintPrivate
	case KnownHost:
		return "is a host key, as in known_hosts", hintPrivate
	case Fingerprint:
		return "is a fingerprint", hintPrivate
	case Certificate:
		return "is an SSH certificate", "put the private key that it belongs to there, and give the certificate beside it"
	case X509:
		return "is an X.509 certificate", hintPrivate
	case PuTTY:
		return "is a PuTTY key", "convert it with puttygen KEY.ppk -O private-openssh-new -o KEY"
	case SSHCom:
		return "is a key of ssh.com's software", "convert it with ssh-keygen -i -f KEY"
	case PGP:
		return "is a PGP key", "SSH has keys of its own: " + hintPrivate
	}
	return "", ""
}

// describeFault tells why a private key, or what was given beside it, is not taken.
func describeFault(kind KeyErrorKind) (message, hint string) {
	switch kind {
	case Encrypted:
		return "is protected by a passphrase", "give the passphrase too, or store the key without one (ssh-keygen -p -N '' -f KEY)"
	case WrongPassphrase:
		return "does not open with this passphrase", "check the passphrase with ssh-keygen -y -f KEY"
	case SlowPassphrase:
		return "asks for too many rounds to open with its passphrase", "protect it again with fewer (ssh-keygen -p -a 100 -f KEY)"
	case Cipher:
		return "is protected in a way that is not known here", "convert it with ssh-keygen -p -f KEY"
	case ShortRSA:
		return "is an RSA key of less than 2048 bits", hintNew
	case DSA:
		return "is a DSA key, which OpenSSH no longer takes", hintNew
	case X25519:
		return "is an X25519 key, which encrypts and cannot sign", hintNew
	case SecurityKey:
		return "is of a hardware security key and cannot sign without it", hintNew
	case Unsupported:
		return "is of a kind that SSH does not use", hintNew
	case SeveralKeys:
		return "holds more than one private key", "put each in a place of its own"
	case NoFrame:
		return "lacks its first or its last line", hintAgain
	case CutOff:
		return "is cut off", hintAgain
	case Damaged:
		return "is damaged", hintAgain
	case HalvesDiffer:
		return "is damaged: its public half does not belong to its private half", hintAgain
	case Mismatch:
		return "does not belong to the private key", "check that both are of the same key (ssh-keygen -l -f KEY)"
	case NotPublic:
		return "is neither a public key nor a fingerprint", "put what is in the .pub file there, or what ssh-keygen -l prints"
	case NotCertificate:
		return "is not an SSH certificate", "put what is in the -cert.pub file there"
	case HostCertificate:
		return "is the certificate of a host", "put the user's certificate there (ssh-keygen -s CA -I NAME -n USER KEY.pub, without -h)"
	case Expired:
		return "is a certificate that has expired", "have it signed again"
	}
	return "is not a private key", hintPrivate
}
