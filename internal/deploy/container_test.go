package deploy

import (
	"strings"
	"testing"
)

func TestContainerOf_FindsTheID(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for mountinfo, want := range map[string]string{
		"": "",
		"600 590 0:52 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/X\n" +
			"611 600 8:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw\n": id,
		"611 600 0:25 /containers/storage/overlay-containers/" + id + "/userdata/hosts /etc/hosts rw - tmpfs tmpfs rw\n": id,
		"611 600 8:1 /var/lib/docker/containers/" + id[:40] + "/hostname /etc/hostname rw\n":                             "",
		"611 600 8:1 /home/me/containers/" + id + "/data /data rw\n":                                                     "",
	} {
		if got := containerOf(mountinfo); got != want {
			t.Errorf("%q is of %q, want %q", mountinfo, got, want)
		}
	}
}

func TestEndContainer_TakesNoOtherPath(t *testing.T) {
	for _, id := range []string{"", "../images", strings.Repeat("G", 64), strings.Repeat("a", 63) + "/"} {
		if _, err := EndContainer(t.Context(), id, nil); err == nil || !strings.Contains(err.Error(), "no container") {
			t.Errorf("%q: %v", id, err)
		}
	}
}
