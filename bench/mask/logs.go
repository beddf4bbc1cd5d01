package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// writeLog appends lines of a deployment's log to b until it has size bytes:
// Kamal's own lines, BuildKit's, bundler's, Rails' JSON, some of them in colours.
// Each line holds one of secrets with the given probability.
func writeLog(b []byte, size int, random *rand.Rand, secrets []string, share float64) []byte {
	for len(b) < size {
		line := logLine(random)
		if len(secrets) > 0 && random.Float64() < share {
			at := random.IntN(len(line) + 1)
			line = line[:at] + secrets[random.IntN(len(secrets))] + line[at:]
		}
		b = append(append(b, line...), '\n')
	}
	return b
}

var (
	hosts = []string{"203.0.113.7", "203.0.113.8", "app-1.example.com", "10.0.3.12"}
	gems  = []string{"rails", "nokogiri", "puma", "bootsnap", "activesupport", "solid_queue", "kamal", "turbo-rails", "propshaft", "sqlite3"}
	paths = []string{"/", "/rooms/12/messages", "/session/new", "/up", "/assets/application-8b441ae0.css", "/users/me/profile", "/rails/active_storage/blobs/redirect"}
	words = strings.Fields("running starting container image layer digest health check proxy version pushed pulled building exporting manifest config network volume detected finished target ready waiting primary lock released acquired env file uploaded pruning old images and containers in the of to with for on")
)

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }

func hexDigits(random *rand.Rand, n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[random.IntN(16)]
	}
	return string(b)
}

func uuid(random *rand.Rand) string {
	h := hexDigits(random, 32)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func sentence(random *rand.Rand, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(pick(random, words))
	}
	return b.String()
}

func logLine(r *rand.Rand) string {
	switch r.IntN(12) {
	case 0:
		return fmt.Sprintf("  \x1b[0;34;49mINFO\x1b[0m [\x1b[0;32;49m%s\x1b[0m] Running \x1b[1;33;49mdocker image ls --filter label=service=app --format '{{.ID}}' | head -1\x1b[0m on \x1b[0;36;49m%s\x1b[0m", hexDigits(r, 8), pick(r, hosts))
	case 1:
		return fmt.Sprintf("  INFO [%s] Finished in %d.%03d seconds with exit status 0 (successful).", hexDigits(r, 8), r.IntN(9), r.IntN(1000))
	case 2:
		return fmt.Sprintf(" DEBUG [%s] Command: docker run --detach --restart unless-stopped --name app-web-%s --network kamal --hostname %s-%s --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size=10m", hexDigits(r, 8), hexDigits(r, 40), pick(r, hosts), hexDigits(r, 12))
	case 3:
		return fmt.Sprintf("#%d %d.%03d %s", r.IntN(40), r.IntN(90), r.IntN(1000), sentence(r, 5+r.IntN(12)))
	case 4:
		return fmt.Sprintf("#%d sha256:%s %d.%02dMB / %d.%02dMB %d.%ds", r.IntN(40), hexDigits(r, 64), r.IntN(90), r.IntN(100), r.IntN(200), r.IntN(100), r.IntN(30), r.IntN(10))
	case 5:
		return fmt.Sprintf("#%d extracting sha256:%s %d.%ds done", r.IntN(40), hexDigits(r, 64), r.IntN(30), r.IntN(10))
	case 6:
		return fmt.Sprintf("#%d %d.%03d Installing %s %d.%d.%d with native extensions", r.IntN(40), r.IntN(90), r.IntN(1000), pick(r, gems), r.IntN(9), r.IntN(30), r.IntN(20))
	case 7, 8:
		return fmt.Sprintf(`{"time":"2026-11-21T%02d:%02d:%02d.%06dZ","level":"INFO","msg":"Request","request_id":"%s","host":"%s","port":3000,"path":"%s","method":"GET","status":%d,"duration":%d,"remote_addr":"172.18.0.2:%d","user_agent":"Mozilla/5.0 (X11; Linux x86_64)","req_content_type":""}`,
			r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1e6), uuid(r), pick(r, hosts), pick(r, paths), 200+r.IntN(3)*100, r.IntN(1e9), 30000+r.IntN(30000))
	case 9:
		return fmt.Sprintf("[%s] Started GET \"%s\" for 172.18.0.%d at 2026-11-21 %02d:%02d:%02d +0000", uuid(r), pick(r, paths), r.IntN(255), r.IntN(24), r.IntN(60), r.IntN(60))
	case 10:
		return fmt.Sprintf("[%s] Completed 200 OK in %dms (Views: %d.%dms | ActiveRecord: %d.%dms (%d queries, %d cached) | GC: %d.%dms)", uuid(r), r.IntN(400), r.IntN(90), r.IntN(10), r.IntN(90), r.IntN(10), r.IntN(30), r.IntN(5), r.IntN(9), r.IntN(10))
	}
	return fmt.Sprintf("\x1b[32m%s\x1b[0m %s \x1b[1m%s\x1b[0m", pick(r, words), sentence(r, 4+r.IntN(8)), pick(r, gems))
}

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	punctuated   = alphanumeric + "!#$%&*+-./:;<=>?@^_~"
)

func from(random *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[random.IntN(len(alphabet))]
	}
	return string(b)
}

// makeSecrets makes n different secrets of 20 to 64 characters as they are met:
// a quarter hexadecimal, some with a prefix that many share, some URLs, some with
// punctuation. They are random, and secret of nothing.
func makeSecrets(n int, random *rand.Rand) []string {
	secrets := make([]string, 0, n)
	for len(secrets) < n {
		length := 20 + random.IntN(45)
		switch random.IntN(8) {
		case 0, 1:
			secrets = append(secrets, hexDigits(random, length))
		case 2:
			secrets = append(secrets, "dckr_"+"pat_"+from(random, alphanumeric, 27))
		case 3:
			secrets = append(secrets, "ghp"+"_"+from(random, alphanumeric, 36))
		case 4:
			secrets = append(secrets, "postgres://app:"+from(random, alphanumeric, 16)+"@10.0.3."+fmt.Sprint(random.IntN(255))+":5432/app")
		case 5:
			secrets = append(secrets, from(random, punctuated, length))
		default:
			secrets = append(secrets, from(random, alphanumeric, length))
		}
	}
	return secrets
}

// makeProduction makes the secrets of a real project: twenty ordinary ones, two
// short ones with punctuation and a private key.
func makeProduction(random *rand.Rand) []string {
	secrets := makeSecrets(20, random)
	secrets = append(secrets, from(random, punctuated, 12), from(random, punctuated, 12))
	var key strings.Builder
	key.WriteString("-----BEGIN OPENSSH " + "PRIVATE KEY-----\n")
	for range 38 {
		key.WriteString(from(random, alphanumeric+"+/", 70) + "\n")
	}
	key.WriteString("-----END OPENSSH " + "PRIVATE KEY-----\n")
	return append(secrets, key.String())
}
