package plan

import (
	"fmt"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// proxyOptions and targetOptions are what kamal-proxy keeps of a service.
type proxyOptions struct {
	Hosts        []string `json:"hosts"`
	PathPrefixes []string `json:"path_prefixes"`
	TLS          bool     `json:"tls_enabled"`
	Certificate  string   `json:"tls_certificate_path"`
	Redirect     *bool    `json:"tls_redirect"`
	Strip        *bool    `json:"strip_prefix"`
}

type targetOptions struct {
	HealthCheck struct {
		Path     string        `json:"path"`
		Interval time.Duration `json:"interval"`
		Timeout  time.Duration `json:"timeout"`
	} `json:"health_check_config"`
	ResponseTimeout time.Duration `json:"response_timeout"`
	BufferRequests  bool          `json:"buffer_requests"`
	BufferResponses bool          `json:"buffer_responses"`
	Memory          int64         `json:"max_memory_buffer_size"`
	RequestBody     int64         `json:"max_request_body_size"`
	ResponseBody    int64         `json:"max_response_body_size"`
	LogRequest      []string      `json:"log_request_headers"`
	LogResponse     []string      `json:"log_response_headers"`
	ForwardHeaders  bool          `json:"forward_headers"`
}

// compareProxy holds what Kamal would tell kamal-proxy against what that has. An option
// that Kamal does not give has kamal-proxy's own default.
func compareProxy(p *observedProxy) (changes []Change) {
	if p == nil {
		return nil
	}
	if p.Has == nil {
		return []Change{{Kind: "proxy", Name: "host", To: strings.Join(texts(p.Want["host"]), ",")}}
	}
	o, t := p.Has.Options, p.Has.Target
	tls := p.Want["tls"] == true
	yes := func(b *bool) string { return strconv.FormatBool(b == nil || *b) }
	for _, c := range []struct {
		name      string
		has       []string
		otherwise string
		tidy      func(string) string
	}{
		{"host", nonBlank(o.Hosts), "", strings.ToLower},
		{"path-prefix", o.PathPrefixes, "/", func(p string) string { return "/" + strings.Trim(p, "/") }},
		{"tls", []string{strconv.FormatBool(o.TLS)}, "false", nil},
		{"tls-certificate-path", nonEmpty(o.Certificate), "", nil},
		{"tls-redirect", []string{yes(o.Redirect)}, "true", nil},
		{"strip-path-prefix", []string{yes(o.Strip)}, "true", nil},
		{"health-check-path", []string{t.HealthCheck.Path}, "/up", nil},
		{"health-check-interval", []string{t.HealthCheck.Interval.String()}, "1s", duration},
		{"health-check-timeout", []string{t.HealthCheck.Timeout.String()}, "5s", duration},
		{"target-timeout", []string{t.ResponseTimeout.String()}, "30s", duration},
		{"buffer-requests", []string{strconv.FormatBool(t.BufferRequests)}, "false", nil},
		{"buffer-responses", []string{strconv.FormatBool(t.BufferResponses)}, "false", nil},
		{"buffer-memory", []string{strconv.FormatInt(t.Memory, 10)}, strconv.Itoa(1 << 20), nil},
		{"max-request-body", []string{strconv.FormatInt(t.RequestBody, 10)}, "0", nil},
		{"max-response-body", []string{strconv.FormatInt(t.ResponseBody, 10)}, "0", nil},
		{"log-request-header", t.LogRequest, "", textproto.CanonicalMIMEHeaderKey},
		{"log-response-header", t.LogResponse, "", textproto.CanonicalMIMEHeaderKey},
		{"forward-headers", []string{strconv.FormatBool(t.ForwardHeaders)}, strconv.FormatBool(!tls), nil},
	} {
		want := texts(p.Want[c.name])
		if len(want) == 0 {
			want = nonEmpty(c.otherwise)
		}
		if c.tidy != nil {
			want = slices.Clone(want)
			for i := range want {
				want[i] = c.tidy(want[i])
			}
		}
		changes = append(changes, different("proxy", c.name, c.has, want)...)
	}
	return changes
}

// texts are the words of an option's value.
func texts(value any) (all []string) {
	switch v := value.(type) {
	case nil:
	case []any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	case float64:
		all = append(all, strconv.FormatFloat(v, 'f', -1, 64))
	default:
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func nonBlank(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

func duration(text string) string {
	if d, err := time.ParseDuration(text); err == nil {
		return d.String()
	}
	return text
}
