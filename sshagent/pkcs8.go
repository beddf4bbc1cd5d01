package sshagent

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 8018: the default of PBKDF2, in files of others
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"
)

// mostIterations bounds the time that opening a PKCS#8 key takes, some seconds.
// OpenSSL's default is 2048, and people give it a million.
const mostIterations = 10_000_000

// The object identifiers of PKCS#5 (RFC 8018) that OpenSSL and 1Password write.
var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidHMACSHA512 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 11}
	oidAES128     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES192     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 22}
	oidAES256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

type encryptedPKCS8 struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct {
	Derivation pkix.AlgorithmIdentifier
	Encryption pkix.AlgorithmIdentifier
}

type pbkdf2Options struct {
	Salt       []byte
	Iterations int
	Length     int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// openPKCS8 decrypts an ENCRYPTED PRIVATE KEY, which neither Go's library nor
// x/crypto does.
func openPKCS8(der, passphrase []byte) ([]byte, KeyErrorKind) {
	var outer encryptedPKCS8
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 {
		return nil, Damaged
	}
	if len(passphrase) == 0 {
		return nil, Encrypted
	}
	var scheme pbes2
	if !outer.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, Cipher
	}
	if _, err := asn1.Unmarshal(outer.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, Damaged
	}
	var options pbkdf2Options
	if !scheme.Derivation.Algorithm.Equal(oidPBKDF2) {
		return nil, Cipher
	}
	if _, err := asn1.Unmarshal(scheme.Derivation.Parameters.FullBytes, &options); err != nil {
		return nil, Damaged
	}
	digest, length := digestOf(options.PRF.Algorithm), keyLengthOf(scheme.Encryption.Algorithm)
	var iv []byte
	_, err := asn1.Unmarshal(scheme.Encryption.Parameters.FullBytes, &iv)
	switch {
	case digest == nil || length == 0:
		return nil, Cipher
	case err != nil, len(iv) != aes.BlockSize, options.Iterations < 1,
		len(outer.Data) == 0, len(outer.Data)%aes.BlockSize != 0:
		return nil, Damaged
	case options.Iterations > mostIterations:
		return nil, SlowPassphrase
	}
	key, err := pbkdf2.Key(digest, string(passphrase), options.Salt, options.Iterations, length)
	if err != nil {
		return nil, Cipher
	}
	defer clear(key)
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, Cipher
	}
	plain := make([]byte, len(outer.Data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(plain, outer.Data)
	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > aes.BlockSize {
		clear(plain)
		return nil, WrongPassphrase
	}
	for _, c := range plain[len(plain)-pad:] {
		if int(c) != pad {
			clear(plain)
			return nil, WrongPassphrase
		}
	}
	return plain[:len(plain)-pad], ""
}

// digestOf is the hash of PBKDF2; with none named it is SHA-1 (RFC 8018, A.2).
func digestOf(oid asn1.ObjectIdentifier) func() hash.Hash {
	switch {
	case len(oid) == 0, oid.Equal(oidHMACSHA1):
		return sha1.New
	case oid.Equal(oidHMACSHA256):
		return sha256.New
	case oid.Equal(oidHMACSHA512):
		return sha512.New
	}
	return nil
}

func keyLengthOf(oid asn1.ObjectIdentifier) int {
	switch {
	case oid.Equal(oidAES128):
		return 16
	case oid.Equal(oidAES192):
		return 24
	case oid.Equal(oidAES256):
		return 32
	}
	return 0
}
