package broker

import (
	"context"
	"time"
)

// A Record is what the hosts keep of a deploy that is over.
type Record struct {
	Line  string   `json:"line"`            // "" is nothing
	Hosts []string `json:"hosts,omitempty"` // which; nil is all of the command
	Past  bool     `json:"past,omitempty"`  // whether to ask for their records of earlier deploys
}

// A Result is how a deploy ended. The hosts keep a line of it.
type Result struct {
	Command string // deploy, redeploy, setup, rollback, rotate
	Version string // of the app
	How     string // done, failed, cancelled
	Took    time.Duration
}

// A resultRequest reports how a deploy ended.
type resultRequest struct {
	Command string  `json:"command"`
	Version string  `json:"version"`
	How     string  `json:"how"`
	Took    float64 `json:"took"` // in seconds
}

func (b *Broker) recordResult(ctx context.Context, e *resultRequest) any {
	if b.o.Record == nil {
		return map[string]string{"error": "nothing is to be written down"}
	}
	return b.o.Record(ctx, Result{e.Command, e.Version, e.How, time.Duration(e.Took * float64(time.Second))})
}

// A pastRequest brings what a host has kept of earlier deploys, as its log has it.
type pastRequest struct {
	Log string `json:"log"`
}

func (b *Broker) readPast(p *pastRequest) any {
	if b.o.ReadPast != nil {
		b.o.ReadPast(p.Log)
	}
	return struct{}{}
}
