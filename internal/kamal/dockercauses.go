package kamal

import "github.com/kamal-op/kamal-op/internal/lazy"

// dockerSays begins what docker and buildx say themselves: the rest of a command's
// output may be an app's, which has registries and logins of its own.
const dockerSays = `(?m)(?:^|std(?:out|err): )(?:docker: )?(?:Error response from daemon: |ERROR: failed to )`

// registryCauses are what a registry, or the way to it, says.
var registryCauses = []cause{
	{
		class: isCommand, text: lazy.Regexp(`std(?:out|err): (?:flag needs an argument: 'p' in -p|(?i:must provide --username with --password)|password is empty|(?s:.*)Error: Cannot perform an interactive login)`),
		cause: "the registry's password is empty",
		hint:  "look at registry.password in deploy.yml and at the secret it names",
	},
	{
		class: isCommand, text: lazy.Regexp(`Get "https?://[^"]+": (?:tls: failed to verify certificate: )?(x509: .*)|failed to do request: .*(x509: .*)`),
		cause: "docker does not trust the registry's certificate",
		hint:  "put its authority into /etc/docker/certs.d/HOST:PORT/ca.crt on the host that is named, or where the image is built; x509 says above what is wrong with it",
	},
	{
		class: isCommand, text: lazy.Regexp(`Get "https?://[^"]+": (?:http: server gave HTTP response to HTTPS client|tls: first record does not look like a TLS handshake)|failed to do request: .*http: server gave HTTP response to HTTPS client`),
		cause: "the registry speaks no TLS",
		hint:  "give it a certificate, or name it under insecure-registries in /etc/docker/daemon.json on the host that is named",
	},
	{
		class: isCommand, text: lazy.Regexp(`Get "https?://[^"]+": (?:dial tcp|net/http|context deadline|EOF|remote error|tls)|failed to do request: .*(?:dial tcp|tls:|EOF)`),
		cause: "docker does not reach the registry",
		hint:  "look at registry.server in deploy.yml, and at DNS and the firewall of the host that is named",
	},
	{
		class: isCommand, text: lazy.Regexp(dockerSays + `.*(?i:unauthorized|": denied|registry: denied|access denied|incorrect username or password|no basic auth credentials|authentication required|insufficient_scope|failed with status: 40[13]|40[13] forbidden|failed to fetch \w+ token|authorization failed)|(?m)^(?:docker )?std(?:out|err): (?:error from registry: |denied: |unauthorized: |no basic auth credentials$)|^ERROR: failed to build: denied: `),
		cause: "the registry refused the login",
		hint:  "look at registry.username and at the secret of registry.password: a token may have run out, or lack the right to push",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)(?:daemon: |std(?:out|err): |^ERROR: .*)toomanyrequests: |` + dockerSays + `.*failed with status: 429|^ERROR: failed to .*429 Too Many Requests`),
		cause: "the registry answers no more for now: too many requests",
		hint:  "log in, which allows more, or deploy later; a pull-through mirror spares the registry",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)(?:ERROR|error): failed to .*\b413 (?:Request Entity|Payload|Content) Too Large`),
		cause: "the registry, or a proxy before it, takes no layer that large",
		hint:  "raise its limit (client_max_body_size of nginx; Cloudflare's proxy takes 100 MB), or make the image's layers smaller",
	},
	{
		class: isCommand, text: lazy.Regexp(dockerSays + `.*(?:failed with status: 5\d\d|received unexpected HTTP status: 5\d\d|unexpected status from \w+ request to \S+ 5\d\d)|(?m)std(?:out|err): received unexpected HTTP status: 5\d\d [A-Z]`),
		cause: "the registry failed",
		hint:  "try again; if it stays so, whoever runs the registry knows why",
	},
}

// dockerCauses are of Docker and its builds, here and on the hosts.
var dockerCauses = []cause{
	{
		class: isCommand, text: lazy.Regexp(`permission denied while trying to connect to the (?i:docker daemon|docker api)`),
		cause: "the user may not use Docker",
		hint:  "on a server, Kamal's user has to be root or in the group docker; here, the user that runs the deploy",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?:sh|line \d+|env): .?docker.?: (?:command not found|not found|No such file or directory)`),
		cause: "Docker is not installed where it is to run",
		hint:  "on a server kamal-op setup installs it, where the user may",
	},
	{
		class: isCommand, text: lazy.Regexp(`Cannot connect to the Docker daemon|Is the docker daemon running|failed to connect to the docker API`),
		cause: "Docker does not answer",
		hint:  "start Docker on the host that is named",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?i:no space left on device)`),
		cause: "a disk is full",
		hint:  "free space on the host that is named; docker system df says what images take",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?:Bind for|failed to bind host port for|exposing port TCP|listen tcp[46]?) (?:\[[^\]]*\]|[\d.]*|::):(80|443)\b.*(?:already allocated|already in use)`),
		cause: "the port $1, which kamal-proxy needs, is in use",
		hint:  "stop what listens there on that host: another proxy or web server",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?:Bind for|failed to bind host port for|exposing port TCP|listen tcp[46]?) (?:\[[^\]]*\]|[\d.]*|::):(\d+)\b.*(?:already allocated|already in use)`),
		cause: "the port $1 is in use",
		hint:  "stop what listens there on that host, or publish another port in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`std(?:out|err): Image \S+ is missing the 'service' label`),
		cause: "the image was built for another service",
		hint:  "use an image name or a version of its own for each service",
	},
	{
		class: isCommand, text: lazy.Regexp(`no matching manifest for (\S+)`),
		cause: "the image was not built for the host's architecture, $1",
		hint:  "add it to builder.arch in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`manifest unknown|manifest for \S+ not found|failed to resolve (?:reference|source metadata) .*: not found`),
		cause: "the registry has no such image",
		hint:  "deploy without --skip-push, or give the --version that was pushed",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)(?:daemon: |std(?:out|err): |docker: |^ERROR: .*)invalid reference format(?:: repository name \((\S+)\) must be lowercase)?`),
		cause: "the image's name is none that docker takes",
		hint:  "look at image and registry.server in deploy.yml: lower case, no https://, no tag",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: Conflict\. The container name "/(\S+)" is already in use`),
		cause: "a container of the name $1 is there already",
		hint:  "another run may be at it; if none is, remove it on that host: docker rm -f $1",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: (?:failed to set up container networking: )?network (\S+) not found`),
		cause: "the network $1 is not on the host",
		hint:  "kamal-op setup makes the network kamal; another one that deploy.yml names has to be made on the host",
	},
	{
		class: isCommand, text: lazy.Regexp(`bind source path does not exist: (\S+)`),
		cause: "$1, which is mounted, is not on the host",
		hint:  "make it there, or look at volumes and files in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: unable to find (user|group) (\S+):`),
		cause: "the image has no $1 $2",
		hint:  "look at user and group-add under options in deploy.yml, and at USER in the Dockerfile",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: [Nn]o command specified`),
		cause: "the image says no command, and deploy.yml neither",
		hint:  "write CMD in the Dockerfile, or cmd in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: No such image: (\S+)`),
		cause: "the image is not on the host",
		hint:  "it may have been pruned: deploy again, or name a version that is there",
	},
	{
		class: isCommand, text: lazy.Regexp(`Error response from daemon: No such container: (\S+)`),
		cause: "there is no container $1 on the host",
		hint:  "kamal-op kamal -- app containers lists those that are; kamal-op setup makes what is missing",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): (?:docker: )?unknown (?:shorthand )?flag: (?:'\w' in )?(-\S+)`),
		cause: "docker does not know the option $1",
		hint:  "look at options in deploy.yml: each is given to docker run as --NAME",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): (?:docker: )?invalid argument "([^"\n]*)" for "(?:-\w, )?(--[a-z-]+)" flag`),
		cause: "docker refuses $1 for the option $2",
		hint:  "look at options in deploy.yml: each is given to docker run as --NAME VALUE",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): docker: [Ii]nvalid (?:hostPort|containerPort): (\S+)$`),
		cause: "$1 is no port",
		hint:  "look at publish under options in deploy.yml, and at an accessory's port",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)std(?:out|err): docker: opening seccomp profile \(([^)]+)\) failed`),
		cause: "the seccomp profile $1 is not on the host",
		hint:  "put it there, or look at security-opt under options in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`includes invalid characters for a local volume name`),
		cause: "a volume's path on the host is not absolute",
		hint:  "look at volumes in deploy.yml: a path begins with /; what does not is the name of a volume of docker's",
	},
	{
		class: isCommand, text: lazy.Regexp(`docker: Error response from daemon: (?:Minimum memory limit|[Rr]ange of CPUs|error looking up logging plugin|could not select device driver|error gathering device information|invalid CapAdd|[Uu]nknown (?:or invalid )?runtime|Requested CPUs are not available|unknown log opt|[Ii]nvalid (?:tmpfs option|restart policy|log opt|ulimit|value))`),
		cause: "docker refuses an option of the container",
		hint:  "docker says which above; look at options and logging in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)^(?:docker std(?:out|err): )?ERROR: (?:failed to \S+ builder|no builder).*command \[ssh `),
		cause: "the remote builder cannot be reached by SSH",
		hint:  "look at builder.remote in deploy.yml, and whether this machine may log in there",
	},
	{
		class: isCommand, text: lazy.Regexp(`(?m)(?:^|: )ERROR: no builder "(\S+)" found`),
		cause: "there is no builder $1 on this machine",
		hint:  "kamal-op kamal -- build create makes it; builder.driver in deploy.yml names another",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve: secret (\S+): not found`),
		cause: "the build asks for the secret $1, which it is not given",
		hint:  "name it under builder.secrets in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve: .*failed to calculate checksum of ref \S+: "([^"]+)": not found`),
		cause: "$1, which the Dockerfile copies, is not in the build's context",
		hint:  "commit it, or look at .dockerignore and builder.context in deploy.yml; what is not committed is not built",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve: target stage "([^"]+)" could not be found`),
		cause: "the Dockerfile has no stage $1",
		hint:  "look at builder.target in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve: dockerfile parse error on line (\d+)`),
		cause: "the Dockerfile cannot be read, at line $1",
		hint:  "docker says why above",
	},
	{
		class: isCommand, text: lazy.Regexp(`ERROR: failed to build: unable to prepare context: path "([^"]+)" not found`),
		cause: "$1, the build's context, is not there",
		hint:  "look at builder.context in deploy.yml; what is not committed is not built",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to read dockerfile|failed to solve: .*Dockerfile: no such file`),
		cause: "there is no such Dockerfile",
		hint:  "look at builder.dockerfile and builder.context in deploy.yml; what is not committed is not built",
	},
	{
		class: isCommand, text: lazy.Regexp(`process ".*" did not complete successfully: (?:exit code: 137|signal: killed)|failed to solve: .*cannot allocate memory`),
		cause: "a step of the build was killed, most likely since memory ran out",
		hint:  "give the machine that builds more memory, or build on another: builder.remote in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve: process ".*" did not complete`), near: lazy.Regexp(`(?m)\bexec (?:/\S+: |user process caused:? "?)exec format error`),
		cause: "the machine that builds cannot run programs of the other architecture",
		hint:  "install QEMU there (docker/setup-qemu-action on GitHub), or build on a machine that has it: builder.remote in deploy.yml",
	},
	{
		class: isCommand, text: lazy.Regexp(`ERROR: (?:failed to build: )?(?:Multi-platform build|Cache export|multiple platforms feature) is (?:currently )?not supported for (?:the )?docker driver`),
		cause: "the builder that docker has by itself cannot do what deploy.yml asks of it",
		hint:  "take builder.driver out of deploy.yml, so that Kamal makes a builder of its own",
	},
	{
		class: isCommand, text: lazy.Regexp(`failed to solve|ERROR: failed to build|process ".*" did not complete successfully`),
		cause: "the image could not be built",
		hint:  "the step that failed stands above; docker build . on this machine shows the same",
	},
}
