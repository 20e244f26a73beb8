package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/weft-net/weft/internal/lab"
)

type command = func(ts *testscript.TestScript, neg bool, args []string)

var commands = map[string]command{
	"lab":          cmdLab,
	"etcd":         cmdEtcd,
	"etcd-stop":    cmdEtcdStop,
	"member":       cmdMember,
	"certificates": cmdCertificates,
	"race":         cmdRace,
	"agent":        cmdAgent,
	"term":         cmdTerm,
	"kill9":        cmdKill9,
	"freeze":       cmdFreeze,
	"thaw":         cmdThaw,
	"pod":          cmdPod,
	"pod-delete":   cmdPodDelete,
	"host":         cmdHost,
	"wait-for":     cmdWaitFor,
	"fault":        cmdFault,
	"plug":         cmdPlug,
	"ping-all":     cmdPingAll,
	"path":         cmdPath,
	"no-answer":    cmdNoAnswer,
	"ping-start":   cmdPingStart,
	"ping-stop":    cmdPingStop,
	"stream-start": cmdStreamStart,
	"stream-stop":  cmdStreamStop,
	"seen-as":      cmdSeenAs,
	"unheard":      cmdUnheard,
	"wire-start":   cmdWireStart,
	"wire-stop":    cmdWireStop,
	"stranger":     cmdStranger,

	"flannel":           cmdFlannel,
	"flannel-sync":      cmdFlannelSync,
	"flannel-stop":      cmdFlannelStop,
	"wireguard-show":    cmdWireGuardShow,
	"agent-as-flanneld": cmdAgentAsFlanneld,
	"flanneld-alone":    cmdFlanneldAlone,
	"host-alone":        cmdHostAlone,

	"kube":       cmdKube,
	"join":       cmdJoin,
	"kubectl":    cmdKubectl,
	"node-event": cmdNodeEvent,
	"service":    cmdService,

	"docker":      cmdDocker,
	"docker-stop": cmdDockerStop,
	"container":   cmdContainer,
	"serve":       cmdServe,
	"talk-all":    cmdTalkAll,
	"host-sees":   cmdHostSees,

	"cni-status": cmdCNIStatus,
	"containerd": cmdContainerd,
	"ctr-run":    cmdCtrRun,
	"ctr-ping":   cmdCtrPing,

	"prometheus": cmdPrometheus,

	"node":            cmdNode,
	"init-containers": cmdInitContainers,
	"agent-container": cmdAgentContainer,
}

// want fails the script unless a command got least to most arguments and no unexpected "!".
func want(ts *testscript.TestScript, neg bool, args []string, least, most int, usage string) {
	if neg || len(args) < least || len(args) > most {
		ts.Fatalf("usage: %s", usage)
	}
}

const unlimited = 1 << 10

// lab [flat]
func cmdLab(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 0, 1, "lab [flat]")
	topology := lab.Demo()
	if slices.Equal(args, []string{"flat"}) {
		topology = lab.FlatDemo()
	}
	worldOf(ts).build(ts, topology)
}

// agent HOST [KEY=VALUE...] [FLAG...]; with "!" it must not get ready, and its log is the script's stderr.
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 1, unlimited, "[!] agent HOST [KEY=VALUE...] [FLAG...]")
	w := worldOf(ts)
	h := w.host(ts, args[0])
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	flags := args[1:]
	firstFlag := slices.IndexFunc(flags, func(a string) bool { return strings.HasPrefix(a, "-") })
	if firstFlag < 0 {
		firstFlag = len(flags)
	}
	_, err := h.StartAgentEnv(ctx, flags[:firstFlag], flags[firstFlag:]...)
	switch {
	case neg && err == nil:
		ts.Fatalf("the agent of %s is ready", h.Name)
	case neg:
		_, writeErr := io.WriteString(ts.Stderr(), err.Error())
		ts.Check(writeErr)
		return
	}
	ts.Check(err)
	noteSubnet(ts, h)
}

// noteSubnet tells the script the host's subnet: $h1_subnet.
func noteSubnet(ts *testscript.TestScript, h *lab.Host) {
	if subnet, err := h.Subnet(); err == nil { // an agent with another --subnet-file leaves none here
		for _, g := range subnet.Gateways {
			ts.Setenv(variable(h.Name+"_subnet", g.Addr().Is6()), g.Masked().String())
		}
	}
}

// variable is the name of a script's variable for an address of a family: p1, p1_v6.
func variable(name string, is6 bool) string {
	if is6 {
		return name + "_v6"
	}
	return name
}

func lastAgent(ts *testscript.TestScript, h *lab.Host) *lab.Process {
	agents := h.Agents()
	if len(agents) == 0 {
		ts.Fatalf("%s has no agent", h.Name)
	}
	return agents[len(agents)-1]
}

// term HOST: SIGTERM, and the agent must end well.
func cmdTerm(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "term HOST")
	w := worldOf(ts)
	ctx, cancel := context.WithTimeout(w.ctx, startLimit)
	defer cancel()
	ts.Check(lastAgent(ts, w.host(ts, args[0])).Stop(ctx))
}

// kill9 HOST
func cmdKill9(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "kill9 HOST")
	lastAgent(ts, worldOf(ts).host(ts, args[0])).Kill()
}

// freeze HOST: SIGSTOP, until thaw HOST
func cmdFreeze(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "freeze HOST")
	ts.Check(syscall.Kill(worldOf(ts).freezable(ts, args[0]).PID(), syscall.SIGSTOP))
}

func cmdThaw(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, 1, "thaw HOST")
	ts.Check(syscall.Kill(worldOf(ts).freezable(ts, args[0]).PID(), syscall.SIGCONT))
}

// freezable is the host's agent, or the store.
func (w *world) freezable(ts *testscript.TestScript, host string) *lab.Process {
	if host == lab.StoreHost && w.etcd != nil {
		return w.etcd
	}
	return lastAgent(ts, w.host(ts, host))
}

// pod NAME HOST [flannel|weft]: by the CNI plugin of that type, or by the lab itself
func cmdPod(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 2, 3, "pod NAME HOST [flannel|weft]")
	w := worldOf(ts)
	h := w.host(ts, args[1])
	var pod *lab.Pod
	var err error
	if len(args) == 3 {
		pod, err = h.AddPodCNI(w.ctx, args[0], h.Conflist(args[2]))
	} else {
		pod, err = h.AddPod(args[0])
	}
	ts.Check(err)
	w.pods[args[0]] = pod
	for _, a := range pod.Addrs {
		ts.Setenv(variable(args[0], a.Addr().Is6()), a.Addr().String())
	}
}

// host NODE COMMAND [ARG...]: like exec, on a host, on the router or in a pod.
func cmdHost(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 2, unlimited, "[!] host NODE COMMAND [ARG...]")
	out, errOut, err := worldOf(ts).run(args[0], args[1:])
	_, writeErr := io.WriteString(ts.Stdout(), out)
	ts.Check(writeErr)
	_, writeErr = io.WriteString(ts.Stderr(), errOut)
	ts.Check(writeErr)
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		ts.Fatalf("%v", err)
	case err != nil && !neg:
		ts.Fatalf("%s: %v", strings.Join(args, " "), err)
	case err == nil && neg:
		ts.Fatalf("%s: succeeded", strings.Join(args, " "))
	}
}

func (w *world) run(name string, args []string) (out, errOut string, err error) {
	if w.lab == nil {
		return "", "", errors.New("there is no lab yet: begin the script with lab")
	}
	find := name
	if router := w.lab.Router(); router != nil && name == router.Name {
		find = lab.StoreHost // whose environment is as good as any
	}
	node, h, err := w.lab.Find(find)
	if err != nil {
		return "", "", err
	}
	if find != name {
		node = w.lab.Router()
	}
	var stdout, stderr strings.Builder
	cmd := h.Command(w.ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := node.StartCommand(cmd); err != nil {
		return "", "", err
	}
	err = cmd.Wait()
	return stdout.String(), stderr.String(), err
}

// wait-for NODE PATTERN COMMAND [ARG...]: until the command succeeds and prints what the pattern
// matches, or with "!" until it succeeds and prints nothing of the kind. 'weft status' also succeeds on a degraded host.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, false, args, 3, unlimited, "[!] wait-for NODE PATTERN COMMAND [ARG...]")
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	w := worldOf(ts)
	ts.Check(w.within(settleLimit, func() error {
		out, errOut, err := w.run(args[0], args[2:])
		switch {
		case err != nil && !degraded(args[2:], err):
			return fmt.Errorf("%s: %w: %s", strings.Join(args[2:], " "), err, errOut)
		case pattern.MatchString(out) == neg:
			return fmt.Errorf("%s printed:\n%s", strings.Join(args[2:], " "), out)
		}
		return nil
	}))
}

// degraded reports whether err is how 'weft status' exits when there is a problem.
func degraded(args []string, err error) bool {
	const exitDegraded = 3
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == exitDegraded && len(args) > 1 && args[0] == "weft" && args[1] == "status"
}

// plug HOST DEV SEGMENT ADDR...: another interface.
func cmdPlug(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 4, 5, "plug HOST DEV SEGMENT ADDR...")
	w := worldOf(ts)
	var addrs []netip.Addr
	for _, a := range args[3:] {
		addr, err := netip.ParseAddr(a)
		ts.Check(err)
		addrs = append(addrs, addr)
	}
	ts.Check(w.lab.Plug(w.host(ts, args[0]), args[1], args[2], addrs...))
}

// fault cut|restore SEGMENT, unplug|replug HOST, drop|undrop HOST HOST
func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "fault cut|restore SEGMENT, fault unplug|replug HOST, fault drop|undrop HOST HOST, fault checksums|sound HOST"
	want(ts, neg, args, 2, 3, usage)
	w := worldOf(ts)
	host := func(i int) *lab.Host {
		if i >= len(args) {
			ts.Fatalf("usage: %s", usage)
		}
		return w.host(ts, args[i])
	}
	switch args[0] {
	case "cut":
		ts.Check(w.lab.Cut(args[1]))
	case "restore":
		ts.Check(w.lab.Restore(args[1]))
	case "unplug":
		ts.Check(w.lab.Unplug(host(1)))
	case "replug":
		ts.Check(w.lab.Replug(host(1)))
	case "drop":
		ts.Check(w.lab.Drop(host(1), host(2)))
	case "checksums":
		ts.Check(w.lab.BreakChecksums(host(1)))
	case "sound":
		ts.Check(w.lab.RepairChecksums(host(1)))
	case "undrop":
		ts.Check(w.lab.Undrop(host(1), host(2)))
	default:
		ts.Fatalf("usage: %s", usage)
	}
}
