package kamal

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// failures are the causes and the hosts of testdata/failures.txtar; no cause is
// told where nothing is known, or nothing that Kamal did failed.
var failures = []struct{ name, cause, host string }{
	{"hook-pre-connect", "the pre-connect hook failed", ""},
	{"hook-pre-build", "the pre-build hook failed", ""},
	{"hook-pre-deploy", "the pre-deploy hook failed", ""},
	{"hook-pre-app-boot", "the pre-app-boot hook failed", ""},
	{"hook-post-app-boot", "the post-app-boot hook failed", ""},
	{"hook-post-deploy", "the post-deploy hook failed", ""},
	{"hook-docker-setup", "the docker-setup hook failed", ""},
	{"hook-long", "the pre-deploy hook failed", ""},
	{"hook-noexec", "the pre-deploy hook cannot be executed", ""},
	{"hook-127", "the pre-deploy hook failed: a program that it runs is not on this machine", ""},
	{"hook-interp", "a program that it runs is not on", ""},
	{"hook-kamal", "the pre-deploy hook failed", ""},
	{"missing-secret", "the secret KAMAL_REGISTRY_PASSWORD is not defined", ""},
	{"missing-env-secret", "the secret DB is not defined", "127.0.0.1"},
	{"fetch-nocli", "the CLI of 1Password", ""},
	{"extract-nope", "extract finds no NOPE", ""},
	{"registry-401", "the registry refused the login", "localhost"},
	{"registry-refused", "docker does not reach the registry", "localhost"},
	{"registry-dns", "docker does not reach the registry", "localhost"},
	{"empty-password", "the registry's password is empty", "127.0.0.1"},
	{"buildx-missing", "buildx plugin", ""},
	{"docker-missing", "docker itself, is missing", ""},
	{"docker-missing-P", "Docker is not installed", "127.0.0.1"},
	{"docker-not-running", "Docker does not answer", "localhost"},
	{"docker-permission", "the user may not use Docker", "localhost"},
	{"build-fails", "the image could not be built", "localhost"},
	{"push-denied", "the registry refused the login", "localhost"},
	{"no-dockerfile", "there is no such Dockerfile", "localhost"},
	{"build-disk", "a disk is full", ""},
	{"pull-unknown", "the registry has no such image", "127.0.0.1"},
	{"pull-arch", "the host's architecture, linux/arm64/v8", "127.0.0.1"},
	{"disk-full", "a disk is full", "127.0.0.1"},
	{"two-hosts", "a disk is full", "127.0.0.1"},
	{"wrong-service", "built for another service", "127.0.0.1"},
	{"lock-held", "another deploy holds the lock", ""},
	{"lock-wait", "another deploy holds the lock", ""},
	{"lock-manual", "by hand", ""},
	{"ssh-auth", "does not accept the SSH key", "127.0.0.1"},
	{"ssh-auth-key", "does not accept the SSH key", "127.0.0.1"},
	{"ssh-refused", "nothing listens", "127.0.0.1"},
	{"ssh-dns", "does not resolve", "no-such-host.example.invalid"},
	{"host-key", "not the one that is known", "127.0.0.1"},
	{"host-key-unknown", "host key is not known", "127.0.0.1"},
	{"jump-host-key", "host key is not known", "127.0.0.1"},
	{"ssh-lost", "connection to the server was lost", "127.0.0.1"},
	{"unhealthy", "the new container did not become healthy; nothing ran there before", "127.0.0.1"},
	{"unhealthy-roles", "the new container did not become healthy; nothing ran there before", "127.0.0.1"},
	{"wrong-arch", "/rails/bin/docker-entrypoint was built for another architecture", "127.0.0.1"},
	{"not-ready", "it is restarting; nothing", "127.0.0.1"},
	{"no-endpoint", "ended right after its start", "127.0.0.1"},
	{"cannot-start-1", "bin/server is not in the image", "127.0.0.1"},
	{"cannot-start-2", "serve is not in the image", "127.0.0.1"},
	{"cannot-start-3", "./start.sh in the image cannot be executed", "127.0.0.1"},
	{"port-proxy", "the port 80, which kamal-proxy needs", "127.0.0.1"},
	{"accessory", "the port 5432 is in use", "127.0.0.1"},
	{"accessory-net", "docker does not reach the registry", "127.0.0.1"},
	{"app-exec", "", "127.0.0.1"},
	{"no-destination-file", "there is no deploy.nowhere.yml", ""},
	{"no-config", "there is no deploy.yml", ""},
	{"must-destination", "asks for a destination", ""},
	{"no-servers", "names no server", ""},
	{"no-servers-web", "names no server", ""},
	{"no-service", "does not say service", ""},
	{"no-image", "does not say image", ""},
	{"erb-key", "asks the environment for WEB_HOST", ""},
	{"erb-nil", "env/clear/X is empty", ""},
	{"env-string", "env/clear/X is empty", ""},
	{"yaml-error", "no YAML, at line 8, column 6", ""},
	{"erb-name", "", ""},
	{"unknown-key", "Kamal refuses", ""},
	{"thor-unknown", "", ""},
	{"thor-command", "", ""},
	{"no-git", "there is no version", ""},
	{"roles", "--roles names none", ""},
	{"proxy-old", "kamal-proxy on the host is older", "127.0.0.1"},
	{"proxy-host", "host name to another service on that host; nothing ran there before", "127.0.0.1"},
	{"proxy-tls", "refuses the app's TLS: automatic TLS does not support wildcards; nothing", "127.0.0.1"},
	{"proxy-tls-path", "refuses the app's TLS: TLS settings must be specified on the root path service", "127.0.0.1"},
	{"proxy-certificate", "refuses the app's TLS: unable to load certificate", "127.0.0.1"},
	{"adapter-unknown", "no secrets adapter nonesuch", ""},
	{"adapter-account", "lacks --account", ""},
	{"adapter-login", "LastPass, which .kamal/secrets asks", ""},
	{"adapter-token", "Bitwarden Secrets Manager, which .kamal/secrets asks", ""},
	{"adapter-read", "AWS Secrets Manager, which .kamal/secrets asks", ""},
	{"registry-certificate", "docker does not trust the registry's certificate", "127.0.0.1"},
	{"registry-http", "the registry speaks no TLS", "127.0.0.1"},
	{"accessory-file", "/home/me/shop/config/nowhere.sql, which an accessory's files name, is not on this machine", "127.0.0.1"},
	{"accessory-login", "the registry refused the login", "127.0.0.1"},
}

// What Kamal echoes, what a hook prints and what a container logs is no cause.
func TestDiagnose_ExplainsWhatKamalReallyPrints(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "failures.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range archive.Files {
		texts[file.Name] = string(file.Data)
	}
	if len(texts) != len(failures) {
		t.Errorf("%d texts, %d causes", len(texts), len(failures))
	}
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			if texts[test.name] == "" {
				t.Fatal("there is no text")
			}
			said := strings.TrimSuffix(texts[test.name], "\n")
			f := Diagnose(strings.Split(said, "\n"))
			// On a terminal, and as a tail remembers it.
			coloured := strings.ReplaceAll(said, "  ERROR (", "  \x1b[31mERROR (") + "\x1b[0m\r"
			trimmed := strings.Split(said, "\n")
			for i := range trimmed {
				trimmed[i] = strings.TrimSpace(trimmed[i])
			}
			for _, lines := range [][]string{strings.Split(coloured, "\n"), trimmed} {
				if other := Diagnose(lines); !cmp.Equal(other, f, cmp.AllowUnexported(Failure{})) {
					t.Errorf("in another form it is told otherwise: %+v", other)
				}
			}
			f.Ran("")
			if (test.cause == "") != (f.Cause == "") || !strings.Contains(f.Cause, test.cause) {
				t.Errorf("the cause is %q, not %q", f.Cause, test.cause)
			}
			if f.Host != test.host {
				t.Errorf("the host is %q, not %q", f.Host, test.host)
			}
			if (f.Cause == "") != (f.Hint == "") || strings.Contains(f.Cause+f.Hint, "$") {
				t.Errorf("the remedy is %q", f.Hint)
			}
			if p := f.Problem("boot", 1); len(p.Details) > 6 {
				t.Errorf("%d details", len(p.Details))
			}
		})
	}
}

// docker's own sentences, each caused for real, and the cause that is told where Kamal
// ran it. Three were not to be had, and stand in failures.txtar as docker's source has
// them: a push by a builder in a container (its image is on Docker Hub alone), a client
// newer than 28.5 ("failed to connect to the docker API"), and a program of another
// architecture behind its entrypoint.
var dockersWords = []struct{ name, cause string }{
	{"login-basic", "the registry refused the login"},
	{"login-denied", "the registry refused the login"},
	{"login-unauthorized", "the registry refused the login"},
	{"login-403", "the registry refused the login"},
	{"login-429", "the registry answers no more for now"},
	{"login-500", "the registry failed"},
	{"login-refused", "docker does not reach the registry"},
	{"login-dns", "docker does not reach the registry"},
	{"login-empty", "the registry's password is empty"},
	{"login-notty", "the registry's password is empty"},
	{"pull-token-denied", "the registry refused the login"},
	{"pull-token-unauthorized", "the registry refused the login"},
	{"pull-denied", "the registry refused the login"},
	{"pull-403", "the registry refused the login"},
	{"pull-429", "the registry answers no more for now"},
	{"pull-500", "the registry failed"},
	{"push-token-denied", "the registry refused the login"},
	{"push-denied", "the registry refused the login"},
	{"push-403", "the registry refused the login"},
	{"push-429", "the registry answers no more for now"},
	{"push-noauth", "the registry refused the login"},
	{"pull-noauth", "the registry refused the login"},
	{"pull-unknown-tag", "the registry has no such image"},
	{"pull-badname", "the image's name is none"},
	{"pull-platform", "the host's architecture, linux/amd64"},
	{"run-arm", "the host's architecture, linux/amd64"},
	{"run-nofile", "bin/server is not in the image"},
	{"run-noexe", "server is not in the image"},
	{"run-abs", "/app/bin/server is not in the image"},
	{"run-noexec", "/noexec in the image cannot be executed"},
	{"run-nocmd", "the image says no command"},
	{"run-noimage", "the image is not on the host"},
	{"run-nonet", "the network kamal is not on the host"},
	{"run-mount", "/nowhere/x, which is mounted, is not on the host"},
	{"run-user", "the image has no user nobodyhere"},
	{"run-memory", "docker refuses an option of the container"},
	{"run-cpus", "docker refuses an option of the container"},
	{"run-opt", "docker does not know the option --nosuchoption"},
	{"run-log", "docker refuses an option of the container"},
	{"run-gpus", "docker refuses an option of the container"},
	{"run-envfile", ""},
	{"run-device", "docker refuses an option of the container"},
	{"run-dir", "the container cannot be started"},
	{"run-name", "a container of the name shop-web-1 is there already"},
	{"start-none", "there is no container nowhere"},
	{"net-dup", ""}, // Kamal looks for it by itself
	{"port-listen", "the port 5061 is in use"},
	{"port-docker", "the port 5062 is in use"},
	{"daemon-off", "Docker does not answer"},
	{"daemon-tcp", "Docker does not answer"},
	{"daemon-permission", "the user may not use Docker"},
	{"nocontext", ""},
	{"compose", ""},
	{"build-nofile", "there is no such Dockerfile"},
	{"build-runsh", "the image could not be built"},
	{"build-copy", "/nowhere, which the Dockerfile copies, is not in the build's context"},
	{"build-base-unknown", "the registry has no such image"},
	{"build-base-unreachable", "docker does not reach the registry"},
	{"build-base-tls", "docker does not reach the registry"},
	{"build-syntax", "the Dockerfile cannot be read"},
	{"build-secret", "the build asks for the secret T"},
	{"build-target", "the Dockerfile has no stage nope"},
	{"build-builder", "there is no builder nowhere"},
	{"build-push-denied", "the registry refused the login"},
	{"build-push-token-denied", "the registry refused the login"},
	{"build-secretenv", "the image could not be built"},
	{"build-nocontext", "/nowhere, the build's context, is not there"},
	{"build-dc", "docker does not reach the registry"},
	{"builder-ssh", "the remote builder cannot be reached"},
	{"builder-tcp", "Docker does not answer"},
	{"disk-pull", "a disk is full"},
	{"disk-run", "a disk is full"},
	{"disk-build", "a disk is full"},
	{"run-entrydir", "/etc in the image"},
	{"run-cap", "docker refuses an option of the container"},
	{"run-runtime", "docker refuses an option of the container"},
	{"run-sysctl", "the host's kernel has no sysctl net"},
	{"run-sysctl2", "docker refuses kernel.nope=1 for the option --sysctl"},
	{"run-seccomp", "the seccomp profile /nope is not on the host"},
	{"run-tmpfs", "docker refuses an option of the container"},
	{"run-shm", "docker refuses 1x for the option --shm-size"},
	{"run-memval", "docker refuses 1x for the option --memory"},
	{"run-restart", "docker refuses an option of the container"},
	{"run-fileondir", "of /r/crlf.sh on the host and /etc in the image one is a directory"},
	{"run-dironfile", "of /r on the host and /etc/passwd in the image one is a directory"},
	{"run-relvol", "a volume's path on the host is not absolute"},
	{"run-ulimit", "docker refuses nope=1 for the option --ulimit"},
	{"run-group", "the image has no group nope"},
	{"run-publish", "99999 is no port"},
	{"run-cpuset", "docker refuses an option of the container"},
}

func TestDiagnose_ExplainsDockersErrors(t *testing.T) {
	for archive, complete := range map[string]bool{"docker.txtar": true, "docker20.txtar": false} {
		texts, err := txtar.ParseFile(filepath.Join("testdata", archive))
		if err != nil {
			t.Fatal(err)
		}
		words := map[string]string{}
		for _, file := range texts.Files {
			words[file.Name] = strings.TrimSuffix(string(file.Data), "\n")
		}
		known := 0
		for _, test := range dockersWords {
			if words[test.name] == "" {
				continue
			}
			known++
			for _, stream := range []string{"docker stdout: Nothing written\ndocker stderr: ", "docker stdout: "} {
				f := Diagnose(strings.Split(commandFailed(stream+words[test.name]), "\n"))
				if (test.cause == "") != (f.Cause == "") || !strings.Contains(f.Cause, test.cause) || (f.Cause == "") != (f.Hint == "") || strings.Contains(f.Cause+f.Hint, "$1") {
					t.Errorf("%s, %s: %s\nthe cause is %q, not %q (hint %q)", archive, test.name, words[test.name], f.Cause, test.cause, f.Hint)
				}
			}
		}
		if known != len(words) || known == 0 || complete && known != len(dockersWords) {
			t.Errorf("%s: %d texts, %d with a cause of %d", archive, len(words), known, len(dockersWords))
		}
	}
}

// What a container's log ends with where its program could not be run, of docker 28.5.2
// and 20.10.24 alike: docker run has succeeded by then.
func TestDiagnose_ExplainsAProgramThatCannotRun(t *testing.T) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "failures.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	const before = "exec /rails/bin/docker-entrypoint: exec format error"
	for _, file := range archive.Files {
		if file.Name != "wrong-arch" {
			continue
		}
		for said, cause := range map[string]string{
			"exec /r/crlf.sh: no such file or directory":                                                 "the program that runs /r/crlf.sh is not in the image",
			"2026-11-30T19:33:40.123456789Z exec /r/nope.sh: no such file or directory":                  "the program that runs /r/nope.sh is not in the image",
			"exec /r/plain.sh: exec format error":                                                        "/r/plain.sh was built for another architecture, or is a script without a first line",
			"env: 'bash2': No such file or directory":                                                    "bash2, which its script asks for, is not in the image",
			"env: ‘bash2’: No such file or directory":                                                    "bash2, which its script asks for, is not in the image",
			"env: 'bash\\r': No such file or directory\nenv: use -[v]S to pass options in shebang lines": "the lines of its script end with CR LF, so that bash is not found",
			"env: ‘bash\\r’: No such file or directory\nenv: use -[v]S to pass options in shebang lines": "the lines of its script end with CR LF, so that bash is not found",
			"the app says: exec /r/x: no such file or directory":                                         "did not become healthy",
			"env: config/x: No such file or directory":                                                   "did not become healthy",
		} {
			text := strings.Replace(string(file.Data), before, said, 1)
			f := Diagnose(strings.Split(text, "\n"))
			f.Ran("")
			if !strings.Contains(f.Cause, cause) || !strings.HasSuffix(f.Cause, "; nothing ran there before") || f.Hint == "" || strings.Contains(f.Hint, "$1") {
				t.Errorf("%s: the cause is %q, not %q (hint %q)", said, f.Cause, cause, f.Hint)
			}
		}
		return
	}
	t.Error("there is no text")
}

// What builders say, as reports of theirs have it: the machines that they need are not
// at hand.
func TestDiagnose_ExplainsABuildersErrors(t *testing.T) {
	for said, cause := range map[string]string{
		"ERROR: failed to build: failed to solve: failed to push ghcr.io/o/a:v: unexpected status from PUT request to https://ghcr.io/v2/o/a/blobs/uploads/1: 413 Request Entity Too Large": "takes no layer that large",
		"#21 ERROR: failed to copy: unexpected status: 413 Request Entity Too Large\nerror: failed to solve: failed to copy: unexpected status: 413 Request Entity Too Large":               "takes no layer that large",
		"#9 0.252 exec /bin/sh: exec format error\nERROR: failed to solve: process \"/bin/sh -c apt-get update\" did not complete successfully: exit code: 1":                               "programs of the other architecture",
		"ERROR: failed to build: failed to solve: process \"/bin/sh -c bin/rails assets:precompile\" did not complete successfully: exit code: 137":                                         "memory ran out",
		"ERROR: failed to build: Multi-platform build is not supported for the docker driver.\nSwitch to a different driver, or turn on the containerd image store, and try again.":         "cannot do what deploy.yml asks",
		"ERROR: Cache export is not supported for the docker driver.":                                                                                                                                        "cannot do what deploy.yml asks",
		"ERROR: failed to build: failed to solve: process \"/bin/sh -c bundle install\" did not complete successfully: exit code: 5":                                                                         "the image could not be built",
		"ERROR: failed to build: failed to solve: failed to do request: Head \"https://registry.internal/v2/o/a/blobs/1\": tls: failed to verify certificate: x509: certificate signed by unknown authority": "does not trust the registry's certificate",
		"ERROR: failed to build: failed to solve: failed to do request: Head \"https://registry.internal/v2/o/a/blobs/1\": http: server gave HTTP response to HTTPS client":                                  "speaks no TLS",
	} {
		if f := Diagnose(strings.Split(commandFailed("docker stdout: Nothing written\ndocker stderr: "+said), "\n")); !strings.Contains(f.Cause, cause) || f.Hint == "" {
			t.Errorf("%s: the cause is %q, not %q", said, f.Cause, cause)
		}
	}
}

// commandFailed is what Kamal ends with where a command failed.
func commandFailed(output string) string {
	return "  ERROR (SSHKit::Command::Failed): Exception while executing on host 192.0.2.1: docker exit status: 1\n" + output
}

// What an app says is no cause, as alike as it is.
func TestDiagnose_ExplainsAnAppsErrors(t *testing.T) {
	for _, said := range []string{
		"Stripe: 401 Unauthorized",
		"RuntimeError: unauthorized: authentication required by proxy",
		"connect: Connection refused",
		"target service: unhealthy",
		"getaddrinfo: Name or service not known",
		"git@example.com: Permission denied (publickey).",
		"Aws: toomanyrequests: slow down",
		"the container name is already in use by a colleague",
		"no such image: logo.png",
		"received unexpected HTTP status: 500 from the API",
		"network timeout not found in config",
		"Error: host settings conflict with another service of ours",
		"413 Request Entity Too Large",
		"Error: unable to load the certificate of the partner",
	} {
		if f := Diagnose(strings.Split(commandFailed("docker stdout: Nothing written\ndocker stderr: "+said), "\n")); f.Cause != "" {
			t.Errorf("%s: the cause is %q", said, f.Cause)
		}
	}
}
