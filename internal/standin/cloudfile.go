package standin

import (
	"net/http"
)

// A file lies apart from its item, encrypted with a key of its own. The item has that
// key, and the hash of what is encrypted.

// sealedFile is a file as it lies there, with the nonce that it was encrypted with.
func (a *cloudAccount) sealedFile(f *FileSpec) (key cloudKey, nonce, data []byte) {
	key = a.keyFor(f.ID)
	gcm := key.cipher()
	nonce = hashed(f.Content)[:gcm.NonceSize()] // the same file is the same bytes each time
	return key, nonce, gcm.Seal(nil, nonce, f.Content, nil)
}

// cloud is what an item has of its file.
func (f *FileSpec) cloud(a *cloudAccount) object {
	key, nonce, data := a.sealedFile(f)
	return object{
		"fileName": f.Name, "documentId": f.ID, "unencryptedSize": len(f.Content), "encryptedSize": len(data),
		"integrityHash": encoded(hashed(data)), "nonce": encoded(nonce), "encryptionKey": key.jwk(),
		"signingKey": object{"kty": "oct", "kid": key.id, "alg": "HS256", "ext": true, "k": encoded(hashed(key.key)), "key_ops": []string{"sign", "verify"}},
	}
}

// getFile answers with the bytes of a file, which are not sealed once more.
func (c *Cloud) getFile(w http.ResponseWriter, r *http.Request) {
	if _, ok := c.authenticate(w, r); !ok {
		return
	}
	data := c.fileData(r.PathValue("file"))
	if data == nil {
		deny(w, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(data) // a client that is gone needs no answer
}

// fileData is the file of the id, encrypted; nil where the account sees none.
func (c *Cloud) fileData(id string) []byte {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	for _, v := range c.vaults {
		for i := range v.Items {
			for n := range v.Items[i].Files {
				if f := &v.Items[i].Files[n]; f.ID == id && !v.Hidden {
					_, _, data := c.account.sealedFile(f)
					return data
				}
			}
		}
	}
	return nil
}
