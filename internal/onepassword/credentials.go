package onepassword

import (
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// Credentials are the ways into 1Password that a caller was given. Empty strings
// are what was not given.
type Credentials struct {
	ServiceAccountToken string
	ConnectHost         string
	ConnectToken        string
	ConnectTokenFile    string // its content takes the place of ConnectToken
}

// A Way is one of the ways into 1Password.
type Way int

// The ways.
const (
	NoWay             Way = iota // no credentials at all
	ConnectWay                   // a Connect server; it wins where both are given, as in the op CLI
	ServiceAccountWay            // a service account
)

// Way is the way that the credentials lead.
func (c Credentials) Way() Way {
	switch {
	case c.ConnectHost != "" && (c.ConnectToken != "" || c.ConnectTokenFile != ""):
		return ConnectWay
	case c.ServiceAccountToken != "":
		return ServiceAccountWay
	}
	return NoWay
}

// Both says whether a service account token was given that Connect wins over.
func (c Credentials) Both() bool { return c.Way() == ConnectWay && c.ServiceAccountToken != "" }

// Load checks what was given, all of it together and nothing by asking 1Password,
// and gives the credentials back with the token file read. The error is a
// problem.List of wrong usage and holds nothing of a token.
func (c Credentials) Load() (Credentials, error) {
	var problems problem.List
	check := func(err error) { problems = append(problems, problem.Of(err)...) }
	if c.ConnectToken != "" && c.ConnectTokenFile != "" {
		check(problem.Usagef("keep one of the two", "both a Connect token and a token file are given"))
		return c, problems.Err()
	}
	switch c.Way() {
	case ConnectWay:
		check(CheckConnectHost(c.ConnectHost))
		if c.ConnectTokenFile != "" {
			token, err := ReadTokenFile(c.ConnectTokenFile)
			check(err)
			if err != nil {
				break
			}
			c.ConnectToken, c.ConnectTokenFile = token, ""
		}
		check(CheckConnectToken(c.ConnectToken))
	case ServiceAccountWay:
		check(CheckToken(c.ServiceAccountToken))
	case NoWay:
		switch {
		case c.ConnectHost != "":
			check(problem.Usagef("set OP_CONNECT_TOKEN or OP_CONNECT_TOKEN_FILE", "a Connect host is given, but no Connect token"))
		case c.ConnectToken != "" || c.ConnectTokenFile != "":
			check(problem.Usagef("set OP_CONNECT_HOST or --connect-host", "a Connect token is given, but no Connect host"))
		default:
			check(problem.Usagef("set OP_SERVICE_ACCOUNT_TOKEN, or OP_CONNECT_HOST and OP_CONNECT_TOKEN", "there are no credentials for 1Password"))
		}
	}
	return c, problems.Err()
}

// Secrets are the texts to mask of everything that was given, also of what is not
// used.
func (c Credentials) Secrets() []mask.Secret {
	return append(TokenParts(c.ServiceAccountToken), TokenParts(c.ConnectToken)...)
}
