package broker

import (
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A loginRequest is one to a registry, on this machine, that Kamal is about to make.
type loginRequest struct {
	Server string `json:"server"` // "" is Docker Hub
}

// login answers the preload before Kamal logs in to a registry.
func (b *Broker) login(l *loginRequest) *checkReply {
	server := l.Server
	if server == "" {
		server = "docker.io"
	}
	b.notify(Event{Kind: Login, Message: "docker login " + server})
	if b.o.Login == nil {
		return &checkReply{}
	}
	if err := b.o.Login(l.Server); err != nil {
		return &checkReply{Stop: b.stopFor(problem.Of(err))}
	}
	return &checkReply{}
}

// A RegistryLogin is what a Kamal logs in to its registry with.
type RegistryLogin struct {
	Username string // "" where it needs no login
	Password mask.Secret
}

// registryLogin is what a Kamal says of its registry where it is asked for that: where
// kamal-op itself is to read from it or write to it.
type registryLogin struct {
	Username string `json:"username"`
	Password []byte `json:"password"`
}

// registryLogin takes it, masked: deploy.yml may have the password from anywhere.
func (b *Broker) registryLogin(l *registryLogin) any {
	if b.o.RegistryLogin == nil {
		return map[string]string{"error": "nobody has asked for the login of the registry"}
	}
	password := mask.NewSecret("the registry's password", string(l.Password))
	if err := b.mask(password); err != nil {
		return &checkReply{Stop: b.stopFor(problem.Of(err))}
	}
	b.o.RegistryLogin(RegistryLogin{l.Username, password})
	return &checkReply{}
}
