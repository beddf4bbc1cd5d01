package kamal

import (
	"regexp"
	"slices"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A cause is a failure that is known by the error that Kamal ended with.
type cause struct {
	class func() *regexp.Regexp // of the error; nil is any, and none
	text  func() *regexp.Regexp // in the error's message; nil is any
	near  func() *regexp.Regexp // and in the message or a line beside Kamal's log; nil asks for none
	log   func() *regexp.Regexp // and in Kamal's log, a container's own included; nil asks for none

	// What is said of it: $1 is the first group of the last pattern.
	cause, hint string
	boots       bool // an app's new container did not take over
}

// of reports whether a failure is of this cause, and what is said then.
func (c cause) of(s lastOutput) (cause, hint string, ok bool) {
	if c.class != nil && !c.class().MatchString(s.class) {
		return "", "", false
	}
	var (
		last *regexp.Regexp
		in   string
		at   []int
	)
	for _, look := range []struct {
		pattern func() *regexp.Regexp
		text    string
	}{{c.text, s.error}, {c.near, s.rest + "\n" + s.error}, {c.log, s.log}} {
		if look.pattern == nil {
			continue
		}
		last, in = look.pattern(), look.text
		if at = last.FindStringSubmatchIndex(in); at == nil {
			return "", "", false
		}
	}
	if last == nil {
		return c.cause, c.hint, true
	}
	expand := func(template string) string { return string(last.ExpandString(nil, template, in, at)) }
	return expand(c.cause), expand(c.hint), true
}

// Classes of Kamal's errors. What Kamal runs in several roles at once it wraps
// twice, and then tells the class of the wrapper.
var (
	isHook    = lazy.Regexp(`^Kamal::Cli::HookError$`)
	isCommand = lazy.Regexp(`^SSHKit::(Command::Failed|Runner::ExecuteError)$`)
	isLock    = lazy.Regexp(`^Kamal::Cli::LockError$`)
	isConfig  = lazy.Regexp(`^Kamal::ConfigurationError$`)
	// isLink is the class of whatever ends a connection, and none: OpenSSH as a
	// jump host's client may have been all that spoke.
	isLink = lazy.Regexp(`^(Net::SSH::.*|IOError|EOFError|Errno::E(PIPE|CONNRESET))?$`)
)

const keyHint = "add the public key to ~/.ssh/authorized_keys of that user on the server, or name the right key with --ssh-key"

// causes are looked for in this order; the first counts. A command's failure is
// known by docker's own sentences: its output may hold an app's, whose words say
// nothing of the deploy.
var causes = slices.Concat(kamalCauses, registryCauses, dockerCauses, bootCauses)

// kamalCauses are of Kamal's own errors, and of what it runs beside docker.
var kamalCauses = []cause{
	{
		class: lazy.Regexp(`^KamalOpPromoted::Moved$`),
		cause: "the version's name stands for another image than the one that was to be promoted",
		hint:  "somebody has pushed another image under this version: deploy that where it is tested, and promote again",
	},
	// Hooks: whatever a hook has printed, it is the hook that failed.
	{
		class: isHook, text: lazy.Regexp("^Hook `([a-z-]+)` failed:(?s:.*) stderr: env: .*: Permission denied"),
		cause: "the $1 hook cannot be executed",
		hint:  "make it executable: git update-index --chmod=+x .kamal/hooks/$1",
	},
	{
		class: isHook, text: lazy.Regexp("^Hook `([a-z-]+)` failed:(?s:.*)exit status: 32512\n"),
		cause: "the $1 hook failed: a program that it runs is not on this machine",
		hint:  "what it printed stands above; install the program, or take it out of .kamal/hooks/$1",
	},
	{
		class: isHook, text: lazy.Regexp("^Hook `([a-z-]+)` failed"),
		cause: "the $1 hook failed",
		hint:  "what it printed stands above; it is .kamal/hooks/$1 of the project",
	},

	// SSH.
	{
		class: lazy.Regexp(`^Net::SSH::AuthenticationFailed$`),
		cause: "the server does not accept the SSH key", hint: keyHint,
	},
	{
		// Where passwords are allowed too, Kamal asks for one.
		class: lazy.Regexp(`^(Errno::ENOTTY|IOError|EOFError|Net::SSH::.*)$`), near: lazy.Regexp(`(?m)^\S+@\S+'s password:`),
		cause: "the server does not accept the SSH key", hint: keyHint,
	},
	{
		class: lazy.Regexp(`^Net::SSH::HostKeyMismatch$`),
		cause: "the server's host key is not the one that is known",
		hint:  "if the server was made anew, take its new host key; if not, somebody else is answering",
	},
	{
		class: lazy.Regexp(`^Net::SSH::HostKeyUnknown$`),
		cause: "the server's host key is not known",
		hint:  "pin the host key, or connect once from a machine that knows the server",
	},
	{
		class: isLink, near: lazy.Regexp(`Too many authentication failures`),
		cause: "more keys were offered than the server lets be tried",
		hint:  "give --ssh-key the one key that may log in",
	},
	{
		class: isLink, near: lazy.Regexp(`(?m)^\S+@\S+: Permission denied \(publickey`),
		cause: "the server does not accept the SSH key", hint: keyHint,
	},
	{
		class: isLink, near: lazy.Regexp(`(?m)REMOTE HOST IDENTIFICATION HAS CHANGED`),
		cause: "the server's host key is not the one that is known",
		hint:  "if the server was made anew, take its new host key; if not, somebody else is answering",
	},
	{
		class: isLink, near: lazy.Regexp(`(?m)^Host key verification failed\.`),
		cause: "the server's host key is not known",
		hint:  "pin the host key, or connect once from a machine that knows the server",
	},
	{
		class: lazy.Regexp(`^(Kamal::ConfigurationError)?$`), near: lazy.Regexp(`host keys of --host-keys do not hold`), // the preload's words
		cause: "this Kamal cannot be held to the host keys of --host-keys",
		hint:  "name another Kamal with --kamal, or take a newer kamal-op",
	},
	{
		class: lazy.Regexp(`^(SocketError|Socket::ResolutionError)$`),
		cause: "the name of a server does not resolve",
		hint:  "look at the spelling under servers in deploy.yml, and at DNS",
	},
	{
		class: lazy.Regexp(`^Errno::ECONNREFUSED$`),
		cause: "nothing listens at that address and port",
		hint:  "look whether the server is up, and at ssh.port and the firewall",
	},
	{
		class: lazy.Regexp(`^(Net::SSH::ConnectionTimeout|Errno::(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN))$`),
		cause: "the server cannot be reached",
		hint:  "look whether it is up, and whether a firewall lets this machine through: hosted runners have changing addresses",
	},
	{
		class: lazy.Regexp(`^(Net::SSH::(Disconnect|Proxy::.*)|IOError|EOFError|Errno::E(PIPE|CONNRESET))$`),
		cause: "the connection to the server was lost",
		hint:  "try again; if it stays so, the log of sshd on that host says why",
	},

	// The lock.
	{
		class: isLock, text: lazy.Regexp(`held manually`),
		cause: "somebody holds the deploy lock by hand",
		hint:  "its message stands above; when it is over: kamal-op kamal -- lock release",
	},
	{
		class: isLock, text: lazy.Regexp(`^(?:Deploy lock|Timed out waiting for deploy lock)`),
		cause: "another deploy holds the lock, or a killed one has left it",
		hint:  "if no deploy is running, release it with: kamal-op kamal -- lock release",
	},

	// The configuration.
	{
		class: isConfig, text: lazy.Regexp(`Secret '([^']+)' not found`),
		cause: "the secret $1 is not defined",
		hint:  "kamal-op add $1 defines it; with a destination Kamal reads .kamal/secrets.DESTINATION and .kamal/secrets-common",
	},
	{
		class: lazy.Regexp(`^RuntimeError$`), text: lazy.Regexp(`Configuration file not found in .*?([\w.-]+)$`),
		cause: "there is no $1",
		hint:  "a destination's file is config/deploy.DESTINATION.yml; kamal-op runs in the project's directory, or in --working-directory",
	},
	{
		class: lazy.Regexp(`^ArgumentError$`), text: lazy.Regexp(`^You must specify a destination`),
		cause: "the project asks for a destination",
		hint:  "name one with --destination",
	},
	{
		class: isConfig, text: lazy.Regexp(`^(No servers (?:or accessories )?specified.*)`),
		cause: "deploy.yml names no server to deploy to",
		hint:  "list them under servers, or name the destination whose file does with --destination",
	},
	{
		class: isConfig, text: lazy.Regexp(`^Missing required configuration for (\w+)`),
		cause: "deploy.yml does not say $1",
		hint:  "add it, or name the destination whose file does with --destination",
	},
	{
		class: lazy.Regexp(`^KeyError$`), text: lazy.Regexp(`key not found: "([^"]+)"`),
		cause: "ERB in the configuration asks the environment for $1, which is not set",
		hint:  "set it: --env $1=VALUE",
	},
	{
		class: isConfig, text: lazy.Regexp(`\b(env/\S*): should be a string`),
		cause: "$1 is empty or no string",
		hint:  "put it in quotes; where ERB gives it, the variable that it reads may not be set: --env NAME=VALUE",
	},
	{
		class: lazy.Regexp(`^Psych::SyntaxError$`), text: lazy.Regexp(`at line (\d+) column (\d+)`),
		cause: "a configuration file is no YAML, at line $1, column $2 of what its ERB gives",
		hint:  "look at the indentation and the quotes there and on the line before",
	},
	{
		class: isConfig,
		cause: "Kamal refuses the configuration",
		hint:  "what it says stands above; kamal docs describes every key",
	},
	{
		class: lazy.Regexp(`^ArgumentError$`), text: lazy.Regexp(`^No --(roles|hosts) match`),
		cause: "--$1 names none that the configuration has",
		hint:  "look at servers in deploy.yml, of this destination",
	},

	// Secrets that the project's files fetch by themselves.
	{
		text: lazy.Regexp(`^(\S+(?: Secrets Manager)?) CLI is not installed`), class: lazy.Regexp(`^RuntimeError$`),
		cause: "the CLI of $1, which .kamal/secrets asks, is not on this machine",
		hint:  "install it where the deploy runs",
	},
	{
		text: lazy.Regexp(`^Unknown secrets adapter: (\S+)`), class: lazy.Regexp(`^RuntimeError$`),
		cause: "Kamal has no secrets adapter $1, which .kamal/secrets asks",
		hint:  "look at --adapter there; kamal secrets fetch --help lists those that there are",
	},
	{
		class: lazy.Regexp(`^NoMethodError$`), near: lazy.Regexp(`(?m)^No value provided for required options '(--[a-z]+)'`),
		cause: "a kamal secrets fetch in .kamal/secrets lacks $1",
		hint:  "add it there: most adapters need an --account, and all an --adapter",
	},
	{
		text: lazy.Regexp(`^(?:Failed to login to(?: and unlock)?|Could not authenticate to|Could not read (?:.* )?from|Failed to sync) ([A-Z0-9][A-Za-z0-9 ]*?)(?:\.|$)`), class: lazy.Regexp(`^RuntimeError$`),
		cause: "$1, which .kamal/secrets asks, gives no answer or refuses it",
		hint:  "look at its token or session where the deploy runs, and at the names in .kamal/secrets; what its CLI says stands above",
	},
	{
		text: lazy.Regexp(`^Could not find secret (\S+)`), class: lazy.Regexp(`^RuntimeError$`),
		cause: "kamal secrets extract finds no $1 in what was fetched",
		hint:  "look at the names in .kamal/secrets: extract takes those that fetch was given",
	},

	// This machine.
	{
		class: lazy.Regexp(`^Kamal::Cli::DependencyError$`), text: lazy.Regexp(`buildx plugin is not installed`),
		// With another shell than bash it says so of a docker that is not there, too.
		cause: "docker's buildx plugin, or docker itself, is missing on this machine",
		hint:  "install docker-buildx beside the docker CLI; the action's image has both",
	},
	{
		class: lazy.Regexp(`^Kamal::Cli::DependencyError$`),
		cause: "docker is missing on this machine",
		hint:  "install the docker CLI with its buildx plugin; the action's image has them",
	},
	{
		class: lazy.Regexp(`^(RuntimeError|SSHKit::Command::Failed|Kamal::Cli::Build::BuildError)?$`),
		near:  lazy.Regexp(`no git repository found|detected dubious ownership in repository`),
		cause: "git cannot read the repository, so there is no version",
		hint:  "check the repository out whole, or give --version",
	},
	{
		class: lazy.Regexp(`^(RuntimeError|SSHKit::Runner::ExecuteError)$`), text: lazy.Regexp(`(?m)(?:^|: )Missing file: (.+)$`),
		cause: "$1, which an accessory's files name, is not on this machine",
		hint:  "commit it, or look at files of the accessory in deploy.yml: a path is one of the project's directory",
	},

	{
		class: lazy.Regexp(`^Kamal::Cli::Build::BuildError$`),
		cause: "Kamal could not clone the repository to build from it",
		hint:  "git says why above; `builder.context: .` in deploy.yml builds from the directory as it is",
	},
}
