package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
)

// connect opens a session with a PostgreSQL database, which has it in use then, and
// ends the app where the session ends. The server asks for no password.
func connect(address, name string) error {
	conn, err := net.Dial("tcp", address) //nolint:gosec // the address is the test's
	if err != nil {
		return err
	}
	// Length, version 3.0 of the protocol, and the settings of the session.
	settings := "user\x00postgres\x00database\x00" + name + "\x00\x00"
	start := binary.BigEndian.AppendUint32(nil, uint32(len(settings)+8))
	start = binary.BigEndian.AppendUint32(start, 3<<16)
	if _, err := conn.Write(append(start, settings...)); err != nil {
		return err
	}
	for {
		kind, text, err := message(conn)
		switch {
		case err != nil:
			return err
		case kind == 'E':
			return fmt.Errorf("the database %s refuses: %q", name, text)
		case kind == 'Z': // ready for a query
			go func() {
				_, _, _ = message(conn)
				println("the session with the database has ended")
				os.Exit(1)
			}()
			return nil
		}
	}
}

// message reads one message of the server's: its kind and what is in it.
func message(from io.Reader) (kind byte, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return 0, nil, err
	}
	text = make([]byte, max(0, int(binary.BigEndian.Uint32(head[1:]))-4))
	_, err = io.ReadFull(from, text)
	return head[0], text, err
}
