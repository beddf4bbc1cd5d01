package cli

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/supervise"
)

// startNothing are the commands that start no Kamal and no child that must be ended
// in order: there is nothing to wait for when a signal comes.
var startNothing = []string{"check", "add", "remove", "rename", "init", "migrate", "host-keys", "version", "config", "help", "completion", "complete", "man"}

// promptGrace is how long such a command has to end by itself: to finish a file that
// it writes, or to tell what it was at.
const promptGrace = 1500 * time.Millisecond

// promptly runs a command, and lets a signal end it: by itself where its work looks
// at its context, else by leaving the work where it is. What a plan writes is whole
// or not there at all at every moment. given tells the streams of the signal: a
// reader that takes nothing is waited for no longer.
func promptly(given func(), run func() error) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	return endedBy(signals, promptGrace, given, run)
}

// endedBy runs a command until it ends, or until a grace after a signal is over.
func endedBy(signals <-chan os.Signal, grace time.Duration, given func(), run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	var err error
	var sig os.Signal
	select {
	case err = <-done:
		return err
	case sig = <-signals:
	}
	given()
	ended := exitStatus(supervise.Signalled{Signal: sig.(syscall.Signal)}.Status())
	select {
	case err = <-done:
	case <-time.After(grace):
		return ended
	}
	if err == nil || errors.As(err, new(exitStatus)) {
		return err // it was done all the same
	}
	return ended
}
