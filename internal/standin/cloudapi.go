package standin

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

// handler is the API. Signing in takes four requests, one after the other: start
// names the account, auth makes the session's key, confirm-key proves it, complete
// says what the client is. From then on what is said is sealed with the key.
func (c *Cloud) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v3/auth/start", c.start)
	mux.HandleFunc("POST /api/v2/auth", c.agree)
	mux.HandleFunc("POST /api/v2/auth/confirm-key", c.confirm)
	mux.HandleFunc("POST /api/v2/auth/complete", c.complete)
	mux.HandleFunc("GET /api/v2/account/keysets", c.signedIn(c.keysets))
	mux.HandleFunc("GET /api/v1/vaults", c.signedIn(c.listVaults))
	mux.HandleFunc("GET /api/v3/vault/{vault}", c.signedIn(c.getVault))
	mux.HandleFunc("GET /api/v1/vault/{vault}/items/overviews", c.signedIn(c.listItems))
	mux.HandleFunc("GET /api/v1/vault/{vault}/item/{item}", c.signedIn(c.getItem))
	mux.HandleFunc("POST /api/v3/vault/{vault}/items/batch", c.signedIn(c.getItems))
	mux.HandleFunc("GET /api/v3/file/{file}", c.getFile)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { deny(w, http.StatusNotFound) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.pass(w, r, func(w http.ResponseWriter, r *http.Request) int {
			told := &statusWriter{ResponseWriter: w}
			mux.ServeHTTP(told, r)
			return told.status
		})
	})
}

// A statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the status.
func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// deny answers with an error. Its body is 1Password's, and the core looks at the
// status alone.
func deny(w http.ResponseWriter, status int) {
	answer(w, status, object{"errorCode": status, "errorMessage": http.StatusText(status)})
}

// An object is one of JSON.
type object = map[string]any

func (c *Cloud) start(w http.ResponseWriter, r *http.Request) {
	var asked struct{ Email, SKID, SKFormat, DeviceUUID string }
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		deny(w, http.StatusBadRequest)
		return
	}
	a := c.account
	if !strings.EqualFold(asked.Email, a.email) || asked.SKID != a.keyUUID || asked.SKFormat != keyFormat || asked.DeviceUUID != a.deviceID {
		deny(w, http.StatusUnauthorized)
		return
	}
	answer(w, http.StatusOK, object{
		"status": "ok", "sessionID": c.sessions.begin(), "accountKeyFormat": keyFormat, "accountKeyUuid": a.keyUUID,
		"userAuth": a.userAuth(),
	})
}

func (c *Cloud) agree(w http.ResponseWriter, r *http.Request) {
	var asked struct{ UserA string }
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		deny(w, http.StatusBadRequest)
		return
	}
	exchange, err := c.account.exchange(asked.UserA)
	if err != nil {
		deny(w, http.StatusBadRequest)
		return
	}
	if !c.sessions.agreed(r, exchange) {
		deny(w, http.StatusUnauthorized)
		return
	}
	answer(w, http.StatusOK, object{"userB": hex.EncodeToString(exchange.serverB.Bytes())})
}

func (c *Cloud) confirm(w http.ResponseWriter, r *http.Request) {
	var asked struct{ ClientVerifyHash string }
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		deny(w, http.StatusBadRequest)
		return
	}
	proof, ok := c.sessions.confirmed(r, asked.ClientVerifyHash)
	if !ok {
		deny(w, http.StatusUnauthorized)
		return
	}
	answer(w, http.StatusOK, object{"serverVerifyHash": proof})
}

func (c *Cloud) complete(w http.ResponseWriter, r *http.Request) {
	key, ok := c.sessions.keyOf(r)
	if !ok {
		deny(w, http.StatusUnauthorized)
		return
	}
	var asked struct{ Client string }
	if !signed(r, key) || key.read(r.Body, &asked) != nil || asked.Client == "" {
		deny(w, http.StatusBadRequest)
		return
	}
	c.sessions.completed(r)
	answer(w, http.StatusOK, key.seal(object{"userUuid": c.account.userID}))
}

// authenticate gives the key of the session that a request is of, or refuses it.
func (c *Cloud) authenticate(w http.ResponseWriter, r *http.Request) (key cloudKey, ok bool) {
	if key, ok = c.sessions.keyOf(r); !ok || !c.sessions.complete(r) {
		deny(w, http.StatusUnauthorized)
		return key, false
	}
	if !signed(r, key) {
		deny(w, http.StatusBadRequest)
		return key, false
	}
	return key, true
}

// signedIn is a handler for those who have signed in; what it gives is sealed with
// the session's key. A status other than 200 is an error.
func (c *Cloud) signedIn(serve func(r *http.Request, key cloudKey) (any, int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := c.authenticate(w, r)
		if !ok {
			return
		}
		body, status := serve(r, key)
		if status != http.StatusOK {
			deny(w, status)
			return
		}
		answer(w, http.StatusOK, key.seal(body))
	}
}

func (c *Cloud) keysets(*http.Request, cloudKey) (any, int) {
	return c.account.keysets(), http.StatusOK
}
