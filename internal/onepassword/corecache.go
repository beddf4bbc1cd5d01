package onepassword

func loadWarm([]string) string { return "" }
