package broker

// Choices are options of a run that are the same on the command line, in a job and
// here: each is declared once, and reaches all three. The tags are the command
// line's, which makes flags of them.
type Choices struct {
	// RollbackOnFailure has Kamal, where the boot fails on a host, go back on those
	// hosts that run the new version already.
	RollbackOnFailure bool `name:"rollback-on-failure" help:"Where the app does not boot on every host, go back to the version before on those that run the new one, under the same lock. Hooks are not run, and nothing but the app goes back." note:"See docs/ending.md." file:"yes"`

	// ReuseImage has Kamal build no image that is in the registry already, built of the
	// same.
	ReuseImage bool `name:"reuse-image" help:"Build no image that is in the registry already with a label which says that it was built of the same, and label the one that is built." note:"See docs/promote.md." file:"yes"`

	// NoFreshEnv leaves new code that runs before it is booted the secrets of the last
	// boot.
	NoFreshEnv bool `name:"no-fresh-env" help:"Leave the pre-deploy hook, and what it runs of the new image, the env files of the last boot." note:"See docs/hooks.md." file:"yes"`

	// AllowOutputCopies lets output.file and output.otel of deploy.yml copy hook
	// output past the masker.
	AllowOutputCopies bool `name:"allow-output-copies" help:"Allow output.file and output.otel of deploy.yml, which copy what hooks print past the masking." file:"confirmed"`
}
