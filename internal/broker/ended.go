package broker

import (
	"context"
	"time"
)

// An endedReply is what the hosts are to keep.
type endedReply struct {
	Line  string   `json:"line"`            // "" is nothing
	Hosts []string `json:"hosts,omitempty"` // which; nil is all of the command
}

// An Ended is a deploy that is over, of which the hosts are to keep a line.
type Ended struct {
	Command string // deploy, redeploy, setup, rollback, rotate
	Version string // of the app
	How     string // done, failed, cancelled
	Took    time.Duration
}

// ended is what the preload says of a deploy that is over.
type ended struct {
	Command string  `json:"command"`
	Version string  `json:"version"`
	How     string  `json:"how"`
	Took    float64 `json:"took"` // in seconds
}

func (b *Broker) ended(ctx context.Context, e *ended) any {
	if b.o.Ended == nil {
		return map[string]string{"error": "nothing is to be written down"}
	}
	line, hosts := b.o.Ended(ctx, Ended{e.Command, e.Version, e.How, time.Duration(e.Took * float64(time.Second))})
	return endedReply{line, hosts}
}
