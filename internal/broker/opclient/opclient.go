// Package opclient is the `op` command that stands first on the PATH of a run's
// children: it hands its arguments to the run's broker over the private socket
// and prints what comes back.
//
// It is what runs when kamal-op is called under the name op, for every item and
// every `op read` line: it imports nothing of ours and nothing slow.
package opclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kamal-op/kamal-op/internal/environ"
)

// Name is the name under which the program is this one.
const Name = "op"

// Main carries out one call. args are without the program's name; env is the
// environment as NAME=value entries. The result is the exit status. `op run`
// does not return where it could start its command: the command takes the
// place of this process.
func Main(args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	reply, err := call(args, env, stdin)
	if err != nil {
		say(stderr, err.Error())
		return 1
	}
	if _, err := io.WriteString(stderr, reply.Stderr); err != nil {
		return 1
	}
	if _, err := stdout.Write(reply.Stdout); err != nil {
		return 1
	}
	if len(reply.Exec) == 0 {
		return reply.Status
	}
	return replace(reply, env, stderr)
}

// say prints an error as the op CLI does.
func say(stderr io.Writer, message string) {
	// Nobody is left to tell where standard error is gone.
	_, _ = fmt.Fprintf(stderr, "[ERROR] %s %s\n", time.Now().Format("2006/01/02 15:04:05"), message)
}

func call(args, env []string, stdin io.Reader) (*Reply, error) {
	request := Request{Args: args, Secret: environ.List(env).Get(secretVariable)}
	switch command := firstWord(args); command {
	case "inject":
		text, err := io.ReadAll(io.LimitReader(stdin, MaxMessage/2))
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		request.Stdin, request.Env = text, env
	case "run":
		for _, entry := range env {
			_, value, _ := strings.Cut(entry, "=")
			if !strings.HasPrefix(value, "op://") {
				continue
			}
			request.Env = append(request.Env, entry)
			if strings.Contains(value, "$") { // a variable may be any
				request.Env = env
				break
			}
		}
	}
	socket, err := find(env)
	if err != nil {
		return nil, err
	}
	conn, err := dial(socket)
	if err != nil {
		return nil, fmt.Errorf("the run that gave this op is over, or cannot be reached: %w", err)
	}
	defer func() { _ = conn.Close() }()
	message, err := json.Marshal(struct {
		Op Request `json:"op"`
	}{request})
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(message, '\n')); err != nil {
		return nil, fmt.Errorf("asking the run that gave this op: %w", err)
	}
	reply := &Reply{}
	if err := json.NewDecoder(io.LimitReader(conn, MaxMessage)).Decode(reply); err != nil {
		return nil, fmt.Errorf("the run that gave this op has not answered: %w", err)
	}
	return reply, nil
}

// firstWord is the command: the first argument that is no flag.
func firstWord(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

// find is the path of the socket: where the variable says, else beside the first
// `op` on the PATH that has one, for children whose environment was emptied.
func find(env []string) (string, error) {
	if socket := environ.List(env).Get(SocketVariable); socket != "" {
		return socket, nil
	}
	for _, dir := range filepath.SplitList(environ.List(env).Get("PATH")) {
		if dir == "" {
			continue
		}
		socket := filepath.Join(dir, SocketName)
		if info, err := os.Stat(socket); err == nil && info.Mode()&os.ModeSocket != 0 {
			return socket, nil
		}
	}
	return "", errors.New("this op is kamal-op's, and there is no run of it to ask: " + SocketVariable + " is not set")
}

// replace puts a command in the place of this process. The result is the status
// where that fails, as a shell has it.
func replace(reply *Reply, env []string, stderr io.Writer) int {
	own := environ.List(slices.Clone(env))
	own.SetAll(reply.Set)
	path, err := environ.List(env).LookPath(reply.Exec[0], "")
	if err != nil {
		say(stderr, reply.Exec[0]+": "+err.Error())
		return 127
	}
	err = syscall.Exec(path, reply.Exec, own)
	say(stderr, fmt.Sprintf("running %s: %v", reply.Exec[0], err))
	return 126
}
