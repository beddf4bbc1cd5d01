package registry

import (
	"context"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// giveUp is how long a registry has to give up an upload.
const giveUp = 5 * time.Second

// mayPush is whether the repository takes images with its login: an upload is begun, and
// given up at once. Some registries tell it nowhere else. It returns when the registry has
// forgotten the upload, or will not.
func (s side) mayPush(ctx context.Context) error {
	ctx = asking(ctx, s.Of)
	registry := s.repository.Registry
	speaks, err := transport.NewWithContext(ctx, registry, s.auth(), encrypted{remote.DefaultTransport}, []string{s.repository.Scope(transport.PushScope)})
	if err != nil {
		return err
	}
	client := &http.Client{Transport: speaks}
	begin := registry.Scheme() + "://" + registry.RegistryStr() + "/v2/" + s.repository.RepositoryStr() + "/blobs/uploads/"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, begin, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is wanted
	if err := transport.CheckError(resp, http.StatusAccepted, http.StatusCreated); err != nil {
		return err
	}
	upload, err := resp.Location()
	if err != nil || upload.Host != resp.Request.URL.Host {
		return nil // the registry takes it, and names none to give up
	}
	// Also where the run has just been ended: it is what was begun for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUp)
	defer cancel()
	if req, err = http.NewRequestWithContext(ctx, http.MethodDelete, upload.String(), nil); err != nil {
		return err
	}
	if resp, err := client.Do(req); err == nil { // one that is not given up is forgotten in time
		_ = resp.Body.Close()
	}
	return nil
}
