package problem

// A Help is where the documentation says more of a problem: a page of docs/, and the
// heading there.
type Help string

// The places that problems lead to. A problem that names none has that of its exit
// status.
const (
	SecretMissing   Help = "troubleshooting.md#a-secret-is-missing"
	FieldMissing    Help = "troubleshooting.md#the-item-has-no-such-field"
	DeclaredMissing Help = "troubleshooting.md#a-declared-secret-is-not-there"
	NameTwice       Help = "troubleshooting.md#more-than-one-has-this-name"
	EmptySecret     Help = "troubleshooting.md#a-secret-is-empty"
	OtherVault      Help = "secrets.md#which-vaults-a-run-may-ask"
	CommandFailed   Help = "secrets.md#commands-in-a-secrets-file"
	ReservedName    Help = "troubleshooting.md#a-name-that-programs-follow"
	BrokenToken     Help = "troubleshooting.md#the-token-is-cut-off"
	NoCredentials   Help = "troubleshooting.md#no-credentials"
	UnusableKey     Help = "troubleshooting.md#the-ssh-key-is-no-private-key"
	NoSuchProgram   Help = "troubleshooting.md#op-not-found"
	KamalMissing    Help = "troubleshooting.md#kamal-is-not-found"
	KamalFailed     Help = "troubleshooting.md#kamal-failed"
	LoginRefused    Help = "troubleshooting.md#permission-denied-publickey"
	LoginShell      Help = "troubleshooting.md#the-login-shell-is-no-posix-shell"
	HostUnreachable Help = "troubleshooting.md#a-host-cannot-be-reached"
	DockerMissing   Help = "troubleshooting.md#docker-does-not-run"
	UnreadableFile  Help = "troubleshooting.md#a-file-of-the-project-cannot-be-read"
	GitHubRefuses   Help = "troubleshooting.md#github-refuses"

	// Other is of what nobody could look up: a disk that is full, a program that misbehaves.
	Other Help = "troubleshooting.md#any-other-problem"

	HostKeys     Help = "threat-model.md#host-keys"
	DeployLock   Help = "locks.md#a-lock-that-is-in-the-way"
	OtherKamal   Help = "how-it-works.md#which-kamal"
	AsItIs       Help = "secrets.md#values-as-they-are"
	Masking      Help = "secrets.md#what-the-log-does-not-show"
	LogCopies    Help = "secrets.md#a-copy-of-the-log"
	LongValue    Help = "secrets.md#how-long-a-value-may-be"
	Reference    Help = "secrets.md#secret-references"
	LoadedBefore Help = "secrets.md#keyless-what-an-earlier-step-has-loaded"
	CoreCache    Help = "secrets.md#a-core-cache"
	ProjectFile  Help = "project-file.md#what-may-stand-there"
	Monorepos    Help = "monorepos.md"
	Checking     Help = "commands.md#check"
	Changing     Help = "commands.md#add-remove-rename"
	Beginning    Help = "commands.md#init-migrate"
	Verifying    Help = "secrets.md#what-runs-against-the-vault"
	Planning     Help = "plan.md"
	ByComment    Help = "comment.md"
	Rotating     Help = "rotate.md"
	Doctor       Help = "doctor.md"
	Watching     Help = "watch.md"
	Promoting    Help = "promote.md"
	Copying      Help = "promote.md#from-one-registry-to-another"
	Freezing     Help = "freeze.md"
	History      Help = "history.md"
	GoingBack    Help = "history.md#back-to-the-version-before"
	Rehearsing   Help = "rehearse.md"
	ReviewApps   Help = "review-apps.md#exit-statuses"
	Running      Help = "commands.md#run"

	wrongUsage Help = "troubleshooting.md#the-command-line-is-not-understood"
	refused    Help = "troubleshooting.md#1password-refuses"
	outOfTime  Help = "ending.md#the-orderly-stop"
	inPart     Help = "commands.md#exit-statuses"
)

// About says where more is written of a problem, unless it is said already.
func (p *Problem) About(h Help) *Problem {
	if p.Help == "" {
		p.Help = h
	}
	return p
}

// URL is the page on which more is written of the problem.
func (p *Problem) URL() string {
	if p.Help == "" {
		return helpOf(p.Status).URL()
	}
	return p.Help.URL()
}

// URL is the address of the place.
func (h Help) URL() string { return "https://github.com/kamal-op/kamal-op/blob/main/docs/" + string(h) }

// helpOf is where more is written of an exit status.
func helpOf(status int) Help {
	switch status {
	case Usage:
		return wrongUsage
	case Refused:
		return refused
	case TimedOut:
		return outOfTime
	case Partial:
		return inPart
	}
	return Other
}
