package sshname

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const kamalImage = "kamal-op/kamal-base:test"

// What of ssh_config could weaken the check of host keys is answered for by us;
// of everything else it is said why it does not.
const (
	set      = "always set"      // in options
	answered = "set by need"     // in optional: not every ssh knows it; in fixed: the value depends
	refused  = "refused by need" // in fixed, with an error that names it
)

// Why an option does no harm.
const (
	naming    = "it says which machine is meant; the key must be the one that was given for it"
	stricter  = "it can only make the check refuse more"
	login     = "it is about who logs in, after the host is known"
	traffic   = "it is about what goes through a connection to a host that is known"
	here      = "it is about this machine: the terminal, the log, the socket"
	unlocked  = "it means nothing while another option is set by us"
	structure = "the options in it are each looked at"
	through   = "it says how to get there; who is there must have the key"
	gone      = "ssh ignores it"
)

func thoughtOf() map[string]string {
	return map[string]string{
		"userknownhostsfile": set, "globalknownhostsfile": set, "stricthostkeychecking": set, "updatehostkeys": set,
		"verifyhostkeydns": set, "checkhostip": set, "nohostauthenticationforlocalhost": set,
		"controlmaster": set, "controlpath": set, "canonicalizepermittedcnames": set,
		"knownhostscommand": answered, "gssapikeyexchange": answered, "hostkeyalias": answered,
		"proxycommand": refused,

		"host": structure, "match": structure, "include": structure, "tag": structure, "ignoreunknown": structure,
		"hostname": naming, "port": naming, "user": login, "canonicalizehostname": naming, "canonicaldomains": naming,
		"canonicalizefallbacklocal": naming, "canonicalizemaxdots": naming,
		"addressfamily": through, "bindaddress": through, "bindinterface": through, "connectionattempts": through,
		"connecttimeout": through, "proxyusefdpass": through,
		"proxyjump":      "held to what ssh -G says; ssh starts itself for each hop, by our name: " + through,
		"controlpersist": unlocked,
		"hashknownhosts": "nothing is written to known_hosts",

		"revokedhostkeys": stricter, "hostkeyalgorithms": stricter, "requiredrsasize": stricter,
		"casignaturealgorithms": "the run's known_hosts has no @cert-authority",
		"ciphers":               stricter, "macs": stricter, "kexalgorithms": "each is bound to the host key; GSSAPI's have an option of their own",
		"refuseconnection": stricter, "warnweakcrypto": here, "rekeylimit": traffic, "compression": traffic,

		"addkeystoagent": login, "batchmode": login, "certificatefile": login, "enablesshkeysign": login,
		"gssapiauthentication": login, "gssapidelegatecredentials": login, "hostbasedacceptedalgorithms": login,
		"hostbasedauthentication": login, "identitiesonly": login, "identityagent": login, "identityfile": login,
		"kbdinteractiveauthentication": login, "kbdinteractivedevices": login, "numberofpasswordprompts": login,
		"passwordauthentication": login, "pkcs11provider": login, "preferredauthentications": login,
		"pubkeyacceptedalgorithms": login, "pubkeyauthentication": login, "securitykeyprovider": login,
		"challengeresponseauthentication": login, "skeyauthentication": login, "tisauthentication": login,
		"hostbasedkeytypes": login, "pubkeyacceptedkeytypes": login, "dsaauthentication": login, "smartcarddevice": login,
		"gssapiclientidentity": unlocked, "gssapikexalgorithms": unlocked, "gssapirenewalforcesrekey": unlocked,
		"gssapiserveridentity": unlocked,
		"gssapitrustdns":       login,

		"channeltimeout": traffic, "clearallforwardings": traffic, "dynamicforward": traffic, "exitonforwardfailure": traffic,
		"forwardagent": traffic, "forwardx11": traffic, "forwardx11timeout": traffic, "forwardx11trusted": traffic,
		"gatewayports": traffic, "ipqos": traffic, "localforward": traffic, "obscurekeystroketiming": traffic,
		"permitremoteopen": traffic, "remotecommand": traffic, "remoteforward": traffic, "requesttty": traffic,
		"sendenv": traffic, "setenv": traffic, "serveralivecountmax": traffic, "serveraliveinterval": traffic,
		"sessiontype": traffic, "streamlocalbindmask": traffic, "streamlocalbindunlink": traffic, "tcpkeepalive": traffic,
		"keepalive": traffic, "tunnel": traffic, "tunneldevice": traffic, "versionaddendum": traffic,

		"enableescapecommandline": here, "escapechar": here, "fingerprinthash": here, "forkafterauthentication": here,
		"localcommand": here, "permitlocalcommand": here, "loglevel": here, "logverbose": here, "stdinnull": here,
		"syslogfacility": here, "visualhostkey": here, "xauthlocation": here,

		"afstokenpassing": gone, "cipher": gone, "compressionlevel": gone, "fallbacktorsh": gone,
		"globalknownhostsfile2": gone, "identityfile2": gone, "kerberosauthentication": gone, "kerberostgtpassing": gone,
		"protocol": gone, "protocolkeepalives": gone, "rhostsauthentication": gone, "rhostsrsaauthentication": gone,
		"rsaauthentication": gone, "setuptimeout": gone, "useblacklistedkeys": gone, "useprivilegedport": gone,
		"userknownhostsfile2": gone, "useroaming": gone, "usersh": gone,
	}
}

// Every option that the installed ssh knows, and the one of Kamal's image, is
// thought of. A new ssh with a new option fails here.
func TestSSHConfig_CoversEveryOption(t *testing.T) {
	ssh := needSSH(t)
	program, err := os.ReadFile(ssh)
	if err != nil {
		t.Fatal(err)
	}
	known := keywords(t, program, func(file string) *exec.Cmd {
		return exec.CommandContext(t.Context(), ssh, "-G", "-F", file, "x")
	})
	if len(known) < 90 {
		t.Errorf("only %d options are found: the search for them does not work", len(known))
	}
	if !testing.Short() && exec.CommandContext(t.Context(), "docker", "image", "inspect", kamalImage).Run() == nil {
		program, err := exec.CommandContext(t.Context(), "docker", "run", "--rm", "--entrypoint", "cat", kamalImage, "/usr/bin/ssh").Output()
		if err != nil {
			t.Fatal(err)
		}
		known = append(known, keywords(t, program, func(file string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "docker", "run", "--rm", "-v", filepath.Dir(file)+":/keywords:ro",
				"--entrypoint", "ssh", kamalImage, "-G", "-F", "/keywords/"+filepath.Base(file), "x")
		})...)
	}
	table := thoughtOf()
	for _, option := range known {
		if table[option] == "" {
			t.Errorf("nobody has thought of what %s does to the check of host keys", option)
		}
	}
	always := strings.ToLower(strings.Join(options("/x"), "\n"))
	for option, what := range table {
		if is := strings.Contains(always, "\n"+option+"=") || strings.HasPrefix(always, "-o\n"+option+"="); is != (what == set) {
			t.Errorf("%s is in options: %v, in the table: %s", option, is, what)
		}
	}
}

// keywords are the options that an ssh knows. Its table of them is among the
// texts in the program; it tells of every line of a file whose option it does not
// know.
func keywords(t *testing.T, program []byte, read func(file string) *exec.Cmd) []string {
	t.Helper()
	words := map[string]bool{}
	for _, text := range regexp.MustCompile(`[a-z][a-z0-9]{2,40}\x00`).FindAll(program, -1) {
		text = bytes.TrimSuffix(text, []byte{0})
		for i := range len(text) - 2 { // linkers keep a text inside a longer one
			words[string(text[i:])] = true
		}
	}
	var file strings.Builder
	for _, word := range slices.Sorted(maps.Keys(words)) {
		file.WriteString(word + " none\n")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config")
	if err := os.WriteFile(path, []byte(file.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := read(path).CombinedOutput()
	bad := regexp.MustCompile(`Bad configuration option: (\S+)`).FindAllSubmatch(out, -1)
	if err == nil || len(bad) < 100 {
		t.Fatalf("ssh does not tell of what it does not know: %v %.300s", err, out)
	}
	for _, option := range bad {
		delete(words, string(option[1]))
	}
	return slices.Sorted(maps.Keys(words))
}

// What is answered for holds in the real ssh, whatever a configuration says.
func TestSSHConfig_IgnoresWhatWeakens(t *testing.T) {
	ssh := needSSH(t)
	dir := t.TempDir()
	const knownHosts = "/run/of mine/known_hosts"
	for option, c := range map[string]struct{ value, want string }{
		"UserKnownHostsFile":               {"/theirs", knownHosts},
		"GlobalKnownHostsFile":             {"/theirs", "/dev/null"},
		"StrictHostKeyChecking":            {"no", "true"},
		"UpdateHostKeys":                   {"yes", "false"},
		"VerifyHostKeyDNS":                 {"yes", "false"},
		"CheckHostIP":                      {"yes", "no"},
		"NoHostAuthenticationForLocalhost": {"yes", "no"},
		"ControlMaster":                    {"auto", "false"},
		"ControlPath":                      {"/theirs", ""},
		"CanonicalizePermittedCNAMEs":      {"*:*", "none"},
		"KnownHostsCommand":                {"/bin/cat /theirs", ""},
		"GSSAPIKeyExchange":                {"yes", "no"},
		"HostKeyAlias":                     {"other", "[192.0.2.7]:2222"},
		"ProxyCommand":                     {"/usr/bin/ssh -W %h:%p theirs", "refused"},
	} {
		t.Run(option, func(t *testing.T) {
			file := filepath.Join(dir, option)
			if err := os.WriteFile(file, []byte("Port 2222\nHostname 192.0.2.7\n"+option+" "+c.value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			known, err := optional(ssh, os.Environ())
			if err != nil {
				t.Fatal(err)
			}
			if unknown, _ := refuses(ssh, os.Environ(), []string{"-o", option + "=none"}); unknown != "" {
				t.Skip("this ssh does not know it")
			}
			args := append(append(options(knownHosts), known...), "-F", file, "web")
			before, err := effective(ssh, os.Environ(), args)
			if err != nil {
				t.Fatal(err)
			}
			more, _, err := before.fixed()
			if c.want == "refused" {
				if err == nil || !strings.Contains(err.Error(), "ProxyCommand of web") {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			after, err := effective(ssh, os.Environ(), append(more, args...))
			if err != nil {
				t.Fatal(err)
			}
			if got := after[strings.ToLower(option)]; got != c.want && (c.want != "" || got != "none") {
				t.Errorf("is %q, wants %q", got, c.want)
			}
		})
	}
	for option, what := range thoughtOf() {
		if what == answered && !strings.Contains("knownhostscommand gssapikeyexchange hostkeyalias", option) {
			t.Errorf("%s is %s, and nothing here shows it", option, what)
		}
	}
}

func needSSH(t *testing.T) string {
	t.Helper()
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed (Debian: openssh-client)")
	}
	return ssh
}

// An ssh that does not know an option is not given it, and goes without a word
// about it; one that fails for another reason is not taken for such.
func TestOptional_ListsWhatThisSSHKnows(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ script, want string }{
		"all":         {"true", "-o KnownHostsCommand=none -o GSSAPIKeyExchange=no"},
		"an old one":  {`case "$*" in *KnownHosts*) echo "command-line: line 0: Bad configuration option: knownhostscommand" >&2; exit 255;; esac`, "-o GSSAPIKeyExchange=no"},
		"not Debians": {`case "$*" in *GSSAPI*) echo 'command-line line 0: Unsupported option "gssapikeyexchange"' >&2;; esac`, "-o KnownHostsCommand=none"},
		"neither":     {`case "$*" in *-o*) echo "command-line: line 0: Bad configuration option: x" >&2; exit 255;; esac`, ""},
		"a failure":   {"echo no user exists for this id >&2; exit 255", "ssh -G has ended with 255"},
	} {
		ssh := filepath.Join(dir, name)
		if err := os.WriteFile(ssh, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		args, err := optional(ssh, os.Environ())
		got := strings.Join(args, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What is given for the way to a host is what ssh has said of it.
func TestFixed_AgreesWithSSH(t *testing.T) {
	alias := "-o HostKeyAlias=[web.test]:2222"
	for given, want := range map[string]string{
		"":                        alias + " -o ProxyCommand=none",
		"proxyjump u@a:23,b":      alias + " -o ProxyJump=u@a:23,b",
		"proxycommand nc -x p %h": alias + " -o ProxyCommand=nc -x p %h",
	} {
		config := configuration{"hostname": "Web.test", "port": "2222"}
		if name, value, ok := strings.Cut(given, " "); ok {
			config[name] = value
		}
		first, way, err := config.fixed()
		if got := strings.Join(append(first, way...), " "); err != nil || got != want {
			t.Errorf("%s: %q, %v", given, got, err)
		}
	}
	if first, way, err := (configuration{}).fixed(); len(first)+len(way) > 0 || err != nil {
		t.Errorf("%q, %q, %v", first, way, err)
	}
}

// A ssh that says what is wrong with its arguments is heard.
func TestEffective_ReportsSSHsError(t *testing.T) {
	_, err := effective(needSSH(t), os.Environ(), []string{"-o", "NoSuchOption=1", "web"})
	exit, ok := err.(*exitError)
	if !ok || exit.status != failed || !bytes.Contains(exit.stderr, []byte("nosuchoption")) {
		t.Errorf("%v", err)
	}
}
