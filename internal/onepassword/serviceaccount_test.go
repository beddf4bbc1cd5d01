package onepassword_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
	"github.com/kamal-op/kamal-op/internal/testkit/rulestest"
)

// TestServiceAccount_ReportsFaults walks every text that the SDK was seen to give at
// every call of a run, once and for ever.
func TestServiceAccount_ReportsFaults(t *testing.T) {
	trace := " (recovered by wazero)\nwasm stack trace:\n\t.http_request(i64)\n\t.secret place"
	var limited error = &sdk.RateLimitExceededError{}
	faults := []struct {
		name string
		err  error
		once string // "" is that the run recovers
		ever string
	}{
		{"typed rate limit", limited, "", "rate limit is used up"},
		{"rate limit at login", errors.New("error initializing client: authentication error: rate limit exceeded"), "", "rate limit is used up"},
		{"rate limit in a text", errors.New("performing a vault operation: rate limit exceeded"), "", "rate limit is used up"},
		{"500", errors.New("unable to retrieve vaults: internal server error"), "", "could not be reached"},
		{"503", errors.New("unexpected status code in response: 503 Service Unavailable"), "", "could not be reached"},
		{"408", errors.New("request timeout"), "", "could not be reached"},
		{"reset", errors.New(`Get "https://a.1password.com/api": read tcp: connection reset by peer` + trace), "", "could not be reached"},
		{"EOF", errors.New(`Get "https://a.1password.com/api": EOF` + trace), "", "could not be reached"},
		{"refused", errors.New(`Get "https://a.1password.com/api": dial tcp 127.0.0.1:443: connect: connection refused` + trace), "", "could not be reached"},
		{"HTTP/2 stream", errors.New(`Post "https://a.1password.com/api": stream error: stream ID 3; INTERNAL_ERROR; received from peer` + trace), "", "could not be reached"},
		{"HTTP/2 stream in the body", errors.New(`stream error: stream ID 3; INTERNAL_ERROR; received from peer` + trace), "", "could not be reached"},
		{"HTTP/2 goes away", errors.New(`Get "https://a.1password.com/api": http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=""` + trace), "", "could not be reached"},
		{"TLS handshake timeout", errors.New(`Get "https://a.1password.com/api": net/http: TLS handshake timeout` + trace), "", "could not be reached"},
		{"TLS handshake broken off", errors.New(`Get "https://a.1password.com/api": remote error: tls: internal error` + trace), "", "could not be reached"},
		{"a name server that is busy", errors.New(`Get "https://a.1password.com/api": dial tcp: lookup a.1password.com on 127.0.0.53:53: server misbehaving` + trace), "", "could not be reached"},
		{"the network that changes", errors.New(`Get "https://a.1password.com/api": read tcp 10.0.0.1:4->1.2.3.4:443: use of closed network connection` + trace), "", "could not be reached"},
		{"a proxy's 502", errors.New(`Get "https://a.1password.com/api": Bad Gateway` + trace), "", "could not be reached"},
		{"a proxy's 503", errors.New(`Get "https://a.1password.com/api": Service Unavailable` + trace), "", "could not be reached"},
		{"a proxy's 504", errors.New(`Get "https://a.1password.com/api": Gateway Time-out` + trace), "", "could not be reached"},
		{"a proxy's 429", errors.New(`Get "https://a.1password.com/api": Too Many Requests` + trace), "", "limits requests"},
		{"504", errors.New("unexpected status code in response: 504 Gateway Timeout"), "", "could not be reached"},
		{"a proxy's 407", errors.New(`Get "https://a.1password.com/api": Proxy Authentication Required` + trace), "the proxy of HTTPS_PROXY refused", "the proxy of HTTPS_PROXY refused"},
		{"a proxy's 403", errors.New(`Get "https://a.1password.com/api": Forbidden` + trace), "the proxy of HTTPS_PROXY refused", "the proxy of HTTPS_PROXY refused"},
		{"no such host", errors.New(`Get "https://a.1password.com/api": dial tcp: lookup a.1password.com: no such host` + trace), "could not be reached", "could not be reached"},
		{"certificate", errors.New(`Get "https://a.1password.com/api": tls: failed to verify certificate: x509: certificate signed by unknown authority` + trace), "could not be trusted", "could not be trusted"},
		{"host not allowed", errors.New(`HTTP request to 'https://127.0.0.1/api' is not allowed` + trace), "does not allow", "does not allow"},
		{"401", errors.New("error initializing client: authentication error: you are not authenticated"), "refused the service account token", "refused the service account token"},
		{"revoked mid-run", errors.New("unable to retrieve vaults: bad credentials, please retry: failed to authenticate"), "refused the service account token", "refused the service account token"},
		{"rotated", errors.New("error initializing client: authentication error: bad service account token, please rotate it: invalid user auth parameters within token"), "refused the service account token", "refused the service account token"},
		{"403", errors.New("you don't have the right permissions to access this resource"), "refused access", "refused access"},
		{"403 of a vault", errors.New("unable to retrieve vaults: you do not have the right permissions to perform this action: x"), "refused access", "refused access"},
		{"trap", errors.New("wasm error: unreachable\nwasm stack trace:\n\tx"), "", "could not read 1Password's answer"},
		{"lost client", errors.New("an internal error occurred: invalid client id"), "", "could not read 1Password's answer"},
		{"unknown", errors.New("something new"), "reported an error", "reported an error"},
		{"stall", context.DeadlineExceeded, "", "in time"},
	}
	vaults := []standin.VaultSpec{{ID: id("v"), Name: "MyApp", Items: []standin.ItemSpec{
		{ID: id("one"), Title: "one", Fields: []standin.FieldSpec{{ID: id("a"), Label: "A", Value: "right value A"}}},
		{ID: id("two"), Title: "two", Fields: []standin.FieldSpec{{ID: id("b"), Label: "B", Value: "right value B\n"}}},
	}}}
	declared := declare(t, "A=op://MyApp/one/A", "B=op://MyApp/two/B")
	check := func(t *testing.T, name string, fault error, at int, ever bool, want string) {
		fake := &fakeSDK{t: t, vaults: vaults}
		fake.fault = func(_ string, n int) error {
			if n == at || ever && n >= at {
				return fault
			}
			return nil
		}
		began := time.Now()
		secrets, err := fake.resolver(onepassword.Options{Deadline: 4 * time.Second}).Resolve(t.Context(), declared)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: it took %v", name, took)
		}
		if want == "" {
			got := reveal(secrets)
			if err != nil || len(got) != 2 || got["A"] != "right value A" || got["B"] != "right value B\n" {
				t.Errorf("%s: did not recover: %v", name, err)
			}
			return
		}
		if err == nil {
			t.Errorf("%s: passed", name)
			return
		}
		if problem.Status(err) != problem.Refused {
			t.Errorf("%s: status %d of %v", name, problem.Status(err), err)
		}
		var text strings.Builder
		for _, p := range problem.Of(err) {
			fmt.Fprint(&text, p.Message, p.Details, p.Hint)
		}
		told := text.String()
		both := strings.Contains(told, "wanted for A, B") || strings.Contains(told, "A (op://") && strings.Contains(told, "B (op://")
		if !strings.Contains(told, want) || !both {
			t.Errorf("%s: %q does not have %q and the secrets' names", name, told, want)
		}
		if strings.Contains(told, "secret place") || strings.Contains(told, "right value") || strings.Contains(told, "\n") {
			t.Errorf("%s: too much stands in %q", name, told)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		for _, test := range faults {
			for at := 1; at <= 4; at++ {
				once := test.once
				if test.name == "unknown" && at == 4 {
					once = "" // the batch is asked for again, item by item
				}
				wg.Go(func() { check(t, fmt.Sprintf("%s at %d once", test.name, at), test.err, at, false, once) })
				wg.Go(func() { check(t, fmt.Sprintf("%s at %d for ever", test.name, at), test.err, at, true, test.ever) })
			}
		}
		wg.Wait()
	})
}

// TestServiceAccount_TriesAgain: what asking again cannot mend is asked once, and what
// limits requests is not asked again within milliseconds.
func TestServiceAccount_TriesAgain(t *testing.T) {
	for text, test := range map[string]struct {
		tries int
		took  time.Duration
	}{
		"authentication error: you are not authenticated":                                           {1, 0},
		"authentication error: you don't have the right permissions to access this resource":        {1, 0},
		"authentication error: resource not found":                                                  {1, 0},
		"authentication error: bad service account token, please rotate it":                         {1, 0},
		"no vault matched the secret reference query":                                               {1, 0},
		"secret reference has invalid format":                                                       {1, 0},
		"item is not in an active state":                                                            {1, 0},
		`Post "https://a.1password.com/": Proxy Authentication Required ` + "(recovered by wazero)": {1, 0},
		"authentication error: rate limit exceeded":                                                 {4, 7 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &fakeSDK{t: t, fault: func(string, int) error { return errors.New(text) }}
			began := time.Now()
			if _, err := fake.backend().Vaults(t.Context()); err == nil {
				t.Errorf("%s: passed", text)
			}
			if len(fake.calls) != test.tries || time.Since(began).Round(10*time.Millisecond) != test.took {
				t.Errorf("%s: %d tries in %v, want %d in %v", text, len(fake.calls), time.Since(began), test.tries, test.took)
			}
		})
	}
}

// answersItems answers GetAll with what the test says.
type answersItems struct {
	sdk.ItemsAPI
	answer func(ids []string) (sdk.ItemsGetAllResponse, error)
}

func (a answersItems) GetAll(_ context.Context, _ string, ids []string) (sdk.ItemsGetAllResponse, error) {
	return a.answer(ids)
}

// TestServiceAccount_ChecksAnswersByID: what the core pairs by position is checked by id.
func TestServiceAccount_ChecksAnswersByID(t *testing.T) {
	item := func(vault, item string) sdk.Response[sdk.Item, sdk.ItemsGetAllError] {
		return sdk.Response[sdk.Item, sdk.ItemsGetAllError]{Content: &sdk.Item{ID: item, VaultID: vault, Fields: []sdk.ItemField{{ID: id("a"), Title: "A", Value: "wrong value"}}}}
	}
	internal := sdk.NewItemsGetAllErrorTypeVariantInternal("item is not in an active state")
	type answers = []sdk.Response[sdk.Item, sdk.ItemsGetAllError]
	for name, test := range map[string]struct {
		answers answers
		want    string
		status  int
	}{
		"another item":             {answers{item(id("v"), id("other"))}, "another item than was asked for", problem.Refused},
		"an item of another vault": {answers{item(id("w"), id("one"))}, "another item than was asked for", problem.Refused},
		"too few":                  {nil, "another number of items", problem.Refused},
		"too many":                 {answers{item(id("v"), id("one")), item(id("v"), id("one"))}, "another number of items", problem.Refused},
		"nothing":                  {answers{{}}, "neither an item nor an error", problem.Refused},
	} {
		s := onepassword.NewServiceAccountOver("ops_x", time.Second, func(context.Context) (onepassword.FakeSDK, error) {
			return onepassword.FakeSDK{Items: answersItems{answer: func([]string) (sdk.ItemsGetAllResponse, error) {
				return sdk.ItemsGetAllResponse{IndividualResponses: test.answers}, nil
			}}}, nil
		})
		r := onepassword.NewResolver(s, onepassword.Options{Deadline: time.Second})
		_, err := r.Resolve(t.Context(), declare(t, "A=op://"+id("v")+"/"+id("one")+"/A"))
		if err == nil || !strings.Contains(err.Error(), test.want) || problem.Status(err) != test.status {
			t.Errorf("%s: %v", name, err)
		}
	}
	got := onepassword.NewServiceAccountOver("ops_x", time.Second, func(context.Context) (onepassword.FakeSDK, error) {
		return onepassword.FakeSDK{Items: answersItems{answer: func(ids []string) (sdk.ItemsGetAllResponse, error) {
			return sdk.ItemsGetAllResponse{IndividualResponses: answers{{Error: &internal}}}, nil
		}}}, nil
	}).Get(t.Context(), id("v"), []string{id("one")})
	if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "archived or deleted") {
		t.Errorf("an item in the trash: %v", got[0].Err)
	}
}

// TestServiceAccount_TrashedItemSpoilsNoOther: the SDK fails a batch as a whole for
// one item in the trash.
func TestServiceAccount_TrashedItemSpoilsNoOther(t *testing.T) {
	fake := &fakeSDK{t: t, vaults: rulestest.Vaults(t)}
	_, err := fake.resolver(onepassword.Options{}).Resolve(t.Context(), declare(t,
		"A=op://"+id("v1")+"/"+id("prod")+"/TOP", "B=op://"+id("v1")+"/"+id("trash")+"/x", "C=op://"+id("v1")+"/"+id("key")+"/fingerprint"))
	list := problem.Of(err)
	if len(list) != 1 || !strings.HasPrefix(list[0].Message, "B (op://") || !strings.Contains(list[0].Message, "archived or deleted") {
		t.Errorf("%v", err)
	}
}

// TestServiceAccount_ReadsItemsWithoutDetails: the SDK's accessors would panic.
func TestServiceAccount_ReadsItemsWithoutDetails(t *testing.T) {
	s := onepassword.NewServiceAccountOver("ops_x", time.Second, func(context.Context) (onepassword.FakeSDK, error) {
		return onepassword.FakeSDK{Items: answersItems{answer: func(ids []string) (sdk.ItemsGetAllResponse, error) {
			address := sdk.NewItemFieldDetailsTypeVariantAddress(nil)
			key := sdk.NewItemFieldDetailsTypeVariantSSHKey(nil)
			item := sdk.Item{ID: ids[0], VaultID: id("v"), Fields: []sdk.ItemField{
				{ID: "a", Title: "A", FieldType: sdk.ItemFieldTypeSSHKey, Value: "key", Details: &key},
				{ID: "b", Title: "B", FieldType: sdk.ItemFieldTypeSSHKey, Value: "key", Details: &address},
				{ID: "c", Title: "C", FieldType: sdk.ItemFieldTypeTOTP, Value: "JBSWY3DP", Details: &sdk.ItemFieldDetails{Type: "Otp"}},
			}}
			return sdk.ItemsGetAllResponse{IndividualResponses: []sdk.Response[sdk.Item, sdk.ItemsGetAllError]{{Content: &item}}}, nil
		}}}, nil
	})
	got := s.Get(t.Context(), id("v"), []string{id("one")})
	if got[0].Err != nil || len(got[0].Item.Fields) != 3 {
		t.Errorf("%v", got[0].Err)
	}
}

// The SDK makes a text of the error of a context that has ended: that an attempt took too
// long is known without it. An answer that came all the same counts.
func TestServiceAccount_AnAttemptThatTakesTooLong(t *testing.T) {
	for name, failed := range map[string]error{"an answer": nil, "a text": errors.New("you don't have the right permissions to access this resource")} {
		asked := 0
		s := onepassword.NewServiceAccountOver("ops_x", time.Millisecond, func(context.Context) (onepassword.FakeSDK, error) {
			return onepassword.FakeSDK{Vaults: lateVaults{asked: &asked, err: failed}}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if _, err := s.Vaults(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if want := map[bool]int{true: 1, false: 2}[failed == nil]; asked != want {
			t.Errorf("%s: asked %d times", name, asked)
		}
	}
}

// lateVaults answer once the time of the first attempt is over, and then at once.
type lateVaults struct {
	sdk.VaultsAPI
	asked *int
	err   error
}

func (l lateVaults) List(ctx context.Context, _ ...sdk.VaultListParams) ([]sdk.VaultOverview, error) {
	if *l.asked++; *l.asked == 1 {
		<-ctx.Done()
		return nil, l.err
	}
	return nil, nil
}
