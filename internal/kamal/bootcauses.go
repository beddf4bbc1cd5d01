package kamal

import "github.com/kamal-op/kamal-op/internal/lazy"

// notUp and ended are what Kamal says where a container began and did not stay; why
// stands in the container's log then.
var (
	notUp = lazy.Regexp(`^(SSHKit::(Command::Failed|Runner::ExecuteError)|Kamal::Cli::(BootError|Healthcheck::Error))$`)
	ended = lazy.Regexp(`target failed to become healthy|did the container boot|container not ready after`)
)

// bootCauses are of a new container that does not take over, and of what else stands
// between an image that is there and an app that runs.
var bootCauses = []cause{
	{
		class: isCommand, text: lazy.Regexp(`runc create failed: .*exec: "([^"]+)": .*is a directory`),
		cause: "the container cannot be started: $1 in the image is a directory", boots: true,
		hint: "look at CMD and ENTRYPOINT in the Dockerfile, and at cmd in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`runc create failed: .*exec: "([^"]+)": .*permission denied`),
		cause: "the container cannot be started: $1 in the image cannot be executed", boots: true,
		hint: "make it executable in the image: git update-index --chmod=+x, or chmod +x in the Dockerfile; a directory is no program",
	},
	{
		class: isCommand, text: lazy.Regexp(`runc create failed: .*exec: "([^"]+)": `),
		cause: "the container cannot be started: $1 is not in the image", boots: true,
		hint: "look at CMD and ENTRYPOINT in the Dockerfile, and at cmd in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`runc create failed: .*error mounting "([^"]+)" to rootfs at "([^"]+)".*not a directory`),
		cause: "the container cannot be started: of $1 on the host and $2 in the image one is a directory, the other is none", boots: true,
		hint: "look at volumes and files in deploy.yml; docker makes a directory of a host's path that is not there",
	},
	{
		class: isCommand, text: lazy.Regexp(`runc create failed: .*(?:open /proc/sys/(\S+)|open sysctl (\S+) file): `),
		cause: "the container cannot be started: the host's kernel has no sysctl $1$2, or gives it to no container", boots: true,
		hint: "look at sysctl under options in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: (?:failed to create task|failed to create shim|OCI runtime|Cannot mkdir: )`),
		cause: "the container cannot be started", boots: true,
		hint: "docker says why above; docker run with the same image shows the same",
	},
	{
		class: notUp, text: ended,
		log:   lazy.Regexp(`(?m)^\s*(?:ERROR )?(?:\S+ )?exec (/\S+): exec format error$`),
		cause: "the container cannot run: $1 was built for another architecture, or is a script without a first line that begins with #!", boots: true,
		hint: "set builder.arch in deploy.yml to that of the host; begin a script with #!/bin/sh",
	},
	{
		class: notUp, text: ended, log: lazy.Regexp(`(?m)^\s*(?:ERROR )?(?:\S+ )?exec (/\S+): no such file or directory$`),
		cause: "the container cannot run: the program that runs $1 is not in the image, and $1 is", boots: true,
		hint: "look at its first line (#!), and whether its lines end with CR LF, as Git writes them on Windows: *.sh text eol=lf in .gitattributes; a binary may want another C library than the image's",
	},
	{
		class: notUp, text: ended, log: lazy.Regexp(`(?m)^\s*(?:ERROR )?(?:\S+ )?(?:/usr/bin/)?env: (?:can't execute )?['‘]?(\w[\w.-]*)\\r['’]?: No such file or directory$`),
		cause: "the container cannot run: the lines of its script end with CR LF, so that $1 is not found", boots: true,
		hint: "have Git keep them as they are for Linux: *.sh text eol=lf in .gitattributes",
	},
	{
		class: notUp, text: ended, log: lazy.Regexp(`(?m)^\s*(?:ERROR )?(?:\S+ )?(?:/usr/bin/)?env: (?:can't execute )?['‘]?(\w[\w.-]*)['’]?: No such file or directory$`),
		cause: "the container cannot run: $1, which its script asks for, is not in the image", boots: true,
		hint: "install it in the image, or look at the script's first line (#!/usr/bin/env $1)",
	},
	{
		class: isCommand, text: lazy.Regexp(`target failed to become healthy`),
		cause: "the new container did not become healthy", boots: true,
		hint: "its log's last lines stand above; the app must answer proxy.healthcheck.path (default /up) with 200 in time",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): Error: host settings conflict with another service$`),
		cause: "kamal-proxy gives the app's host name to another service on that host", boots: true,
		hint: "look at proxy.host in deploy.yml: a service without one takes every name; docker exec kamal-proxy kamal-proxy list, on that host, says which has it, and kamal-proxy remove NAME takes one away that is gone, as after a new name of a role or a destination",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): Error: (automatic TLS .*|TLS settings .*|unable to load certificate.*)$`),
		cause: "kamal-proxy refuses the app's TLS: $1", boots: true,
		hint: "look at proxy.ssl, proxy.host and proxy.path_prefix in deploy.yml; a certificate of your own is in the secrets that proxy.ssl names, whole",
	},
	{
		class: lazy.Regexp(`^(Kamal::Cli::BootError|SSHKit::Runner::ExecuteError)$`), text: lazy.Regexp(`did the container boot`),
		cause: "the new container ended right after its start", boots: true,
		hint: "its log's last lines stand above",
	},
	{
		class: lazy.Regexp(`^(Kamal::Cli::Healthcheck::Error|SSHKit::Runner::ExecuteError)$`), text: lazy.Regexp(`container not ready after .*\((\w*)\)`),
		cause: "the new container did not stay up: it is $1", boots: true,
		hint: "its log's last lines stand above; a role without the proxy has to run, and be healthy where its image has a HEALTHCHECK",
	},
	{
		class: lazy.Regexp(`^(Kamal::Cli::Healthcheck::Error|SSHKit::Runner::ExecuteError)$`), text: lazy.Regexp(`Halted at barrier`),
		cause: "the role waited for the primary role, whose container did not become healthy", boots: true,
		hint: "why stands above, at the primary role's host",
	},
	{
		class: lazy.Regexp(`^(RuntimeError|SSHKit::Runner::ExecuteError)$`), text: lazy.Regexp(`kamal-proxy version \S+ is too old`),
		cause: "kamal-proxy on the host is older than this Kamal needs",
		hint:  "kamal-op kamal -- proxy reboot takes the new one; requests fail meanwhile, for seconds",
	},
	{
		class: lazy.Regexp(`^RuntimeError$`), text: lazy.Regexp(`^Docker is not installed on`),
		cause: "Docker is not on the server, and the user may not install it",
		hint:  "install Docker there, or let ssh.user be root",
	},
	{
		near:  lazy.Regexp(`is not available as a container`),
		cause: "that version is not on the servers",
		hint:  "kamal-op kamal -- app containers lists the versions that are",
	},
}
