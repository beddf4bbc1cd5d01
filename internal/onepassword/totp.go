package onepassword

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238 has it as the default
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// totp computes an RFC 6238 code of an otpauth URI, or of a bare base32 secret
// with the usual parameters. Its errors hold nothing of the secret.
func totp(text string, now time.Time) (string, error) {
	secret, digits, period, algorithm := text, 6, 30, "SHA1"
	if strings.HasPrefix(strings.ToLower(text), "otpauth://") {
		u, err := url.Parse(text)
		if err != nil {
			return "", errors.New("the otpauth URI is malformed")
		}
		if !strings.EqualFold(u.Host, "totp") {
			return "", errors.New("the otpauth URI is not one of time-based codes")
		}
		q := u.Query()
		secret = q.Get("secret")
		if v := q.Get("digits"); v != "" {
			if digits, err = strconv.Atoi(v); err != nil || digits < 6 || digits > 10 {
				return "", errors.New("the otpauth URI asks for a number of digits that is not 6 to 10")
			}
		}
		if v := q.Get("period"); v != "" {
			if period, err = strconv.Atoi(v); err != nil || period < 1 || period > 86400 {
				return "", errors.New("the otpauth URI has a period that is not 1 to 86400 seconds")
			}
		}
		if v := q.Get("algorithm"); v != "" {
			algorithm = strings.ToUpper(strings.ReplaceAll(v, "-", ""))
		}
	}
	var sum func() hash.Hash
	switch algorithm {
	case "SHA1":
		sum = sha1.New
	case "SHA256":
		sum = sha256.New
	case "SHA512":
		sum = sha512.New
	default:
		return "", errors.New("the otpauth URI asks for a hash that is not SHA1, SHA256 or SHA512")
	}
	secret = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", "=", "").Replace(secret))
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil || len(key) == 0 {
		return "", errors.New("its secret is not base32")
	}
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(now.Unix()/int64(period)))
	mac := hmac.New(sum, key)
	mac.Write(counter[:])
	digest := mac.Sum(nil)
	offset := digest[len(digest)-1] & 0xf
	code := uint64(binary.BigEndian.Uint32(digest[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, code%modulus), nil
}
