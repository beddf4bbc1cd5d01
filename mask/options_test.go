package mask

// withToken and withMinLength let tests see more: what is left beside an empty token,
// and patterns of one byte.

func withToken(token string) Option { return func(o *options) { o.token = token } }

func withMinLength(n int) Option { return func(o *options) { o.minLength = n } }
