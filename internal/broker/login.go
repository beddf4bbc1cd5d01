package broker

import "github.com/kamal-op/kamal-op/internal/problem"

// A login is one to a registry, on this machine, that Kamal is about to make.
type login struct {
	Server string `json:"server"` // "" is Docker Hub
}

// login answers the preload before Kamal logs in to a registry.
func (b *Broker) login(l *login) *checkReply {
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
