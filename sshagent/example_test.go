package sshagent_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kamal-op/kamal-op/sshagent"
)

func ExampleParseKey_diagnosis() {
	_, err := sshagent.ParseKey([]byte("SHA256:uNiVztksCsDhcc0u9e8BrZvS6yLEQ2Ns0FZ0uAbQXRw"), nil)
	var wrong *sshagent.KeyError
	if errors.As(err, &wrong) {
		fmt.Println("SSH_KEY", wrong.Message)
		fmt.Println("hint:", wrong.Hint)
	}
	// Output:
	// SSH_KEY is a fingerprint
	// hint: put the private key (-----BEGIN OPENSSH PRIVATE KEY-----) there
}

func ExampleStart() {
	text := []byte("from a vault")
	key, err := sshagent.ParseKey(text, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	agent, err := sshagent.Start(context.Background(), sshagent.Options{
		Keys:  []*sshagent.Key{key},
		Users: []string{"root"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = agent.Close() }()
	fmt.Println("SSH_AUTH_SOCK=" + agent.Socket())
	// Output: the key is not a private key
}
