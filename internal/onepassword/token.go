package onepassword

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

const tokenPrefix = "ops_"

// serviceToken is the body of a service account token. All but the throttle
// secret are mandatory for the SDK's core.
type serviceToken struct {
	SignInAddress string          `json:"signInAddress"`
	UserAuth      json.RawMessage `json:"userAuth"`
	Email         string          `json:"email"`
	SRPX          string          `json:"srpX"`
	MUK           json.RawMessage `json:"muk"`
	SecretKey     string          `json:"secretKey"`
	DeviceUUID    string          `json:"deviceUuid"`
}

// CheckToken checks the shape of a service account token, in microseconds and
// without the SDK. Whether 1Password knows it only 1Password can tell. The error
// is a *problem.Problem of wrong usage and holds nothing of the token.
func CheckToken(token string) error {
	_, err := parseToken(token)
	return err
}

func parseToken(token string) (serviceToken, error) {
	const again = "copy the service account token again, whole: it begins with ops_ and is some 800 characters long"
	bad := func(hint, message string) (serviceToken, error) {
		return serviceToken{}, problem.Usagef(hint, "%s", message).About(problem.BrokenToken)
	}
	if hint, message := commonlyWrong(token); message != "" {
		return bad(hint, "the service account token "+message)
	}
	if looksLikeJWT(token) {
		return bad("put it in OP_CONNECT_TOKEN, with the server's address in OP_CONNECT_HOST",
			"the service account token is a Connect token")
	}
	body, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return bad(again, "the service account token does not begin with ops_")
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil {
		return bad(again, "the service account token has characters in it that no token has, or is cut off")
	}
	var t serviceToken
	if err := json.Unmarshal(raw, &t); err != nil {
		return bad(again, "the service account token is cut off or altered")
	}
	var missing []string
	for _, part := range []struct {
		name string
		has  bool
	}{
		{"signInAddress", t.SignInAddress != ""},
		{"userAuth", len(t.UserAuth) > 0},
		{"email", t.Email != ""},
		{"srpX", t.SRPX != ""},
		{"muk", len(t.MUK) > 0},
		{"secretKey", t.SecretKey != ""},
		{"deviceUuid", t.DeviceUUID != ""},
	} {
		if !part.has {
			missing = append(missing, part.name)
		}
	}
	if len(missing) > 0 {
		return bad("make a new token for the service account", "the service account token lacks "+strings.Join(missing, ", "))
	}
	return t, nil
}

// CheckConnectToken checks the shape of a Connect token: a JSON Web Token. The
// error is a *problem.Problem of wrong usage and holds nothing of the token.
func CheckConnectToken(token string) error {
	const again = "copy the Connect server's access token again, whole"
	if hint, message := commonlyWrong(token); message != "" {
		return problem.Usagef(hint, "the Connect token %s", message).About(problem.BrokenToken)
	}
	if strings.HasPrefix(token, tokenPrefix) {
		return problem.Usagef("put it in OP_SERVICE_ACCOUNT_TOKEN", "the Connect token is a service account token").About(problem.BrokenToken)
	}
	if strings.HasPrefix(token, "{") {
		return problem.Usagef("1password-credentials.json belongs to the Connect server; the access token is the other of the two",
			"the Connect token is a credentials file").About(problem.BrokenToken)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return problem.Usagef(again, "the Connect token is not a JSON Web Token, which has three parts with dots between").About(problem.BrokenToken)
	}
	for i, part := range parts {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil || len(raw) == 0 {
			return problem.Usagef(again, "part %d of the Connect token is cut off or altered", i+1).About(problem.BrokenToken)
		}
		if i < 2 && !json.Valid(raw) {
			return problem.Usagef(again, "part %d of the Connect token is cut off or altered", i+1).About(problem.BrokenToken)
		}
	}
	return nil
}

// commonlyWrong is what people put where a token of either kind belongs.
func commonlyWrong(token string) (hint, message string) {
	trimmed := strings.TrimSpace(token)
	switch {
	case trimmed == "":
		return "set it as a secret of the CI system; a pull request from a fork gets none", "is empty"
	case strings.Trim(trimmed, "*") == "":
		return "what a log shows is masked; copy the token from 1Password", "is nothing but asterisks"
	case trimmed != token:
		return "take the white space away", "has white space around it"
	case strings.HasPrefix(token, scheme):
		return "the token that opens 1Password cannot itself be a reference", "is a secret reference"
	case strings.HasPrefix(token, "${{") || strings.HasPrefix(token, "$"):
		return "the variable was not filled in", "is the name of a variable"
	case strings.ContainsAny(token, " \t\r\n"):
		return "a token is one line without spaces", "has white space in it"
	case len(token) > 1 && (token[0] == '"' || token[0] == '\'') && token[len(token)-1] == token[0]:
		return "take the quotes away", "stands in quotes"
	}
	return "", ""
}

func looksLikeJWT(token string) bool {
	return strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2
}

// TokenParts are the texts that a token of either kind must be masked by: the
// token, its body, and the keys inside it, each of which alone is a credential.
func TokenParts(token string) []mask.Secret {
	if token == "" {
		return nil
	}
	parts := []mask.Secret{mask.NewSecret("token", token)}
	add := func(name, value string) {
		if len(value) >= 8 {
			parts = append(parts, mask.NewSecret(name, value))
		}
	}
	body, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		if looksLikeJWT(token) {
			// The signature makes the token; header and payload are not secret, but
			// together with it they are found by the whole token already.
			add("token signature", token[strings.LastIndex(token, ".")+1:])
		}
		return parts
	}
	// Without a name: that words of its JSON are not masked by themselves is nothing
	// to tell anybody.
	add("", body)
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil {
		return parts
	}
	var t struct {
		SRPX string `json:"srpX"`
		MUK  struct {
			K string `json:"k"`
		} `json:"muk"`
		SecretKey      string `json:"secretKey"`
		ThrottleSecret struct {
			Seed string `json:"seed"`
		} `json:"throttleSecret"`
	}
	add("", string(raw))
	// A wrong shape leaves the parts that were read before it, and those are added.
	_ = json.Unmarshal(raw, &t)
	add("srpX", t.SRPX)
	add("muk", t.MUK.K)
	add("secret key", t.SecretKey)
	add("secret key", strings.ReplaceAll(t.SecretKey, "-", ""))
	add("throttle seed", t.ThrottleSecret.Seed)
	return parts
}
