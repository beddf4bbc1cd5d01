package onepassword

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// proxyFor chooses the proxy of a request. Without one that was asked for, it is the
// environment's for https:// and none for http://: a proxy reads what passes it in
// the clear, the access token and every secret, and HTTP_PROXY is set for other
// programs' sake.
func proxyFor(asked *url.URL) func(*http.Request) (*url.URL, error) {
	if asked != nil {
		return http.ProxyURL(asked)
	}
	return func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" {
			return nil, nil
		}
		return http.ProxyFromEnvironment(r)
	}
}

// ParseProxy reads the address of a proxy for Connect. The error is a
// *problem.Problem of wrong usage, and holds nothing of the address, which may have
// a password in it.
func ParseProxy(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) || u.Hostname() == "" {
		return nil, problem.Usagef("write it as http://proxy:3128", "the Connect server's proxy is not an address with http://, https:// or socks5://")
	}
	return u, nil
}

// InTheClear reports whether the access token and the secrets go unencrypted over a
// network that is not known to be private: the host has http:// and is no loopback or
// private address, and no name that only a private network knows.
func (c *Connect) InTheClear() bool {
	return c.base.Scheme == "http" && !isPrivateHost(c.base.Hostname())
}

// carrierShared are the addresses that carriers and overlay networks give out (RFC
// 6598): no public route leads there.
var carrierShared = netip.MustParsePrefix("100.64.0.0/10")

// isPrivateHost reports whether the host is one of this machine or of a private network.
// A name is judged by its form and not asked for: what a name server answers may be
// the attacker's.
func isPrivateHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() || carrierShared.Contains(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") {
		// A container, a service, a machine of the same domain; a number is an address,
		// which resolvers of C's read in one part as well.
		_, err := strconv.ParseUint(host, 0, 64)
		return err != nil
	}
	// The names that RFC 6761, 6762, 8375 and ICANN keep for private use, and those
	// of a Kubernetes cluster.
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".home.arpa", ".lan", ".svc"}, func(suffix string) bool {
		return strings.HasSuffix(host, suffix)
	})
}
