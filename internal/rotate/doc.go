// Package rotate says which containers are to be booted again, for the secrets in them
// to be those of the vault: of each role and each chosen accessory, on those hosts where
// what runs has another value, at the version that runs there.
//
// Kamal is asked what runs, and boots what is chosen: both through Ruby that is loaded
// into its own process. What is chosen is decided here, before the deploy lock is taken.
// Under the lock it is looked at once more, and where anything of it was replaced in the
// meantime nothing is booted and the choice is made anew.
package rotate
