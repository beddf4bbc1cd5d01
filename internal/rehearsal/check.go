package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// maxAnswer is how much of an app's answer is read, in bytes.
const maxAnswer = 1 << 20

// check looks whether what was deployed is there: the app answers through
// kamal-proxy, and its containers have in their environment what the vault has.
// Values are compared by digest and never shown.
func (s *session) check(ctx context.Context, p *scenario) error {
	var problems problem.List
	answers, found, err := s.checkAnswers(ctx, p)
	if err != nil {
		return err
	}
	problems = append(problems, found...)
	found, err = s.checkEnvironments(ctx, p)
	if err != nil {
		return err
	}
	problems = append(problems, found...)
	if p.sample && len(problems) == 0 {
		for _, answer := range answers {
			problems = append(problems, checkAnswer(answer, p.wants)...)
		}
	}
	return problems.Err()
}

// checkAnswers asks for the app through kamal-proxy, by each of its hosts.
func (s *session) checkAnswers(ctx context.Context, p *scenario) (answers [][]byte, problems problem.List, err error) {
	if len(p.hosts) == 0 {
		return nil, nil, nil
	}
	address, err := s.proxyAddress(ctx)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{
		Transport: transport,
		Timeout:   30 * time.Second,
		// A redirect may lead anywhere; that there is one is answer enough.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for _, host := range p.hosts {
		name := host
		if name == "" {
			name = loopback
		}
		status, body, err := ask(ctx, client, address, host, p.path)
		switch {
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case err != nil:
			problems = append(problems, problem.Newf("%s does not answer through kamal-proxy: %v", name, err))
		case status >= http.StatusInternalServerError, p.sample && status != http.StatusOK:
			problems = append(problems, &problem.Problem{
				Message: fmt.Sprintf("%s answers %s with %d %s", name, p.path, status, http.StatusText(status)),
				Hint:    "kamal's own health check has passed: see what the app does at " + p.path,
				Status:  problem.Found,
			})
		default:
			s.tell.step("%s answers %s through kamal-proxy: %d %s", name, p.path, status, http.StatusText(status))
			answers = append(answers, body)
		}
	}
	return answers, problems, nil
}

func ask(ctx context.Context, client *http.Client, address, host, path string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if host != "" {
		request.Host = host
	}
	// Apps that insist on TLS are answered to as behind a proxy that ended it.
	request.Header.Set("X-Forwarded-Proto", "https")
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, err
}

// proxyAddress is where kamal-proxy's port for HTTP is on this machine, and a
// problem where the proxy is not this rehearsal's.
func (s *session) proxyAddress(ctx context.Context) (string, error) {
	labels, ok, err := s.engine.labels(ctx, "container", proxyContainer)
	if err != nil {
		return "", err
	}
	if !ok || labels[Label] != s.made.id {
		return "", problem.New("kamal-proxy does not run with the rehearsal's label",
			"the project's proxy section runs it in another way than the rehearsal asked for")
	}
	published, err := s.engine.lines(ctx, "port", proxyContainer, "80/tcp")
	if err != nil {
		return "", err
	}
	for _, address := range published {
		if host, _, err := net.SplitHostPort(address); err == nil && net.ParseIP(host).IsLoopback() {
			return address, nil
		}
	}
	return "", problem.New("kamal-proxy's port is not published on loopback", "see `docker port "+proxyContainer+"`")
}

// checkEnvironments compares the environment of every container of the service
// with what the vault has.
func (s *session) checkEnvironments(ctx context.Context, p *scenario) (problems problem.List, err error) {
	environments := map[string][]map[string]string{} // by filter
	for _, w := range p.wants {
		if _, ok := environments[w.filter]; ok {
			continue
		}
		ids, err := s.engine.lines(ctx, "container", "ls", "--quiet", "--no-trunc",
			"--filter", "label="+Label+"="+s.made.id, "--filter", "label="+w.filter)
		if err != nil {
			return nil, err
		}
		environments[w.filter] = []map[string]string{}
		for _, id := range ids {
			env, err := s.containerEnv(ctx, id)
			if err != nil {
				return nil, err
			}
			environments[w.filter] = append(environments[w.filter], env)
		}
		if len(ids) == 0 {
			problems = append(problems, problem.Newf("no container of %s is running", w.filter))
		}
	}
	var right, escaped, unknown []string
	for _, w := range p.wants {
		for _, env := range environments[w.filter] {
			got, ok := env[w.name]
			switch {
			case !ok:
				problems = append(problems, problem.Newf("%s is not in the container of %s", w.name, w.filter))
			case !w.known:
				unknown = append(unknown, w.name)
			case Digest(got) == Digest(w.value):
				right = append(right, w.name)
			case Digest(got) == Digest(kamal.EnvFileValue(w.value)):
				escaped = append(escaped, w.name)
			default:
				problems = append(problems, &problem.Problem{
					Message: fmt.Sprintf("%s did not arrive in the container of %s as it is in the vault", w.name, w.filter),
					Details: []string{fmt.Sprintf("in the vault: %d bytes, sha256 %.12s…; in the container: %d bytes, sha256 %.12s…",
						len(w.value), Digest(w.value), len(got), Digest(got))},
					Hint:   "see how .kamal/secrets defines it: dotenv reads $ and quotes again in what a $(…) gives",
					Status: problem.Found,
				})
			}
		}
	}
	right, escaped, unknown = unique(right), unique(escaped), unique(unknown)
	if len(right) > 0 {
		s.tell.step("in the container, byte for byte as in the vault: %s", strings.Join(right, ", "))
	}
	if len(escaped) > 0 {
		s.tell.step("in the container with newlines or backslashes escaped, as Kamal's env file does: %s", strings.Join(escaped, ", "))
	}
	if len(unknown) > 0 {
		s.tell.step("in the container, put together by the secrets file: %s", strings.Join(unknown, ", "))
	}
	return problems, nil
}

func (s *session) containerEnv(ctx context.Context, id string) (map[string]string, error) {
	out, err := s.engine.run(ctx, "container", "inspect", "--format", "{{json .Config.Env}}", id)
	if err != nil {
		return nil, err
	}
	var entries []string
	if err := json.Unmarshal([]byte(out), &entries); err != nil {
		return nil, fmt.Errorf("reading a container's environment: %w", err)
	}
	env := map[string]string{}
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env, nil
}

// checkAnswer compares the digests that the sample app answers with.
func checkAnswer(body []byte, wants []expectedVariable) (problems problem.List) {
	var answer AppAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return problem.List{problem.Newf("another app than the sample answers: %v", err)}
	}
	for _, w := range wants {
		if answer.Env[w.name] != Digest(w.value) {
			problems = append(problems, problem.Newf("the app itself sees another %s than is in the vault", w.name))
		}
	}
	return problems
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
