package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/weft-net/weft/internal/agent"
	"github.com/weft-net/weft/internal/api"
	"github.com/weft-net/weft/internal/event"
	"github.com/weft-net/weft/internal/host"
	"github.com/weft-net/weft/internal/kernel"
	"github.com/weft-net/weft/internal/kernel/echo"
	"github.com/weft-net/weft/internal/prober"
	"github.com/weft-net/weft/internal/status"
	"github.com/weft-net/weft/internal/store/kube"
)

// up runs the agent until ctx ends.
func up(ctx context.Context, s *settings, p Process, log *slog.Logger) (err error) {
	s.self = kube.SelfFrom(p.Env)
	if err := s.check(); err != nil {
		return err
	}
	recorder, events := status.NewRecorder(log.Handler())
	log = slog.New(recorder)
	log.Info("starting", event.Attr, string(event.Starting), "version", readBuild(p.Version).Version, "stateDirectory", s.stateDir,
		"runDirectory", s.runDir, "subnetFile", s.subnetFile, "renewMargin", s.margin())
	for _, w := range s.warnings() {
		log.Warn(w)
	}
	if s.derived {
		if err := s.noteDerived(); err != nil {
			log.Warn("commands will not find this network's directories by themselves", "error", err)
		}
		log.Info("this network has directories and a table of its own, from --etcd-prefix and --subnet-file",
			"stateDirectory", s.stateDir, "runDirectory", s.runDir, "table", s.table)
	}
	frugal()
	if err := refuseTwin(ctx, s.runDir); err != nil {
		return err
	}
	keys := openKeys(s.dirSettings, p.Env, log)
	k, err := openKernel(log, s.dirSettings, keys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	st, err := openAgentStore(ctx, s, log)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // told to stop while starting
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	o := agentOptions(s, k, log)
	o.Keys = keys
	tellSystemd(&o, log)
	o.Events = events
	st.serve(&o)
	o.Version = readBuild(p.Version).Version
	o.Check = checksOf(s, o.Version)
	if s.uiPort == 0 {
		return agent.Run(ctx, o)
	}
	return runWithPage(ctx, s, p, log, func(ctx context.Context) error { return agent.Run(ctx, o) })
}

// gcPercent makes the garbage collector run when the heap has grown by half
// rather than by all of its size: the agent shares its host with work that
// needs the memory more, and computes so little that the cost does not show.
const gcPercent = 50

// frugal sets gcPercent unless GOGC says otherwise, and has the agent compute on
// one processor unless GOMAXPROCS does: its work goes from one goroutine to the
// next, and waking idle processors for each costs a quarter more than it gains.
func frugal() {
	if _, given := os.LookupEnv("GOMAXPROCS"); !given {
		runtime.GOMAXPROCS(1)
	}
	if _, given := os.LookupEnv("GOGC"); !given {
		debug.SetGCPercent(gcPercent)
	}
}

// agentOptions converts the settings, without a store.
func agentOptions(s *settings, k *kernel.Kernel, log *slog.Logger) agent.Options {
	return agent.Options{
		Kernel: k, Source: k, Wire: openWire, Count: k.Count, FastPath: k.FastCounts, UserSpace: k.UserSpace, LockDir: s.lockDir,
		Uplink: host.Options{
			Iface: s.iface, IfaceRegex: s.ifaceRegex, CanReach: s.canReach,
			Public: s.public(), FastPath: s.fastPath,
		},
		SubnetFile:  s.subnetFile,
		StateDir:    s.stateDir,
		RunDir:      s.runDir,
		RenewMargin: s.margin(),
		Firewall:    s.firewall(),
		Resync:      s.resync,
		HealthAddr:  s.healthAddr(),
		Metrics:     s.metrics,
		Hostname:    hostname(),
		Log:         log,
	}
}

// openWire opens what the paths to peers are probed by.
func openWire() (prober.Wire, error) { return echo.Open() }

// refuseTwin ends the start of a second agent before it opens anything.
func refuseTwin(ctx context.Context, runDir string) error {
	other, err := running(ctx, runDir)
	if err != nil || other == nil {
		return err
	}
	other.Close()
	return withHint(fmt.Errorf("another agent runs here: it answers in %s", runDir),
		"see it with 'weft status', or give this agent its own --run-dir and --state-dir")
}

// running returns a client of the agent of runDir, nil if none runs there, and
// an error if there is one that does not talk to this user.
func running(ctx context.Context, runDir string) (*api.Client, error) {
	c, err := api.DialDir(ctx, runDir)
	if _, none := errors.AsType[*api.NotRunningError](err); none {
		return nil, nil
	}
	return c, err
}

// tellSystemd has an agent tell systemd when this host can be reached, in which
// state it is, and that it stops.
func tellSystemd(o *agent.Options, log *slog.Logger) {
	o.Notify = func() {
		if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
			log.Warn("systemd was not told that the agent is ready", "error", err)
		}
	}
	o.Short = func(s status.Short) {
		text := "STATUS=" + oneLine(s.Text)
		if s.Stopping {
			text += "\n" + daemon.SdNotifyStopping
		}
		if _, err := daemon.SdNotify(false, text); err != nil {
			log.Debug("systemd was not told of the agent's state", "error", err)
		}
	}
}

// hostname is the system's name for this host, "" if it has none.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
