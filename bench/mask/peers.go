//go:build peers

package main

import (
	"io"

	replacer "github.com/kamal-op/kamal-op/bench/mask/peers/buildkite"
	masker "github.com/kamal-op/kamal-op/bench/mask/peers/gitlab"
)

func init() {
	peers = append(peers,
		subject{"gitlab-runner", func(w io.Writer, secrets []string) (io.Writer, func() error) {
			phrases := make([][]byte, len(secrets))
			for i, s := range secrets {
				phrases[i] = []byte(s)
			}
			m := masker.New(nopCloser{w}, phrases)
			return m, m.Close
		}},
		subject{buildkite, func(w io.Writer, secrets []string) (io.Writer, func() error) {
			r := replacer.New(w, secrets, func([]byte) []byte { return []byte("***") })
			return r, r.Flush
		}},
	)
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
