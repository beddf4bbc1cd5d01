package sample

import "testing"

func TestSign(t *testing.T) {
	if Sign(1, 3, "n") != "n is less" || Sign(3, 1, "n") != "n" || Count(3) != 3 {
		t.Error("wrong")
	}
}
