package standin

// template is the id of what items of a category are made by.
func template(category string) string {
	id, ok := map[string]string{
		"LOGIN": "001", "CREDIT_CARD": "002", "SECURE_NOTE": "003", "IDENTITY": "004", "PASSWORD": "005", "DOCUMENT": "006",
		"SOFTWARE_LICENSE": "100", "BANK_ACCOUNT": "101", "DATABASE": "102", "DRIVER_LICENSE": "103", "OUTDOOR_LICENSE": "104",
		"MEMBERSHIP": "105", "PASSPORT": "106", "REWARD_PROGRAM": "107", "SOCIAL_SECURITY_NUMBER": "108", "WIRELESS_ROUTER": "109",
		"SERVER": "110", "EMAIL_ACCOUNT": "111", "API_CREDENTIAL": "112", "MEDICAL_RECORD": "113", "SSH_KEY": "114", "CRYPTO_WALLET": "115",
	}[category]
	if !ok {
		return "099"
	}
	return id
}

// overview is what a list of items has of one.
func (i *ItemSpec) overview(key cloudKey) object {
	trashed := map[string]string{"ARCHIVED": "Y", "DELETED": "D"}[i.State]
	if trashed == "" {
		trashed = "N"
	}
	return object{
		"uuid": i.ID, "templateUuid": template(i.Category), "trashed": trashed, "createdAt": vaultCreated, "updatedAt": vaultCreated,
		"changerUuid": editor, "itemVersion": i.Version, "encryptedBy": key.id,
		"encOverview": key.seal(object{"title": i.Title, "ainfo": "", "tags": append([]string{}, i.Tags...)}),
	}
}

// whole is the item with its details.
func (i *ItemSpec) whole(a *cloudAccount, key cloudKey) object {
	out := i.overview(key)
	out["encDetails"] = key.seal(i.details(a))
	return out
}
