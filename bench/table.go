package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// machine describes in general words what the figures were taken on.
func machine() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Sprintf("%d CPUs, %s", runtime.NumCPU(), runtime.GOARCH)
	}
	return fmt.Sprintf("%d CPUs, %s, Linux %s, %s", runtime.NumCPU(), runtime.GOARCH, release(u), runtime.Version())
}

// release is the kernel's version without what a distributor appends.
func release(u unix.Utsname) string {
	version, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), "-")
	return version
}

var headings = []string{
	"backend", "peers", "rows", "start s", "floor s", "beyond s", "ratio", "cpu s",
	"rss MB", "anon MB", "peak MB", "route ms", "etcd ms", "syscalls", "of work", "rest ms",
}

func (r result) cells() []string {
	f := func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) }
	all, work := "-", "-"
	if r.Syscalls != nil {
		all, work = f(0, r.Syscalls.All), f(0, r.Syscalls.Work)
	}
	return []string{
		r.Backend, fmt.Sprint(r.Peers), fmt.Sprint(r.Rows),
		f(3, r.Start), f(3, r.Floor), f(3, r.beyond()), f(1, r.Start/r.Floor), f(2, r.CPU),
		f(1, r.Resident), f(1, r.Anon), f(1, r.Peak), f(1, r.Route), f(1, r.Etcd), all, work, f(1, r.Rest),
	}
}

// printTables writes the results as people read them.
func printTables(w io.Writer, r report) error {
	return errors.Join(
		printTable(w, headings, r.Results),
		printTable(w, firewallHeadings, r.Firewall),
		printTable(w, callHeadings, r.Calls),
		printTable(w, podWayHeadings, r.PodWays),
		printTable(w, healHeadings, r.Heal),
		printTable(w, liveHeadings, r.Live),
		printTable(w, outageHeadings, r.Outage),
		printTable(w, kubeHeadings, r.Kube),
		printTable(w, churnHeadings, r.Churn),
		printTable(w, putHeadings, r.Put),
		printTable(w, probeHeadings, r.Probe),
		printTable(w, datapathHeadings, r.Datapath),
		printTable(w, programHeadings, r.Programs),
	)
}

// printTable writes one table, nothing if that was not measured.
func printTable[R interface{ cells() []string }](w io.Writer, headings []string, all []R) error {
	if len(all) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join(headings, "\t")+"\t")
	for _, r := range all {
		fmt.Fprintln(t, strings.Join(r.cells(), "\t")+"\t")
	}
	return t.Flush()
}

// printJSON writes the results for programs.
func printJSON(w io.Writer, r report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// progress tells on stderr what runs, since a case takes half a minute.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
