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
}

// What Kamal echoes, what a hook prints and what a container logs is no cause.
func TestDiagnose_WhatKamalReallyPrints(t *testing.T) {
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

// Other words of docker's for the same, and an app's that are alike.
func TestDiagnose_WordsOfDockers(t *testing.T) {
	const registry, app = "the registry refused the login", ""
	for said, cause := range map[string]string{
		`Error response from daemon: Get "https://ghcr.io/v2/": denied: denied`:                                                                        registry,
		"Error response from daemon: login attempt to https://ghcr.io/v2/ failed with status: 403 Forbidden":                                           registry,
		"Error response from daemon: pull access denied for example/shop, repository does not exist or may require 'docker login': denied":             registry,
		"ERROR: failed to build: failed to solve: failed to push ghcr.io/a/b:c: unexpected status from POST request to https://ghcr.io: 403 Forbidden": registry,
		"Error response from daemon: unauthorized: authentication required":                                                                            registry,
		"denied: requested access to the resource is denied":                                                                                           registry,
		"Stripe: 401 Unauthorized":                                     app,
		"RuntimeError: unauthorized: authentication required by proxy": app,
		"connect: Connection refused":                                  app,
		"target service: unhealthy":                                    app,
		"getaddrinfo: Name or service not known":                       app,
		"git@example.com: Permission denied (publickey).":              app,
	} {
		text := "  ERROR (SSHKit::Command::Failed): Exception while executing on host 192.0.2.1: docker exit status: 1\ndocker stdout: Nothing written\ndocker stderr: " + said
		if f := Diagnose(strings.Split(text, "\n")); f.Cause != cause {
			t.Errorf("%s: the cause is %q", said, f.Cause)
		}
	}
}
