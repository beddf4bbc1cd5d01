package opclient

// SocketVariable names the variable that tells children where the socket is;
// SocketName is its file name, beside `op`, for children that have only a PATH.
const (
	SocketVariable = "KAMAL_OP_BROKER"
	SocketName     = "broker.sock"
)

// secretVariable names the variable that tells which secret of .kamal/secrets a
// command is run for. The preload sets it.
const secretVariable = "KAMAL_OP_SECRET"

// MaxMessage is how long a request or an answer may be, in bytes: a batch of
// secrets, a template.
const MaxMessage = 64 << 20

// A Request is one `op` command.
type Request struct {
	Args   []string `json:"args"`
	Stdin  []byte   `json:"stdin,omitempty"`  // of inject
	Env    []string `json:"env,omitempty"`    // of run and inject
	Secret string   `json:"secret,omitempty"` // what it is run for, where that is known
}

// A Reply is what the command prints and how it ends, or what is to be run in its
// place.
type Reply struct {
	Stdout []byte `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	Status int    `json:"status,omitempty"`

	// Exec is a command to run in place of this process: that of `op run`, or the
	// real op. Set are variables to set for it.
	Exec []string `json:"exec,omitempty"`
	Set  []string `json:"set,omitempty"`
}
