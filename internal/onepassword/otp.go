package onepassword

import (
	"time"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// oneTimePassword is the code of a one-time password field at a time: by RFC 6238
// from the field's otpauth URI, or what the server computed where there is none.
func (f *Field) oneTimePassword(now time.Time) (string, error) {
	if f.Type != "OTP" {
		return "", problem.Newf("the field %s is not a one-time password", quote(f.Label)).About(problem.Reference)
	}
	code, err := totp(f.Value.Reveal(), now)
	if err != nil {
		if f.Code.Len() > 0 {
			return f.Code.Reveal(), nil
		}
		return "", problem.Newf("no one-time password can be made of the field %s: %v", quote(f.Label), err).About(problem.Reference)
	}
	return code, nil
}
