package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A Repository is one side of a copy.
type Repository struct {
	Of       string // whose it is, for messages: "staging"
	Name     string // with the registry's server, where that is not Docker Hub
	Username string // "" asks without a login
	Password mask.Secret
}

// A Copy is an image that is to stand under a tag in another repository.
type Copy struct {
	From  string `json:"from"`  // repository@digest
	To    string `json:"to"`    // repository:tag
	There bool   `json:"there"` // To is the image already

	source, target side
	digest         name.Digest
	tag            name.Tag
}

// A side is a repository, and what speaks to it.
type side struct {
	Repository
	repository name.Repository
	options    []remote.Option
}

// Find looks for an image in the one repository, by the first of the digests that it has,
// and for what has the tag in the other. Nothing is changed. What keeps it from being
// copied is the error: also another image that has the tag.
func Find(ctx context.Context, from Repository, digests []string, to Repository, tag string) (*Copy, error) {
	c := &Copy{}
	var err error
	if c.source, err = from.side(); err != nil {
		return nil, err
	}
	if c.target, err = to.side(); err != nil {
		return nil, err
	}
	c.tag = c.target.repository.Tag(tag)
	c.To = to.Name + ":" + tag
	sourceErr := c.find(ctx, digests)
	targetErr := c.look(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := errors.Join(sourceErr, targetErr); err != nil {
		return nil, err
	}
	return c, nil
}

// find is by which digest the source has the image.
func (c *Copy) find(ctx context.Context, digests []string) error {
	for _, digest := range digests {
		at := c.source.repository.Digest(digest)
		_, err := remote.Head(at, c.source.with(ctx)...)
		switch {
		case err == nil:
			c.digest, c.From = at, c.source.Name+"@"+digest
			return nil
		case status(err) != http.StatusNotFound:
			return c.source.refused("the image is read", err)
		}
	}
	p := problem.Newf("the registry of %s has no %s@%s any more", c.source.Of, c.source.Name, strings.Join(digests, ", ")).About(problem.Copying)
	p.Hint = "deploy it to " + c.source.Of + " again"
	return p
}

// look is what has the tag in the target. Some registries refuse to say so of a repository
// that they have none of yet: there it counts whether it may be pushed to.
func (c *Copy) look(ctx context.Context) error {
	found, err := remote.Head(c.tag, c.target.with(ctx)...)
	switch code := status(err); {
	case err == nil && c.digest.DigestStr() == found.Digest.String():
		c.There = true
		return nil
	case err == nil && c.From != "":
		p := problem.Newf("the registry of %s has another image as %s: %s", c.target.Of, c.To, found.Digest).About(problem.Copying)
		p.Hint = "somebody has built this version for " + c.target.Of + ": remove it there, or promote another version"
		return p
	case err == nil, code == http.StatusNotFound:
		return nil
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		if err := c.target.mayPush(ctx); err != nil {
			return c.target.refused("whether it takes the image is asked", err)
		}
		return nil
	}
	return c.target.refused("whether it has the image is asked", err)
}

// Run copies the image, unless it is there, and holds what stands there then to the digest.
// Somebody may have pushed since Find: what has the tag is looked for once more.
func (c *Copy) Run(ctx context.Context) error {
	if c.There {
		return nil
	}
	found, err := remote.Get(c.digest, c.source.with(ctx)...)
	if err != nil {
		return c.ended(ctx, c.source.refused("the image is read", err))
	}
	if err := c.look(ctx); err != nil || c.There {
		return c.ended(ctx, err)
	}
	pusher, err := remote.NewPusher(c.target.with(ctx)...)
	if err != nil {
		return err
	}
	if err := pusher.Push(ctx, c.tag, found); err != nil {
		return c.ended(ctx, c.of(err).refused("the image is copied", err))
	}
	there, err := remote.Head(c.tag, c.target.with(ctx)...)
	if err != nil {
		return c.ended(ctx, c.target.refused("the copy is looked at", err))
	}
	if there.Digest.String() != c.digest.DigestStr() {
		p := problem.Newf("the registry of %s has made another image of the copy: %s is %s, and not %s", c.target.Of, c.To, there.Digest, c.digest.DigestStr()).About(problem.Copying)
		p.Hint = "a registry that changes what it is given cannot be promoted to"
		return p
	}
	c.There = true
	return nil
}

// ended is why a copy has failed: a run that is over has its own cause.
func (c *Copy) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// of is the side that an error of a copy came from: layers are read while they are written.
func (c *Copy) of(err error) side {
	var told *transport.Error
	var lost *unanswered
	switch {
	case errors.As(err, &told) && told.Request != nil && asked(told.Request.Context()) == c.source.Of, errors.As(err, &lost) && lost.of == c.source.Of:
		return c.source
	}
	return c.target
}

// side is how a repository is spoken to.
func (r Repository) side() (side, error) {
	repository, err := name.NewRepository(r.Name)
	if err != nil {
		p := problem.Newf("%s of %s is no repository that a registry can have", r.Name, r.Of).About(problem.Copying)
		p.Cause, p.Hint = err, "mend image or registry.server in its configuration"
		return side{}, p
	}
	options := []remote.Option{remote.WithAuth(r.auth()), remote.WithTransport(encrypted{remote.DefaultTransport}), remote.WithUserAgent("kamal-op")}
	return side{Repository: r, repository: repository, options: options}, nil
}

// auth is the login of a repository.
func (r Repository) auth() authn.Authenticator {
	if r.Username == "" && r.Password.Len() == 0 {
		return authn.Anonymous
	}
	return &authn.Basic{Username: r.Username, Password: r.Password.Reveal()}
}

// with are the options of one request.
func (s side) with(ctx context.Context) []remote.Option {
	return append(s.options[:len(s.options):len(s.options)], remote.WithContext(asking(ctx, s.Of)))
}

// refused is the problem of a side that did not answer as it should. while is what was
// done.
func (s side) refused(while string, err error) error {
	p := problem.Newf("the registry of %s (%s) does not answer, while %s: %s", s.Of, s.repository.RegistryStr(), while, said(err)).About(problem.Copying)
	p.Cause, p.Hint = err, "see whether it can be reached from here, and try again"
	switch code := status(err); code {
	case http.StatusUnauthorized, http.StatusForbidden:
		p.Message = fmt.Sprintf("the registry of %s (%s) refuses the login of %s, while %s: %s", s.Of, s.repository.RegistryStr(), s.Of, while, said(err))
		p.Hint = "registry.username and registry.password of " + s.Of + " must be let read and write " + s.Name
	case 0:
	default:
		p.Message = fmt.Sprintf("the registry of %s (%s) fails, while %s: %s", s.Of, s.repository.RegistryStr(), while, said(err))
	}
	return p
}

// said is what a registry has said, in few words. The address of a request is not among
// them: where a registry keeps its layers elsewhere, it is signed.
func said(err error) string {
	var told *transport.Error
	if !errors.As(err, &told) {
		for of := new(url.Error); errors.As(err, &of); {
			err = of.Err
		}
		return err.Error()
	}
	words := fmt.Sprintf("%d %s", told.StatusCode, http.StatusText(told.StatusCode))
	for _, d := range told.Errors {
		words += ", " + string(d.Code)
	}
	return words
}

// status is the status of an answer that is an error, 0 where there was no answer.
func status(err error) int {
	var told *transport.Error
	if errors.As(err, &told) {
		return told.StatusCode
	}
	return 0
}
