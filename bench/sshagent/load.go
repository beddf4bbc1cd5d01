package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/sshagent"
	"golang.org/x/crypto/ssh"
)

// A job is what the process that makes the load is to do. With no Socket it
// signs by itself, on all cores.
type job struct {
	Socket    string
	Key, Host string // paths of private keys
	Conns     int
	Time      time.Duration
}

// A result is signatures a second, and the time of one in milliseconds.
type result struct{ Rate, P50, P99 float64 }

type conn struct{ net.Conn }

// dial tries again where the backlog is full: OpenSSH's holds 128.
func dial(socket string) (*conn, error) {
	for range 1000 {
		c, err := net.Dial("unix", socket)
		if err == nil {
			return &conn{c}, nil
		}
		if !errors.Is(err, syscall.EAGAIN) {
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
	return nil, fmt.Errorf("no connection to %s", socket)
}

// ask sends a frame and reads the answer, into b where it fits.
func (c *conn) ask(frame, b []byte) error {
	if _, err := c.Write(frame); err != nil {
		return err
	}
	if len(b) < 2048 {
		b = make([]byte, 2048)
	}
	n := 0
	for {
		m, err := c.Read(b[n:])
		if err != nil {
			return err
		}
		n += m
		if n < 4 {
			continue
		}
		want := 4 + int(binary.BigEndian.Uint32(b))
		if want > len(b) {
			return io.ErrShortBuffer
		}
		if n >= want {
			if kind := b[4]; kind != 14 && kind != 6 {
				return fmt.Errorf("answered with message %d", kind)
			}
			return nil
		}
	}
}

func str[T []byte | string](b []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func framed(b []byte) []byte { return str(nil, b) }

var session = bytes.Repeat([]byte{7}, 32)

// request is a sign request of a login; hostbound where there is a host.
func request(k *sshagent.Key, host *sshagent.Key) []byte {
	algorithm, flags := k.Public().Type(), uint32(0)
	if algorithm == ssh.KeyAlgoRSA {
		algorithm, flags = ssh.KeyAlgoRSASHA512, 4
	}
	method := "publickey"
	if host != nil {
		method = "publickey-hostbound-v00@openssh.com"
	}
	data := append(str(nil, session), 50)
	data = str(str(str(data, "root"), "ssh-connection"), method)
	data = str(append(data, 1), algorithm)
	data = str(data, k.Public().Marshal())
	if host != nil {
		data = str(data, host.Public().Marshal())
	}
	b := str(str([]byte{13}, k.Public().Marshal()), data)
	return framed(binary.BigEndian.AppendUint32(b, flags))
}

func binding(host *sshagent.Key) ([]byte, error) {
	sig, err := signData(host, session)
	if err != nil {
		return nil, err
	}
	b := str([]byte{27}, "session-bind@openssh.com")
	b = str(str(str(b, host.Public().Marshal()), session), ssh.Marshal(sig))
	return framed(append(b, 0)), nil
}

func runLoad(text string, out io.Writer) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	key, err := parse(j.Key)
	if err != nil {
		return err
	}
	host, err := parse(j.Host)
	if err != nil {
		return err
	}
	if j.Socket == "" {
		return json.NewEncoder(out).Encode(signAlone(key, host, j.Time))
	}
	bind, err := binding(host)
	if err != nil {
		return err
	}
	conns := make([]*conn, j.Conns)
	for i := range conns {
		if conns[i], err = dial(j.Socket); err != nil {
			return err
		}
		if err := conns[i].ask(bind, nil); err != nil {
			return err
		}
	}
	r, err := signOver(conns, request(key, host), j.Time)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
}

// signOver has all connections ask for signatures for as long as d.
func signOver(conns []*conn, frame []byte, d time.Duration) (result, error) {
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	began := time.Now()
	end := began.Add(d)
	for _, c := range conns {
		wg.Go(func() {
			took := make([]time.Duration, 0, 1<<14)
			b := make([]byte, 2048)
			var err error
			for at := time.Now(); err == nil && at.Before(end); {
				err = c.ask(frame, b)
				now := time.Now()
				took = append(took, now.Sub(at))
				at = now
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	if failed != nil {
		return result{}, failed
	}
	elapsed := time.Since(began)
	slices.Sort(all)
	ms := func(i int) float64 { return float64(all[i]) / 1e6 }
	return result{float64(len(all)) / elapsed.Seconds(), ms(len(all) / 2), ms(len(all) * 99 / 100)}, nil
}

// signAlone is what Go's own signer makes of the same data, on all cores.
func signAlone(key, host *sshagent.Key, d time.Duration) result {
	signer := key.Signer().(ssh.AlgorithmSigner)
	algorithm := key.Public().Type()
	if algorithm == ssh.KeyAlgoRSA {
		algorithm = ssh.KeyAlgoRSASHA512
	}
	data := request(key, host)
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			n := 0
			for ; time.Since(began) < d; n++ {
				if _, err := signer.SignWithAlgorithm(rand.Reader, data, algorithm); err != nil {
					return
				}
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	return result{Rate: float64(total) / time.Since(began).Seconds()}
}
