package onepassword

import (
	"context"
	"errors"
	"sync"
	"time"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/mask"
)

// ServiceAccountOptions are what a service account client is made of.
type ServiceAccountOptions struct {
	Token   mask.Secret
	Version string // ours, for 1Password's own statistics; "" is unknown

	// CacheDirs are directories in which the SDK's core may lie compiled, as
	// WarmCache leaves it. Those that are not private to their owner are passed
	// over, as are those that do not have it for this machine.
	CacheDirs []string

	// OwnCache is a directory of the user's in which a core that none of CacheDirs
	// had is kept, closed to all others, and found by the next run. "" is none.
	OwnCache string

	// Cold, where it is not nil, is told why the core had to be compiled though
	// there were directories. It is called with the first login, once.
	Cold func(why error)

	Timeout time.Duration // of one try of one call; 0 is 20 s
}

// ServiceAccount is the backend that uses 1Password's SDK. It logs in with the
// first call that needs it.
type ServiceAccount struct {
	token   mask.Secret
	version string
	dirs    []string
	own     string
	timeout time.Duration
	cold    func(why error)

	// login makes a client of the SDK; tests put the SDK's interfaces there.
	login func(ctx context.Context) (*sdkClient, error)

	mu     sync.Mutex
	client *sdkClient
}

// sdkClient is what is used of the SDK's client.
type sdkClient struct {
	vaults       sdk.VaultsAPI
	items        sdk.ItemsAPI
	environments sdk.EnvironmentsAPI

	// whole keeps the SDK's client reachable: when it is collected a finalizer
	// releases the session, and its parts answer "invalid client id".
	whole any

	core int // which of the process's cores it is a client of
}

// maxVersion is how long the SDK lets the version of who asks be. That of a build from a
// checkout names its time and its commit, and is longer.
const maxVersion = 20

// NewServiceAccount checks the token's shape and makes the backend. Nothing is
// sent, and the SDK's core is not touched. The error is a *problem.Problem.
func NewServiceAccount(o ServiceAccountOptions) (*ServiceAccount, error) {
	if err := CheckToken(o.Token.Reveal()); err != nil {
		return nil, err
	}
	return newServiceAccount(o), nil
}

func newServiceAccount(o ServiceAccountOptions) *ServiceAccount {
	if o.Version == "" {
		o.Version = sdk.DefaultIntegrationVersion
	}
	o.Version = o.Version[:min(len(o.Version), maxVersion)]
	if o.Timeout <= 0 {
		o.Timeout = 20 * time.Second
	}
	s := &ServiceAccount{token: o.Token, version: o.Version, dirs: o.CacheDirs, own: o.OwnCache, timeout: o.Timeout, cold: o.Cold}
	s.login = s.realLogin
	return s
}

// Prewarm begins to load the SDK's core in the background, from CacheDirs where
// one of them has it, or from OwnCache.
func (s *ServiceAccount) Prewarm() { core.start(s.dirs, s.own) }

// Ready waits until the SDK's core is loaded, and says from which directory; "" is
// that it was compiled.
func (s *ServiceAccount) Ready(ctx context.Context) (from string, err error) {
	if err := core.wait(ctx, s.dirs, s.own); err != nil {
		return "", err
	}
	return core.from, nil
}

// Name is 1Password.
func (s *ServiceAccount) Name() string { return "1Password" }

// Close lets go of the client.
func (s *ServiceAccount) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = nil
	return nil
}

func (s *ServiceAccount) realLogin(ctx context.Context) (*sdkClient, error) {
	if err := core.wait(ctx, s.dirs, s.own); err != nil {
		if ctx.Err() != nil {
			return nil, &BackendError{
				Reason: Unreachable, Message: "1Password's SDK was not compiled in time", Cause: err,
				Hint: "this machine is slow or busy: `kamal-op cache warm DIR` compiles it once for all runs",
			}
		}
		return nil, err
	}
	if s.cold != nil && core.cold != nil {
		s.cold(core.cold)
		s.cold = nil // the session's lock is held
	}
	var c *sdk.Client
	var err error
	nth := core.with(func() {
		c, err = sdk.NewClient(ctx, sdk.WithServiceAccountToken(s.token.Reveal()), sdk.WithIntegrationInfo("kamal-op", s.version))
	})
	if spoiled(err) {
		err = errors.Join(err, core.renew(nth, s.dirs))
	}
	if err != nil {
		return nil, err
	}
	return &sdkClient{vaults: c.Vaults(), items: c.Items(), environments: c.Environments(), whole: c, core: nth}, nil
}

// call logs in where that is still to be done, and calls f until it succeeds,
// fails for good, or the context ends.
func (s *ServiceAccount) call(ctx context.Context, what string, f func(ctx context.Context, c *sdkClient) error) error {
	return retry(ctx, func(ctx context.Context) *attempt {
		what := what
		client, err := s.session(ctx)
		if err != nil {
			what = loggingIn
		} else {
			try, cancel := context.WithTimeout(ctx, s.timeout)
			if err = f(try, client); spoiled(err) {
				err = errors.Join(err, core.renew(client.core, s.dirs))
			}
			if try.Err() != nil && err != nil && ctx.Err() == nil {
				// The SDK flattens the error of the context to a text.
				err = context.DeadlineExceeded
			}
			cancel()
		}
		if err == nil {
			return nil
		}
		var own *BackendError
		if ctx.Err() != nil && !errors.As(err, &own) {
			return &attempt{fatal: true, err: &BackendError{Reason: RanOut, Message: "1Password did not answer in time for " + what, Hint: reachHint, Cause: ctx.Err()}}
		}
		return s.failed(what, err)
	})
}

// session is the one client, made by the first who needs it.
func (s *ServiceAccount) session(ctx context.Context) (*sdkClient, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		ctx, cancel := context.WithTimeout(ctx, 2*s.timeout)
		defer cancel()
		client, err := s.login(ctx)
		if err != nil {
			return nil, err
		}
		s.client = client
	}
	return s.client, nil
}

// forget drops a client that the core does not know any more.
func (s *ServiceAccount) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = nil
}

// Vaults lists the vaults of the service account.
func (s *ServiceAccount) Vaults(ctx context.Context) ([]Vault, error) {
	var vaults []Vault
	err := s.call(ctx, "the list of vaults", func(ctx context.Context, c *sdkClient) error {
		found, err := c.vaults.List(ctx)
		if err != nil {
			return err
		}
		vaults = make([]Vault, len(found))
		for i, v := range found {
			vaults[i] = Vault{ID: v.ID, Name: v.Title}
		}
		return nil
	})
	return vaults, err
}

// Items lists the items of a vault.
func (s *ServiceAccount) Items(ctx context.Context, vaultID string) ([]Overview, error) {
	var items []Overview
	err := s.call(ctx, "the list of items", func(ctx context.Context, c *sdkClient) error {
		found, err := c.items.List(ctx, vaultID)
		if err != nil {
			return err
		}
		items = make([]Overview, len(found))
		for n, i := range found {
			items[n] = Overview{
				ID: i.ID, Title: i.Title, Category: sdkCategory(i.Category), Tags: i.Tags,
				Archived: i.State == sdk.ItemStateArchived,
			}
		}
		return nil
	})
	return items, err
}

// The SDK's core documents no limit for a batch; one of this size was asked for
// and answered by 1Password's own clients.
const batchSize = 50

// Get gets items of a vault in one batch.
func (s *ServiceAccount) Get(ctx context.Context, vaultID string, itemIDs []string) []ItemResult {
	got := make([]ItemResult, 0, len(itemIDs))
	for len(itemIDs) > 0 {
		n := min(batchSize, len(itemIDs))
		got = append(got, s.batch(ctx, vaultID, itemIDs[:n])...)
		itemIDs = itemIDs[n:]
	}
	return got
}

func (s *ServiceAccount) batch(ctx context.Context, vaultID string, itemIDs []string) []ItemResult {
	got := make([]ItemResult, len(itemIDs))
	err := s.call(ctx, "the items", func(ctx context.Context, c *sdkClient) error {
		answers, err := c.items.GetAll(ctx, vaultID, itemIDs)
		if err != nil {
			return err
		}
		if len(answers.IndividualResponses) != len(itemIDs) {
			return &BackendError{Reason: Broken, Message: "1Password answered for another number of items than was asked for", Hint: reachHint}
		}
		for n, answer := range answers.IndividualResponses {
			got[n] = ItemResult{}
			got[n].Item, got[n].Err = s.individual(vaultID, itemIDs[n], answer)
			// An answer that may be better next time is asked for again, whole.
			if r := reasonOf(got[n].Err); r == RateLimited || r == Unreachable {
				return errors.Unwrap(got[n].Err)
			}
		}
		return nil
	})
	switch {
	case err == nil:
		return got
	case len(itemIDs) > 1 && (reasonOf(err) == NotFound || reasonOf(err) == Broken):
		// One item that is in the trash can spoil a batch: find out which.
		for n, id := range itemIDs {
			got[n] = s.batch(ctx, vaultID, []string{id})[0]
		}
		return got
	}
	return failAll(got, err)
}

func (s *ServiceAccount) individual(vaultID, itemID string, answer sdk.Response[sdk.Item, sdk.ItemsGetAllError]) (*Item, error) {
	switch {
	case answer.Error != nil && answer.Error.Type == sdk.ItemsGetAllErrorTypeVariantItemNotFound:
		return nil, &BackendError{Reason: NotFound, Message: "1Password has no item of the id " + itemID}
	case answer.Error != nil:
		text := string(answer.Error.Type)
		if answer.Error.Type == sdk.ItemsGetAllErrorTypeVariantInternal {
			text = string(answer.Error.Internal())
		}
		return nil, s.failed("the item", errors.New(text)).err
	case answer.Content == nil:
		return nil, &BackendError{Reason: Broken, Message: "1Password answered with neither an item nor an error", Hint: reachHint}
	case answer.Content.ID != itemID || answer.Content.VaultID != vaultID:
		return nil, &BackendError{Reason: Broken, Message: "1Password answered with another item than was asked for", Hint: reachHint}
	}
	return sdkItem(answer.Content), nil
}

// ReadFile reads a file of an item.
func (s *ServiceAccount) ReadFile(ctx context.Context, item *Item, file File) ([]byte, error) {
	var content []byte
	err := s.call(ctx, "the file", func(ctx context.Context, c *sdkClient) (err error) {
		content, err = c.items.Files().Read(ctx, item.Vault.ID, item.ID, sdk.FileAttributes{Name: file.Name, ID: file.ID, Size: uint32(file.Size)})
		if err == nil && int64(len(content)) != file.Size {
			return &BackendError{Reason: Broken, Message: "the file that came back is not of the size that the item says", Hint: reachHint}
		}
		return err
	})
	return content, err
}

// Environment lists the variables of an Environment.
func (s *ServiceAccount) Environment(ctx context.Context, id string) ([]Variable, error) {
	var variables []Variable
	err := s.call(ctx, "the Environment", func(ctx context.Context, c *sdkClient) error {
		found, err := c.environments.GetVariables(ctx, id)
		if err != nil {
			return err
		}
		variables = make([]Variable, len(found.Variables))
		for i, v := range found.Variables {
			variables[i] = Variable{Value: mask.NewSecret(v.Name, v.Value), Masked: v.Masked}
		}
		return nil
	})
	return variables, err
}
