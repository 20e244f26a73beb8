package cli

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store/kube"
)

func TestRecordTellsWhereTheStoreIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	want := storeSettings{
		endpoints: []string{"https://192.0.2.1:2379"}, prefix: "/weft",
		caFile: "/etc/ca.pem", certFile: "/etc/cert.pem", keyFile: "/etc/key.pem",
	}
	if err := writeRecord(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := readRecord(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, %v; want %+v", got, err, want)
	}
	info, err := os.Stat(filepath.Join(dir, recordName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the record has mode %v, want 0600", info.Mode().Perm())
	}
}

func TestRecordTellsOfKubernetes(t *testing.T) {
	dir := t.TempDir()
	want := storeSettings{kubeSettings: kubeSettings{
		subnetMgr: true, apiURL: "https://192.0.2.1:6443", kubeconfig: "/etc/kube.config", annotationPrefix: "example.com/blue",
		netConfigPath: "/etc/weft/net-conf.json", self: kube.Self{Node: "n1", Pod: "weft-x", Namespace: "weft"},
	}}
	if err := writeRecord(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := readRecord(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, %v; want %+v", got, err, want)
	}
}

func TestRecordKeepsThePasswordOut(t *testing.T) {
	dir := t.TempDir()
	s := storeSettings{endpoints: []string{"http://192.0.2.1:2379"}, prefix: "/weft", username: "me", password: "hunter2"}
	if err := writeRecord(dir, s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Error("the password is in the record")
	}
	if _, err := readRecord(dir); err == nil || !strings.Contains(hintOf(err), "WEFT_ETCD_PASSWORD") {
		t.Errorf("got %v, want an error that says how to give the password", err)
	}
}

func TestBrokenRecords(t *testing.T) {
	for _, text := range []string{"", "{", "[]", "{}", `{"endpoints": []}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, recordName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readRecord(dir); err == nil || !strings.Contains(hintOf(err), "--etcd-endpoints") {
			t.Errorf("%q: got %v, want an error with a way out", text, err)
		}
	}
	if _, err := readRecord(t.TempDir()); err == nil {
		t.Error("a record that is not there was read")
	}
}

func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	var o agent.Options
	tellSystemd(&o, slog.New(slog.DiscardHandler))
	o.Notify()
	o.Short(status.Short{Text: "ready: 172.7.21.0/24\nMAINPID=1"})
	o.Short(status.Short{Text: "stopping", Stopping: true})
	buf := make([]byte, 64)
	for _, want := range []string{"READY=1", "STATUS=ready: 172.7.21.0/24\\u000aMAINPID=1", "STATUS=stopping\nSTOPPING=1"} {
		n, err := socket.Read(buf)
		if err != nil || string(buf[:n]) != want {
			t.Errorf("systemd heard %q, %v; want %q", buf[:n], err, want)
		}
	}
}
