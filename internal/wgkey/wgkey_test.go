package wgkey

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-net/weft/internal/netconf"
	"github.com/weft-net/weft/internal/netstate"
)

func TestKeyOutlivesTheProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, "")
	if err != nil || again.Public() != first.Public() || first.Public().IsZero() {
		t.Fatal("another key:", first.Public(), again.Public(), err)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

// TestFlannelsKeyIsTakenOver, with the vectors of RFC 7748, section 6.1.
func TestFlannelsKeyIsTakenOver(t *testing.T) {
	former := filepath.Join(t.TempDir(), "wgkey")
	const private, public = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
	if err := os.WriteFile(former, []byte(private), 0o400); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r, err := Open(dir, former)
	if err != nil || r.Public().String() != public {
		t.Fatal(r.Public(), err)
	}
	if err := os.Remove(former); err != nil {
		t.Fatal(err)
	}
	if r, err = Open(dir, former); err != nil || r.Public().String() != public {
		t.Error("not kept:", r.Public(), err)
	}
}

// TestFlannelHasRunSince: peers know the key that flannel has made after weft kept its own, and not one that weft
// has taken over before.
func TestFlannelHasRunSince(t *testing.T) {
	dir, former := t.TempDir(), filepath.Join(t.TempDir(), "wgkey")
	first, err := Open(dir, former)
	if err != nil {
		t.Fatal(err)
	}
	const private, public = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
	if err := os.WriteFile(former, []byte(private), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		age  time.Duration
		want string
	}{{-time.Hour, first.Public().String()}, {time.Hour, public}} {
		if err := os.Chtimes(former, time.Time{}, time.Now().Add(c.age)); err != nil {
			t.Fatal(err)
		}
		if r, err := Open(dir, former); err != nil || r.Public().String() != c.want {
			t.Error("made", c.age, "after:", r.Public(), err)
		}
	}
	if err := os.Remove(former); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(dir, former); err != nil || r.Public().String() != public {
		t.Error("not kept:", r.Public(), err)
	}
}

func TestNoSecretIsPrinted(t *testing.T) {
	r := &Ring{}
	psk := netconf.PSK([]byte(strings.Repeat("p", 32)))
	r.Share(psk)
	public, err := r.Add(Key([]byte(strings.Repeat("k", 32))))
	if err != nil {
		t.Fatal(err)
	}
	k, ok := r.Private(public)
	shared, found := r.Preshared(psk.Fingerprint())
	if !ok || !found || shared != Key(psk) {
		t.Fatal("not found again")
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		text := fmt.Sprintf(verb, struct {
			Key Key
			PSK netconf.PSK
		}{k, psk})
		if strings.Contains(text, "kkk") || strings.Contains(text, "ppp") || strings.Contains(text, "107 107") || strings.Contains(text, "0x6b, 0x6b") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func TestDamagedKeyIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, ""); err == nil || strings.Contains(err.Error(), "rubbish") {
		t.Error(err)
	}
}

// TestRenewedKey goes through a replacement, with the process ended after each step.
func TestRenewedKey(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	old := r.Public()
	next, err := r.Renew()
	if err != nil || next == old || r.Public() != old || r.Next() != next {
		t.Fatal(old, next, r.Public(), r.Next(), err)
	}
	if again, err := r.Renew(); err != nil || again != next {
		t.Error("a second command makes another key:", again, err)
	}
	info, err := os.Stat(filepath.Join(dir, NextName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if r, err = Open(dir, ""); err != nil || r.Public() != old || r.Next() != next {
		t.Fatal("after a restart:", r.Public(), r.Next(), err)
	}
	for _, key := range []netstate.WGKey{old, next} {
		if _, ok := r.Private(key); !ok {
			t.Error("the private key is missing of", key)
		}
	}
	if err := r.Keep(next); err != nil || r.Public() != next || !r.Next().IsZero() {
		t.Fatal(r.Public(), r.Next(), err)
	}
	if _, ok := r.Private(old); ok {
		t.Error("the old key is still known")
	}
	if err := r.Keep(next); err != nil {
		t.Error("a second time:", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Error("files left:", entries, err)
	}
	if r, err = Open(dir, ""); err != nil || r.Public() != next || !r.Next().IsZero() {
		t.Error("after a restart:", r.Public(), r.Next(), err)
	}
}

func TestKeyThatCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	r, err := Open(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, NextName), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Renew(); err == nil || !r.Next().IsZero() {
		t.Error(r.Next(), err)
	}
}
