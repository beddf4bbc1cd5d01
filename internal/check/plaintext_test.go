package check

import (
	"crypto/ecdh"
	cryptorand "crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// random makes secrets of ten shapes, from a fixed seed.
func random(r *rand.Rand) map[string]func() string {
	of := func(alphabet string, n int) func() string {
		return func() string {
			b := make([]byte, n)
			for i := range b {
				b[i] = alphabet[r.IntN(len(alphabet))]
			}
			return string(b)
		}
	}
	raw := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	return map[string]func() string{
		"a Rails master key":            func() string { return hex.EncodeToString(raw(16)) },
		"64 hex digits":                 func() string { return hex.EncodeToString(raw(32)) },
		"20 lower-case and digits":      of(lower+digits, 20),
		"24 lower-case letters":         of(lower, 24),
		"24 letters":                    of(lower+upper, 24),
		"32 letters and digits":         of(lower+upper+digits, 32),
		"base64":                        func() string { return base64.StdEncoding.EncodeToString(raw(24)) },
		"base64 for URLs":               func() string { return base64.RawURLEncoding.EncodeToString(raw(33)) },
		"base32":                        func() string { return base32.StdEncoding.EncodeToString(raw(20)) },
		"16 characters with many signs": of(lower+upper+digits+"!%&*+?@^~", 16),
	}
}

// 99 of 100 random values of every shape are found.
func TestLooksSecret_FindsRandomValues(t *testing.T) {
	for _, shape := range slices.Sorted(maps.Keys(random(nil))) {
		make := random(rand.New(rand.NewPCG(1, 2)))[shape]
		missed := 0
		for range 1000 {
			if !LooksSecret(make()) {
				missed++
			}
		}
		if missed > 10 {
			t.Errorf("%s: %d of 1000 are missed", shape, missed)
		}
	}
}

// A few forms that secrets have, each from its maker's documentation, with a made-up
// body.
func TestLooksSecret_FindsKnownForms(t *testing.T) {
	body := strings.Repeat("a1B2", 10)
	for _, text := range []string{
		"ghp_" + body, "github_pat_" + body, "glpat-" + body, "dckr_pat_" + body, "AKIA" + strings.Repeat("Q2", 8), "xoxb-" + body,
		"sk_live_" + body, "whsec_" + body, "SG." + body, "ops_eyJ" + body, "AIza" + body, "npm_" + body, "pypi-" + body, "hf_" + body,
		"sk-ant-" + body, "sk-" + body, "hvs." + body, "eyJhbGciOi" + "." + "eyJzdWIiOi" + "." + body,
		"https://hooks.slack.com/services/T" + "0/B0/x", "postgres://app:hunter2hunter2@db.internal:5432/app", "app:hunter2hunter2@tcp(db:3306)/app",
		"https://api.example.com/v1?api_key=" + body, "Server=db;User Id=app;Password=hunter2hunter2;", "-----BEGIN OPENSSH PRIVATE KEY-----",
	} {
		if !LooksSecret(text) {
			t.Errorf("%.12s… is not found", text)
		}
	}
}

// vapid is a public key for push messages.
func vapid() string {
	key, err := ecdh.P256().GenerateKey(cryptorand.Reader)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes())
}

// notSecrets are values that people write into a secrets file or an environment and
// that are none.
func notSecrets() []string {
	all := []string{
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0r8Xb6o5o1Zb1h0w1C9m3E5v7Q2y4K6n8P0s2U4w6Y deploy@example.com",
		"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
		"web=2,worker=4", "worker=4,scheduler=1,mailer=2", "a=1;b=2;c=3", "true", "production", "2024-11-30T12:00:00Z", "0 3 * * *",
		"redis-cache.internal:6379/1", "db-primary.eu-central-1.rds.amazonaws.com:5432", "10.0.0.0/16", "fd00:1234:5678::1/64", "[2001:db8::1]:8080",
		"localhost:3000", "https://example.com/path/to/page?utm_source=mail", "smtp.mailprovider.com:587", "noreply@mail.example.com",
		"ghcr.io/example-team/my-application:2024.11.30-rc1", "registry.example.com/team/app:latest", "postgres:16.4-alpine3.20",
		"/var/lib/postgresql/data", "/etc/ssl/certs/ca-certificates.crt", "config/environments/production.rb", "./bin/start-worker",
		"arn:aws:iam::123456789012:role/deploy-role", "ami-0abcdef1234567890", "vpc-0a1b2c3d4e5f67890", "sha256:" + strings.Repeat("ab12", 16),
		"SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDMqn6CEl1nVmF0XKc", "application/vnd.api+json", "text/html; charset=utf-8", "en_US.UTF-8", "Europe/Amsterdam",
		"ActiveSupport::MessageEncryptor", "MyApplication.Web.Endpoint", "com.example.myapplication", "x-forwarded-for", "TLS_AES_256_GCM_SHA384",
		"pk_live_" + strings.Repeat("a1B2", 6), "{\"level\":\"info\",\"format\":\"json\"}", "info,hyper=warn,tower_http=debug", "*.example.com", "user@example.co.uk",
		"postgres://app:password@localhost/app", "postgres://localhost:5432/app_development", "redis://redis:6379/0", "mysql2://db.internal/app",
		"G-1A2B3C4D5E", "GTM-K7Q2X9P", "phc_" + strings.Repeat("a1B2", 10), "pk" + ".eyJ" + strings.Repeat("a1B2", 12) + "." + strings.Repeat("Q7x9", 5), "AKIA" + "IOSFODNN7EXAMPLE",
		"wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCYEXAMPLEKEY", "123456789012-a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6.apps.googleusercontent.com",
		"https://" + strings.Repeat("0a1b", 8) + "@o123456.ingest.sentry.io/4501234567890", "AC" + strings.Repeat("9f3c", 8), "price_1MoBy5LkdIwHu7ixZhnattbh",
		"sb_publishable_" + strings.Repeat("a1B2", 6), "pub" + strings.Repeat("9f3c", 8), "sq0idp-" + strings.Repeat("a1B2", 5), "rzp_test_1DP5mmOlF5G5ag", "Iv1.8a61f9b3a7aba766",
		"eu-west-1_AbC1dEf2G", "qxzvkwjhbtrnmpfgyldc.supabase.co", strings.Repeat("9f3c", 8) + ".r2.cloudflarestorage.com", "0x" + strings.Repeat("9f3C", 10),
		"ghp_" + strings.Repeat("x", 36), "sk_test_your_key_here_please", "sk-" + strings.Repeat("x", 40), "postgres@sha256:" + strings.Repeat("ab12", 16),
		vapid(), "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"supabase","role":"anon"}`)) + "." + strings.Repeat("a1B2", 10),
		"v1.2.3-beta.4+build.567", "1.2.3.4,5.6.7.8", "+31 20 123 4567", "123e4567-e89b-12d3-a456-426614174000",
	}
	words := strings.Fields(`account address admin analytics api app application assets auth avatar backend background backup balancer billing blob blue
		bucket build cache catalog central channel checkout client cloud cluster collector commerce config console consumer content customer daemon dashboard
		data database default delivery deploy development device digest directory discovery document domain download east edge email endpoint engine event
		exchange export external feature feed file frontend gateway global graph green handler health history host image import index internal inventory
		invoice job kernel landing large ledger library listener load local logger login mail main manager market master media memory message metrics
		middleware migration mobile monitor network nightly node north notification number object office operator order origin package page partner
		payment pipeline platform policy portal postgres preview primary private process producer product production profile project provider proxy public
		publisher queue quick reader redis region registry relay release replica report request research resource review router runner sandbox scheduler
		schema search secondary secure server service session setting shared shipping shop signal site small socket source south staging static status
		storage store stream studio subscription support system table target task team temporary tenant test thumbnail ticket tracker traffic transport
		upload user vault vendor version video view virtual volume warehouse web webhook west widget worker workspace zone`)
	r := rand.New(rand.NewPCG(3, 4))
	word := func() string { return words[r.IntN(len(words))] }
	title := func(w string) string { return strings.ToUpper(w[:1]) + w[1:] }
	for range 120 {
		hex4 := func() string { return fmt.Sprintf("%04x", r.IntN(1<<16)) }
		all = append(all,
			word()+"-"+word()+"-"+word(),
			word()+"_"+word()+"_"+word(),
			word()+"-"+word()+"."+word()+".example.com:"+fmt.Sprint(1024+r.IntN(60000)),
			word()+"."+word()+".svc.cluster.local:"+fmt.Sprint(1024+r.IntN(60000))+"/"+fmt.Sprint(r.IntN(16)),
			word()+title(word())+title(word()),
			title(word())+"::"+title(word())+title(word()),
			"https://"+word()+".example.org/"+word()+"/"+word()+"?"+word()+"="+word(),
			"/srv/"+word()+"/"+word()+"/"+word()+".sock",
			word()+"-"+word()+"-"+fmt.Sprint(2015+r.IntN(12))+"-"+fmt.Sprint(1+r.IntN(12)),
			word()+"@"+word()+"."+word()+".example",
			"ghcr.io/"+word()+"/"+word()+"-"+word()+":"+fmt.Sprintf("%d.%d.%d", r.IntN(9), r.IntN(30), r.IntN(30)),
			strings.ToUpper(word()+"_"+word()+"_"+word()),
			hex4()+hex4()+"-"+hex4()+"-"+hex4()+"-"+hex4()+"-"+hex4()+hex4()+hex4(),
			fmt.Sprint(r.Uint64()), fmt.Sprintf("%d.%d", r.IntN(1e9), r.IntN(1e6)),
			word()+"="+fmt.Sprint(r.IntN(10))+","+word()+"="+fmt.Sprint(r.IntN(10))+","+word()+"="+fmt.Sprint(r.IntN(10)),
			"host="+word()+".internal port=5432 dbname="+word()+" sslmode=require",
			word()+fmt.Sprint(r.IntN(10))+"-"+word()+fmt.Sprint(r.IntN(100))+"."+word(),
		)
	}
	return all
}

// Fewer than one in a hundred of what is no secret is taken for one.
func TestLooksSecret_LeavesOthersAlone(t *testing.T) {
	all := notSecrets()
	var wrong []string
	for _, text := range all {
		if LooksSecret(text) {
			wrong = append(wrong, text)
		}
	}
	if len(wrong)*100 >= len(all) {
		t.Errorf("%d of %d are taken for secrets: %q", len(wrong), len(all), wrong[:min(len(wrong), 30)])
	}
	t.Logf("%d of %d: %q", len(wrong), len(all), wrong)
}

// Some keys are public under one name and a secret under another.
func TestCheckPlaintext_AsksTheName(t *testing.T) {
	google, random := "AIza"+strings.Repeat("Sy1B", 9), "6Lq7"+strings.Repeat("xK9v", 9)
	for line, secret := range map[string]bool{
		"FIREBASE_API_KEY=" + google: false, "NEXT_PUBLIC_GOOGLE_MAPS_KEY=" + google: false, "GOOGLE_MAPS_API_KEY=" + google: false, "GEMINI_API_KEY=" + google: true,
		"RECAPTCHA_SITE_KEY=" + random: false, "RECAPTCHA_SITE_KEY_V3=" + random: false, "RECAPTCHA_SECRET_KEY=" + random: true, "VITE_CAPTCHA=" + random: false,
		"VITE_TOKEN=ghp_" + strings.Repeat("a1B2", 9): true, "VAPID_PUBLIC_KEY=" + random: false, "VAPID_PRIVATE_KEY=" + random: true, "TWILIO_SID=" + random: false,
		"ALGOLIA_SEARCH_KEY=" + random: false, "ALGOLIA_ADMIN_KEY=" + random: true,
		"SENTRY_DSN=https://" + strings.Repeat("0a1b", 8) + ":" + strings.Repeat("9f3c", 8) + "@sentry.example.com/2": true,
	} {
		told := slices.ContainsFunc(findings(t, map[string]string{".kamal/secrets": "REG=$REG\nDB=$DB\n" + line + "\n"}), func(f Finding) bool { return f.Rule == RulePlaintext })
		if told != secret {
			t.Errorf("%.24s…: told %v", line, told)
		}
	}
}
