package onepassword

import (
	"context"
	"net"
	"net/http"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/mask"
)

// FakeSDK is what a test puts in the SDK's place.
type FakeSDK struct {
	Vaults       sdk.VaultsAPI
	Items        sdk.ItemsAPI
	Environments sdk.EnvironmentsAPI
}

// NewServiceAccountOver is a service account over a fake; login is called for
// every session.
func NewServiceAccountOver(token string, timeout time.Duration, login func(context.Context) (FakeSDK, error)) *ServiceAccount {
	s := newServiceAccount(ServiceAccountOptions{Token: mask.NewSecret("token", token), Timeout: timeout})
	s.login = func(ctx context.Context) (*sdkClient, error) {
		f, err := login(ctx)
		if err != nil {
			return nil, err
		}
		return &sdkClient{vaults: f.Vaults, items: f.Items, environments: f.Environments}, nil
	}
	return s
}

// CoreWasTouched reports whether the SDK's core was asked for in this process.
func CoreWasTouched() bool { return core.started.Load() }

var (
	TOTP     = totp
	Nearest  = nearest
	OpenSSH  = openSSH
	Distance = distance
	FoldKey  = foldKey

	Quote          = quote
	QuoteReference = quoteReference
	List           = list
)

// AnswerWith puts f in the network's place.
func (c *Connect) AnswerWith(f func(*http.Request) (*http.Response, error)) {
	c.client.Transport = answers(f)
}

// DialWith puts f in the place of the network's connections.
func (c *Connect) DialWith(f func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.client.Transport.(*http.Transport).DialContext = f
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
