package kamal

import (
	"slices"
	"strings"
)

// reservedNames are variables whose value is run, or decides what is run, asked or
// trusted, by the programs that a run starts: shells, the loader and the C library,
// OpenSSL (its configuration names libraries to load) and who checks certificates,
// Ruby and other languages, ssh, git, docker, what hooks call, Kamal. Names that hold a token or a password by their meaning
// (GIT_TOKEN, DOCKER_AUTH_CONFIG, BUNDLE_GEMS__EXAMPLE__COM) are none of them.
var reservedNames = strings.Fields(`
	PATH HOME SHELL IFS ENV BASH_ENV BASHOPTS SHELLOPTS PROMPT_COMMAND PS4 CDPATH ZDOTDIR
	GCONV_PATH GLIBC_TUNABLES HOSTALIASES LOCPATH NLSPATH
	OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES
	SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE CURL_HOME NODE_EXTRA_CA_CERTS
	RUBYOPT RUBYLIB RUBYSHELL RUBYPATH GEM_HOME GEM_PATH GEM_SPEC_CACHE GEMRC RUBYGEMS_GEMDEPS
	BUNDLE_GEMFILE BUNDLE_PATH BUNDLE_BIN_PATH BUNDLE_APP_CONFIG BUNDLE_CONFIG BUNDLE_USER_CONFIG BUNDLE_USER_HOME BUNDLER_SETUP
	NODE_OPTIONS NODE_PATH NPM_CONFIG_SCRIPT_SHELL npm_config_script_shell NPM_CONFIG_NODE_OPTIONS npm_config_node_options
	PYTHONSTARTUP PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONBREAKPOINT PYTHONWARNINGS
	PERL5OPT PERL5LIB PERLLIB PERL5DB PERL5SHELL
	JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS LUA_INIT PHPRC PHP_INI_SCAN_DIR
	EDITOR VISUAL PAGER MANPAGER BROWSER LESSOPEN LESSCLOSE
	SSH_AUTH_SOCK SSH_ASKPASS SSH_ASKPASS_REQUIRE SSH_SK_PROVIDER SSH_SK_HELPER SSH_PKCS11_HELPER SUDO_ASKPASS
	RSYNC_RSH RSYNC_CONNECT_PROG TAR_OPTIONS MAKEFLAGS MAKEFILES
	DOCKER_HOST DOCKER_CONFIG DOCKER_CONTEXT DOCKER_CERT_PATH DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CUSTOM_HEADERS
	BUILDX_BUILDER BUILDX_CONFIG BUILDX_BAKE_FILE BUILDKIT_HOST COMPOSE_FILE
	GIT_SSH GIT_SSH_COMMAND GIT_SSH_VARIANT GIT_ASKPASS GIT_PROXY_COMMAND GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_CONFIG
	GIT_DIR GIT_COMMON_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE
	GIT_SSL_CAINFO GIT_SSL_CAPATH GIT_SSL_NO_VERIFY GIT_PROXY_SSL_CAINFO
	GIT_EXTERNAL_DIFF GIT_PAGER GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_ALLOW_PROTOCOL GIT_ATTR_SOURCE
	XDG_CONFIG_HOME XDG_CONFIG_DIRS XDG_RUNTIME_DIR TMPDIR
	KAMAL_LOCK
`)

// ReservedName says whether a secret of this name, in the environment of what a run
// starts, would do something else than to be read by an app.
func ReservedName(name string) bool {
	switch {
	case slices.Contains(reservedNames, name):
		return true
	case strings.HasPrefix(name, "LD_"):
		// LaunchDarkly's keys begin so as well. No variable of the loader ends so.
		for _, end := range []string{"_KEY", "_ID", "_TOKEN", "_SECRET", "_PASSWORD"} {
			if strings.HasSuffix(name, end) {
				return false
			}
		}
		return true
	}
	return strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "GIT_CONFIG_") || strings.HasPrefix(name, "BASH_FUNC_") ||
		strings.HasPrefix(name, "KAMAL_OP_") || strings.HasPrefix(name, "INPUT_") || strings.HasPrefix(name, "OP_SESSION_")
}
