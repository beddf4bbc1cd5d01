package kamal

import (
	"regexp"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Failure is why Kamal failed, as far as its last words tell.
type Failure struct {
	Host    string   // on which it happened, or ""
	Command string   // that failed there, or ""
	Class   string   // of Kamal's error, such as SSHKit::Command::Failed
	Words   []string // the last lines that say something, at most five
	Cause   string   // the likely cause in a few words, or ""
	Hint    string   // the remedy
}

var (
	// errorLine is Kamal's last word (bin/kamal): two blanks, red, the class.
	errorLine = lazy.Regexp(`ERROR \(([A-Za-z0-9_:]+)\): (.*)`)
	onHost    = lazy.Regexp(`[Ee]xecuting on host ([^\s:]+)`)
	atHost    = lazy.Regexp(`(?:for (?:user )?|user )[\w.-]+@([\w.:-]+)`)
	backtrace = lazy.Regexp(`^(\S+\.rb|<internal:\S+>):\d+:in `)
	running   = lazy.Regexp(`(?:INFO|DEBUG|ERROR)?\s*\[([0-9a-f]{8})\] Running (.+) on (\S+)\s*$`)
)

// causes are the failures that facts and users' issues name, in the order in
// which they are looked for: the first whose pattern is in the text counts.
var causes = []struct {
	pattern func() *regexp.Regexp
	cause   string
	hint    string
}{
	{
		lazy.Regexp(`flag needs an argument: 'p' in -p|Must provide --username with --password`),
		"the registry's password is empty",
		"look at registry.password in deploy.yml and at the secret it names",
	},
	{
		lazy.Regexp(`Permission denied \(publickey|Net::SSH::AuthenticationFailed|Authentication failed for user`),
		"the server does not accept the SSH key",
		"add the public key to ~/.ssh/authorized_keys of that user on the server, or name the right key with --ssh-key",
	},
	{
		lazy.Regexp(`HostKeyMismatch|REMOTE HOST IDENTIFICATION HAS CHANGED|fingerprint .* does not match`),
		"the server's host key is not the one that is known",
		"if the server was made anew, take its new host key; if not, somebody else is answering",
	},
	{
		lazy.Regexp(`HostKeyUnknown|Host key verification failed|is unknown for`),
		"the server's host key is not known",
		"pin the host key, or connect once from a machine that knows the server",
	},
	{
		lazy.Regexp(`host keys of --host-keys do not hold`), // the preload's words
		"this Kamal cannot be held to the host keys of --host-keys",
		"name another Kamal with --kamal, or take a newer kamal-op",
	},
	{
		lazy.Regexp(`Too many authentication failures`),
		"more keys were offered than the server lets be tried",
		"give --ssh-key the one key that may log in",
	},
	{
		lazy.Regexp(`getaddrinfo|Name or service not known|Temporary failure in name resolution|nodename nor servname`),
		"the name of a server does not resolve",
		"look at the spelling under servers in deploy.yml, and at DNS",
	},
	{
		lazy.Regexp(`ECONNREFUSED|Connection refused`),
		"nothing listens at that address and port",
		"look whether the server is up, and at ssh.port and the firewall",
	},
	{
		lazy.Regexp(`ETIMEDOUT|ConnectionTimeout|Connection timed out|EHOSTUNREACH|No route to host`),
		"the server cannot be reached",
		"look whether it is up, and whether a firewall lets this machine through: hosted runners have changing addresses",
	},
	{
		lazy.Regexp(`Deploy lock found|Deploy lock already in place|Deploy lock held|waiting for deploy lock`),
		"another deploy holds the lock, or a killed one has left it",
		"if no deploy is running, release it with: kamal-op kamal -- lock release",
	},
	{
		lazy.Regexp(`no space left on device|No space left on device|ENOSPC`),
		"a disk is full",
		"free space on the host that is named; docker system df says what images take",
	},
	{
		lazy.Regexp(`port is already allocated|address already in use|Bind for .* failed`),
		"a port that is needed is in use",
		"stop what listens there: another proxy or web server on 80 and 443",
	},
	{
		lazy.Regexp(`target failed to become healthy|Failed to boot .* on|unhealthy`),
		"the new container did not become healthy; the old one still runs",
		"its log's last lines stand above; the app must answer proxy.healthcheck.path (default /up) with 200 in time",
	},
	{
		lazy.Regexp(`unauthorized: |denied: requested access|incorrect username or password|no basic auth credentials|authentication required`),
		"the registry refused the login",
		"look at registry.username and at the secret of registry.password: a token may have run out, or lack the right to push",
	},
	{
		lazy.Regexp(`Docker buildx plugin is not installed|'buildx' is not a docker command|unknown command: docker buildx`),
		"docker's buildx plugin is missing on this machine",
		"install docker-buildx beside the docker CLI; the action's image has it",
	},
	{
		lazy.Regexp(`Cannot connect to the Docker daemon|Is the docker daemon running`),
		"Docker does not answer",
		"start Docker on the host that is named",
	},
	{
		lazy.Regexp(`missing the 'service' label`),
		"the image was built for another service",
		"use an image name or a version of its own for each service",
	},
	{
		lazy.Regexp(`failed to solve|ERROR: failed to build|process ".*" did not complete successfully`),
		"the image could not be built",
		"the step that failed stands above; docker build . on this machine shows the same",
	},
	{
		lazy.Regexp(`Configuration file not found in|Could not find destination`),
		"there is no such destination",
		"the destination's file is config/deploy.DESTINATION.yml",
	},
	{
		lazy.Regexp(`HookError|Hook .* failed`),
		"a hook of the project's failed",
		"what it printed stands above; hooks lie in .kamal/hooks",
	},
	{
		lazy.Regexp(`no git repository found|dubious ownership`),
		"git cannot read the repository, so there is no version",
		"check the repository out whole, or give --version",
	},
	{
		lazy.Regexp(`is not available as a container`),
		"that version is not on the servers",
		"kamal-op kamal -- app containers lists the versions that are",
	},
}

// Diagnose tells why Kamal failed from the last lines of its output, masked
// already.
func Diagnose(lines []string) Failure {
	var f Failure
	for _, line := range lines {
		if m := running().FindStringSubmatch(line); m != nil {
			f.Command, f.Host = m[2], m[3]
		}
	}
	text := strings.Join(lines, "\n")
	if m := errorLine().FindStringSubmatch(text); m != nil {
		f.Class = m[1]
		if !strings.Contains(m[1], "Command") && !strings.Contains(m[1], "Runner") {
			f.Command = ""
		}
	}
	for _, pattern := range []*regexp.Regexp{onHost(), atHost()} {
		if m := pattern.FindStringSubmatch(text); m != nil {
			f.Host = strings.TrimRight(m[1], ":.")
			break
		}
	}
	for _, c := range causes {
		if c.pattern().MatchString(text) {
			f.Cause, f.Hint = c.cause, c.hint
			break
		}
	}
	for _, line := range lines {
		if line = strings.TrimSpace(escapes().ReplaceAllString(line, "")); line != "" && !backtrace().MatchString(line) {
			f.Words = append(f.Words, line)
		}
	}
	f.Words = f.Words[max(0, len(f.Words)-5):]
	return f
}

// Problem is the failure as it is told at the end of a run: what failed, on which
// host, the last words, the likely cause and the remedy. status is Kamal's.
func (f Failure) Problem(phase string, status int) *problem.Problem {
	message := "kamal failed"
	if phase != "" {
		message += " in the phase " + phase
	}
	if f.Host != "" {
		message += " on " + f.Host
	}
	if f.Cause != "" {
		message += ": " + f.Cause
	}
	var details []string
	if f.Command != "" {
		details = append(details, "command: "+shorten(f.Command, 200))
	}
	for _, line := range f.Words {
		details = append(details, shorten(line, 300))
	}
	return &problem.Problem{Message: message, Details: details, Hint: f.Hint, Status: status}
}

func shorten(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
