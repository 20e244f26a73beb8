package main

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/test/kernels/debian"
	"github.com/weft-net/weft/test/kernels/image"
	"github.com/weft-net/weft/test/kernels/suite"
	"github.com/weft-net/weft/test/programs"
)

// Folders in the guest. Tests find what lies in the repository at or above
// their own folder.
const (
	guestSource = "/weft/src"
	guestTests  = "/weft/tests"
)

// debianPackages have the programs that tests start.
var debianPackages = []string{"busybox-static", "dash", "e2fsprogs", "etcd-client", "etcd-server", "ethtool", "iproute2", "iptables", "iputils-ping", "kmod", "nftables", "procps"}

// base is what guests of all kernels have in common.
type base struct {
	options
	suites   []suite.Suite
	programs string // folder of Debian's programs
	env      []string
}

func prepare(ctx context.Context, cache *debian.Cache, m machine, o options) (*base, error) {
	root, err := cache.Programs(ctx, debianPackages...)
	if err != nil {
		return nil, err
	}
	for _, set := range programs.All {
		if _, err := set.Dir(ctx); err != nil {
			return nil, err
		}
	}
	suites, err := build(ctx, o)
	b := &base{options: o, suites: suites, programs: root}
	if m.emulated() {
		b.env = []string{lab.PaceVariable + "=4"}
	}
	return b, err
}

// modules are those that only root outside every user namespace can load: the
// tables of iptables-legacy and connection tracking.
var modules = []string{
	"ip_tables", "iptable_filter", "iptable_nat", "iptable_mangle", "iptable_raw",
	"ip6_tables", "ip6table_filter", "ip6table_nat", "ip6table_mangle", "ip6table_raw",
	"nf_conntrack", "nf_conntrack_netlink", "nf_tables", "nft_compat", "nft_chain_nat", "xt_conntrack", "xt_comment", "xt_MASQUERADE", "xt_addrtype", "xt_mark",
	"br_netfilter", "bridge", "veth", "vxlan", "ipip", "tun", "dummy", "macvlan", "vrf", "virtio_pci", "virtio_net", "virtio_blk",
}

// image writes the file system of a guest with kernel k.
func (b *base) image(file string, k debian.Kernel) (err error) {
	i, err := image.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	plan, err := suite.Plan{Modules: modules, Env: b.env, Limit: b.limit, Suites: b.suites}.Encode()
	if err != nil {
		return err
	}
	for _, dir := range []string{"proc", "sys", "dev", "run", "tmp", "root", "etc", "busybox", "disk", "var/lib", "usr/local/bin"} {
		err = errors.Join(err, i.Dir(dir))
	}
	return errors.Join(err,
		i.File("init", filepath.Join(b.work, "init")),
		i.Text(suite.File, plan, 0o644),
		i.Text("etc/passwd", []byte("root:x:0:0:root:/root:/bin/sh\n"), 0o644),
		i.Text("etc/hostname", []byte("guest\n"), 0o644),
		i.Text("etc/group", []byte("root:x:0:\n"), 0o644),
		alternatives(i),
		i.Tree("/", b.programs, documentation),
		i.Tree("lib/modules/"+k.Version, k.Modules, unneeded),
		i.Tree(guestTests, b.binaries(), nil),
		b.source(i),
	)
}

// alternatives makes iptables that of nftables, as update-alternatives(8) does
// when Debian's package is installed.
func alternatives(i *image.Image) (err error) {
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			err = errors.Join(err, i.Link("usr/sbin/"+program+suffix, program+"-nft"+suffix))
		}
	}
	return err
}

// source adds what tests read of the repository: testdata, the guides whose
// examples they try, and the programs that test/programs has built.
func (b *base) source(i *image.Image) error {
	err := errors.Join(i.File(guestSource+"/go.mod", "go.mod"), i.Tree(guestSource+"/docs/guides", "docs/guides", nil))
	for _, s := range b.suites {
		dir := strings.TrimPrefix(s.Dir, guestSource+"/")
		err = errors.Join(err, i.Dir(s.Dir))
		if _, missing := os.Stat(filepath.Join(dir, "testdata")); missing == nil {
			err = errors.Join(err, i.Tree(s.Dir+"/testdata", filepath.Join(dir, "testdata"), nil))
		}
	}
	// Scripts that make sense in a guest alone.
	err = errors.Join(err, i.Tree(guestSource+"/test/e2e/testdata", "test/kernels/scripts", nil))
	for _, set := range programs.All {
		source, built := filepath.Join("test", set.Module), filepath.Join("bin", "test", filepath.Base(set.Module))
		only := func(rel string) bool { return set.Module != programs.CNI.Module && rel != "." && rel != ".stamp" }
		err = errors.Join(err, i.Tree(guestSource+"/"+source, source, nil), i.Tree(guestSource+"/"+built, built, only))
	}
	return err
}

// documentation reports what of a package no program needs.
func documentation(rel string) bool {
	for _, dir := range []string{"doc", "man", "locale", "info", "lintian", "bash-completion", "bug", "perl5", "icons"} {
		if rel == "usr/share/"+dir {
			return true
		}
	}
	switch path.Base(rel) {
	case "perl", "perl-base", "gconv": // for iptables-apply, and for other encodings than UTF-8
		return true
	}
	return rel == "var" || strings.HasPrefix(path.Base(rel), "libperl.")
}

// unneeded reports modules that no guest has a device for.
func unneeded(rel string) bool {
	for _, dir := range []string{"kernel/drivers/net/ethernet", "kernel/drivers/net/wireless", "kernel/drivers/gpu", "kernel/drivers/infiniband", "kernel/drivers/scsi", "kernel/drivers/media", "kernel/drivers/usb", "kernel/drivers/hv", "kernel/drivers/xen", "kernel/drivers/iio", "kernel/drivers/hid", "kernel/drivers/mtd", "kernel/drivers/md", "kernel/drivers/nvme", "kernel/drivers/target", "kernel/drivers/staging", "kernel/sound", "kernel/arch/x86/kvm"} {
		if rel == dir {
			return true
		}
	}
	if rest, in := strings.CutPrefix(rel, "kernel/fs/"); in {
		return !strings.HasPrefix(rest, "ext4") && !strings.HasPrefix(rest, "jbd2") && !strings.HasPrefix(rest, "mbcache") && !strings.HasPrefix(rest, "overlayfs")
	}
	return false
}
