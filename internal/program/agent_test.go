package program

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh/agent"
)

// signLogin is the program sign-login of the scripts: it asks the agent to sign the
// login of a user, as an SSH client does, and says what was signed with.
func signLogin() {
	for _, user := range os.Args[1:] {
		kind, err := askForLogin(user)
		if err != nil {
			fmt.Fprintf(os.Stderr, "not signed for %s: %v\n", user, err)
			defer os.Exit(1)
			continue
		}
		fmt.Printf("signed for %s with %s\n", user, kind)
	}
}

func askForLogin(user string) (kind string, err error) {
	conn, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	client := agent.NewClient(conn)
	keys, err := client.List()
	if err != nil || len(keys) == 0 {
		return "", fmt.Errorf("%d keys: %w", len(keys), err)
	}
	key := keys[0]
	var login []byte
	text := func(s string) {
		login = append(binary.BigEndian.AppendUint32(login, uint32(len(s))), s...)
	}
	text(string(make([]byte, 32)))
	login = append(login, 50) // SSH_MSG_USERAUTH_REQUEST
	text(user)
	text("ssh-connection")
	text("publickey")
	login = append(login, 1)
	text(key.Type())
	text(string(key.Marshal()))
	_, err = client.Sign(key, login)
	return key.Type(), err
}
