package e2e

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/etcdtest"
)

// etcd [external|v2|tls|cluster [tls]]: an etcd that ran before left its data.
func cmdEtcd(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "etcd [external|v2|tls|cluster [tls]]"
	want(ts, neg, args, 0, 2, usage)
	w := worldOf(ts)
	host := w.host(ts, lab.StoreHost)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	var err error
	switch program := strings.Join(args, " "); program {
	case "":
		w.etcd, err = host.StartEtcd(ctx, lab.EtcdBuiltIn)
	case "external":
		w.etcd, err = host.StartEtcd(ctx, lab.EtcdExternal)
	case "v2":
		w.etcd, err = host.StartEtcd(ctx, lab.EtcdV2)
	case "tls":
		w.etcd, err = host.StartEtcdTLS(ctx, certificates(ts, host))
	case "cluster":
		w.cluster, err = host.StartEtcdCluster(ctx, nil)
	case "cluster tls":
		files := certificates(ts, host)
		w.cluster, err = host.StartEtcdCluster(ctx, &files)
	default:
		ts.Fatalf("usage: %s", usage)
	}
	ts.Check(err)
	ts.Setenv("endpoints", w.lab.Endpoints())
}

// certificates makes ca.crt, and etcd.crt and client.crt with their keys, in the script's directory.
func certificates(ts *testscript.TestScript, etcd *lab.Host) lab.EtcdTLS {
	ca, err := etcdtest.NewCA(ts.MkAbs("."), "ca")
	ts.Check(err)
	cert, key := issue(ts, ca, etcd)
	return lab.EtcdTLS{Cert: cert, Key: key, CA: filepath.Clean(ca.File)}
}

// issue makes etcd.crt and client.crt with their keys, in place of earlier ones.
func issue(ts *testscript.TestScript, ca *etcdtest.CA, etcd *lab.Host) (cert, key string) {
	_, _, err := ca.Issue("client")
	ts.Check(err)
	var addrs []net.IP
	for _, a := range etcd.Addrs {
		addrs = append(addrs, a.Addr().AsSlice())
	}
	cert, key, err = ca.Issue("etcd", addrs...)
	ts.Check(err)
	return cert, key
}

// etcd-stop: SIGKILL; etcd starts it again with its data.
func cmdEtcdStop(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, 0, "etcd-stop")
	w := worldOf(ts)
	if w.etcd == nil {
		ts.Fatalf("no etcd runs")
	}
	w.etcd.Kill() // at once, as when its machine dies
}

// race HOST...: the agents start at one moment, and all of them get ready.
func cmdRace(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, unlimited, "race HOST HOST...")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	hosts := make([]*lab.Host, len(args))
	for i, name := range args {
		hosts[i] = w.host(ts, name)
	}
	errs := make([]error, len(hosts))
	var group sync.WaitGroup
	for i, h := range hosts {
		group.Go(func() { _, errs[i] = h.StartAgent(ctx) })
	}
	group.Wait()
	for i, h := range hosts {
		ts.Check(errs[i])
		noteSubnet(ts, h)
	}
}
