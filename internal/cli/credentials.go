package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// The names under which 1Password's own tools take credentials.
const (
	serviceTokenEnv  = "OP_SERVICE_ACCOUNT_TOKEN"
	connectHostEnv   = "OP_CONNECT_HOST"
	connectTokenEnv  = "OP_CONNECT_TOKEN"
	connectTokenFile = "OP_CONNECT_TOKEN_FILE"
)

// token is a token from an input, a setting or the environment, and where it was found. The
// environment is 1Password's own names: a token has no name of ours.
func (a *app) token(input, variable string) (value, origin string) {
	if f := a.lookup.form; f != noForm {
		if v := strings.TrimSpace(a.env[f.variable(input)]); v != "" {
			return v, f.String() + " " + input
		}
	}
	return strings.TrimSpace(a.env[variable]), variable
}

// vault is the way into 1Password that the flags, inputs and environment name. It
// is checked for its shape, and nothing is sent yet. Connect comes before a
// service account, as in the op CLI. Without any credentials a person in a
// terminal is asked through their own op; elsewhere ok is false.
func (a *app) vault(f credentialFlags) (v deploy.Vault, ok bool, err error) {
	defer func() { a.gate.Mask(v.Credentials...) }()
	service, serviceFrom := a.token("service-account-token", serviceTokenEnv)
	host := f.ConnectHost
	if host == "" {
		host = strings.TrimSpace(a.env[connectHostEnv])
	}
	token, tokenFrom := a.token("connect-token", connectTokenEnv)
	file, fileFrom := f.ConnectTokenFile, "--connect-token-file"
	if file == "" {
		file, fileFrom = a.env[connectTokenFile], connectTokenFile
	}

	switch {
	case token != "" && file != "":
		return v, false, problem.Usagef("keep one of the two",
			"a Connect token is given twice: by %s and by %s", tokenFrom, fileFrom)
	case host == "" && (token != "" || file != "") && service == "":
		return v, false, problem.Usagef("set OP_CONNECT_HOST (or --connect-host) to the server's address, such as http://connect:8080",
			"there is a Connect token but no Connect host")
	case host != "" && token == "" && file == "" && service == "":
		return v, false, problem.Usagef("set OP_CONNECT_TOKEN, or --connect-token-file to a file that holds it",
			"there is a Connect host but no Connect token")
	case host != "" && (token != "" || file != ""):
		if service != "" {
			a.notices("both a Connect server and a service account token are given: Connect is used, and " + serviceFrom + " is not")
		}
		a.connectHost = host
		v, err = a.connect(f, host, token, file, service)
		return v, err == nil, err
	case service != "":
		v, err = a.serviceAccount(service, f)
		return v, err == nil, err
	}
	v, ok = a.person()
	return v, ok, nil
}

// person is the way in through the op of the person at this terminal, whose
// desktop app asks them for leave. It is never taken in CI, nor where nobody
// could answer.
func (a *app) person() (deploy.Vault, bool) {
	if a.inCI() || a.system.Name() != "a terminal" && !a.shown.Plain || !isTerminal(a.Stdin) {
		return deploy.Vault{}, false
	}
	path, err := environ.List(a.Env).LookTool(opclient.Name)
	if err != nil {
		return deploy.Vault{}, false
	}
	// What is left of credentials (an empty token, a host without one) would keep op
	// from the app, and is withheld; a session of its own is its to have.
	env := environ.List(a.Env)
	for _, name := range slices.Sorted(maps.Keys(a.env)) {
		if strings.HasPrefix(name, "OP_SESSION") {
			env = env.With(name, a.env[name])
		}
	}
	return deploy.Vault{
		Open: func() (onepassword.Backend, error) {
			a.system.Status("") // it may ask on the terminal
			return onepassword.NewDesktop(onepassword.DesktopOptions{Op: path, Env: env})
		},
		Op: path,
	}, true
}

// connect is the way in through a Connect server.
func (a *app) connect(f credentialFlags, host, token, file, unused string) (deploy.Vault, error) {
	if file != "" {
		var err error
		if token, err = onepassword.ReadTokenFile(a.path(file)); err != nil {
			return deploy.Vault{}, a.explainFile(err, ", or use the input connect-token")
		}
	}
	o := onepassword.ConnectOptions{
		Host: host, Token: mask.NewSecret("the Connect token", token), UserAgent: "kamal-op/" + releaseVersion(),
	}
	credentials := onepassword.TokenParts(token)
	for _, one := range onepassword.SplitTokens(unused) {
		credentials = append(credentials, onepassword.TokenParts(one)...)
	}
	if f.ConnectCA != "" {
		var err error
		if o.CA, err = os.ReadFile(a.path(f.ConnectCA)); err != nil {
			return deploy.Vault{}, a.explainFile(&problem.Problem{
				Message: "the file of --connect-ca-file cannot be read: " + err.Error(),
				Hint:    "give the path of a file with PEM certificates", Status: problem.Usage, Cause: err,
			}, "")
		}
	}
	if f.ConnectProxy != "" {
		var err error
		if o.Proxy, err = onepassword.ParseProxy(f.ConnectProxy); err != nil {
			return deploy.Vault{}, err
		}
		if password, ok := o.Proxy.User.Password(); ok {
			credentials = append(credentials, mask.NewSecret("the password of the Connect server's proxy", password))
		}
	}
	client, err := onepassword.NewConnect(o)
	if err != nil {
		return deploy.Vault{}, err
	}
	if client.InTheClear() {
		a.system.Warning(problem.New(
			"the Connect token and every secret go unencrypted to "+host+", which is no address or name of a private network",
			"give the Connect server TLS and write https://, or name it by its private address"))
	}
	return deploy.Vault{
		Open:        func() (onepassword.Backend, error) { return client, nil },
		Credentials: credentials,
	}, nil
}

// path is a path as a flag has it, absolute.
func (a *app) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(a.Dir, name)
}

// serviceAccount is the way in with a service account's token, or with several, one
// a line. The SDK's core may lie compiled in the directory of --core-cache, or where
// the published image has it, or where an earlier run has kept it. A --core-cache that
// does not serve costs seconds and no more: it is told, and the run goes on.
func (a *app) serviceAccount(token string, f credentialFlags) (deploy.Vault, error) {
	o := onepassword.ServiceAccountOptions{Version: releaseVersion(), CacheDirs: []string{onepassword.SharedCacheDir}}
	switch {
	case f.CoreCache != "" && f.NoCoreCache:
		return deploy.Vault{}, problem.Usagef("keep one of the two", "--core-cache and --no-core-cache are both given")
	case f.CoreCache != "":
		dir := a.path(f.CoreCache)
		useless := func(why, hint string) {
			a.system.Notice(problem.New("--core-cache is not used, and 1Password's SDK is compiled for this run: "+why, hint))
		}
		if err := onepassword.CheckCache(dir); err != nil {
			p := problem.Of(err)[0]
			useless(p.Message, p.Hint)
		} else {
			o.CacheDirs = []string{dir, onepassword.SharedCacheDir}
			o.Cold = func(why error) {
				useless(why.Error(), "kamal-op cache warm "+f.CoreCache+" compiles it anew for this version and machine")
			}
		}
	case !f.NoCoreCache:
		o.OwnCache = ownCache(a.env)
	}
	var (
		tokens   = onepassword.SplitTokens(token)
		accounts = make([]onepassword.Backend, len(tokens))
		v        deploy.Vault
	)
	for n, token := range tokens {
		v.Credentials = append(v.Credentials, onepassword.TokenParts(token)...)
		if slices.Contains(tokens[:n], token) {
			return v, problem.Usagef("give each token once", "the service account tokens have the same token twice")
		}
		o.Token = mask.NewSecret("the service account token", token)
		account, err := onepassword.NewServiceAccount(o)
		if err != nil {
			return v, whichToken(err, n, len(tokens))
		}
		o.Cold = nil // once is enough
		accounts[n], v.Prepare = account, account.Prewarm
		v.Open = func() (onepassword.Backend, error) { return account, nil }
	}
	if len(accounts) > 1 {
		all := onepassword.NewAccounts(accounts...)
		v.Open = func() (onepassword.Backend, error) { return all, nil }
	}
	return v, nil
}

// whichToken says of several tokens which one is wrong.
func whichToken(err error, n, of int) error {
	if of < 2 {
		return err
	}
	var list problem.List
	for _, p := range problem.Of(err) {
		q := *p
		q.Message = fmt.Sprintf("token %d of %d: %s", n+1, of, q.Message)
		list = append(list, &q)
	}
	return list.Err()
}

// explainFile adds, in a container action, why a file that is on the runner may
// not be there: only some of its directories are mounted.
func (a *app) explainFile(err error, otherwise string) error {
	if !a.inContainerAction() {
		return err
	}
	for _, p := range problem.Of(err) {
		if errors.Is(p.Cause, fs.ErrNotExist) {
			q := *p
			q.Hint = "the action runs in a container that sees the workspace and $RUNNER_TEMP alone: write the file to one of them" + otherwise
			return &q
		}
	}
	return err
}

// explainConnect adds, in a container action, why a Connect server on localhost
// does not answer.
func (a *app) explainConnect(err error) error {
	host := a.connectHost
	if err == nil || !a.inContainerAction() || !strings.Contains(host, "//localhost") && !strings.Contains(host, "//127.") && !strings.Contains(host, "//[::1]") {
		return err
	}
	var list problem.List
	for _, p := range problem.Of(err) {
		q := *p
		if q.Status == problem.Refused {
			q.Hint = fmt.Sprintf("the action runs in a container, where %s is the container itself: use the address that the runner has on its network, or the name of the service container", host)
		}
		list = append(list, &q)
	}
	return list.Err()
}

// dubious tells whether git would not look at the workspace: it belongs to the runner's
// user and we are root, in a container that has it mounted.
func (a *app) dubious() bool {
	return a.inContainerAction() || os.Getuid() == 0 && deploy.OwnContainer() != "" && !deploy.OwnFolder(a.dir)
}

// inContainerAction tells whether this is GitHub's container of an action: the
// runner mounts the workspace at /github/workspace there.
func (a *app) inContainerAction() bool {
	return a.env["GITHUB_ACTIONS"] == "true" && strings.HasPrefix(a.env["GITHUB_WORKSPACE"], "/github/")
}
