package onepassword

const (
	// SDKModule is the Go module of 1Password's SDK.
	SDKModule = "github.com/1password/onepassword-sdk-go"
	// CoreSHA256 is the hash of the SDK's core, internal/wasm/core.wasm in that
	// module: compiled code of 1Password's, which comes without a version of its own.
	CoreSHA256 = "23d115f4ac7519b48172df3e8615945572dbda7033d51b44c9490fd533ae0f23"
)
