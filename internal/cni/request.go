package cni

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"
)

// maxConfig bounds the config in bytes. Real ones have a few hundred; one with
// the attachments of a GC on a full host has some hundred thousand.
const maxConfig = 1 << 20

// since is the version of the spec that introduced a command.
var since = map[string]string{"ADD": "0.1.0", "DEL": "0.1.0", "CHECK": "0.4.0", "GC": "1.1.0", "STATUS": "1.1.0"}

// read returns the call that environment and standard input describe, and the
// type of plugin that must serve it.
func read(p Process, command string) (r Request, kind string, err error) {
	r = Request{Command: command, Log: p.Stderr}
	if since[command] == "" {
		return r, "", types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("unknown CNI_COMMAND %q", command), "")
	}
	if err := r.readEnv(p.Env); err != nil {
		return r, "", err
	}
	kind, err = r.readConfig(p.Stdin)
	return r, kind, err
}

// readEnv reads the variables and checks those that the command needs.
func (r *Request) readEnv(env func(string) string) error {
	r.Args, r.Path = env("CNI_ARGS"), env("CNI_PATH")
	missing := []string{}
	if r.Path == "" {
		missing = append(missing, "CNI_PATH")
	}
	if slices.Contains([]string{"ADD", "DEL", "CHECK"}, r.Command) {
		r.ContainerID, r.IfName, r.Netns = env("CNI_CONTAINERID"), env("CNI_IFNAME"), env("CNI_NETNS")
		missing = append(missing, r.absent()...)
	}
	if len(missing) > 0 {
		return types.NewError(types.ErrInvalidEnvironmentVariables, "environment variables are missing: "+strings.Join(missing, ", "), "")
	}
	return r.checkNames()
}

func (r *Request) absent() (names []string) {
	if r.ContainerID == "" {
		names = append(names, "CNI_CONTAINERID")
	}
	if r.IfName == "" {
		names = append(names, "CNI_IFNAME")
	}
	if r.Netns == "" && r.Command != "DEL" {
		names = append(names, "CNI_NETNS")
	}
	return names
}

// maxID bounds a container's id in bytes, as it becomes part of a file's name.
const maxID = 200

func (r *Request) checkNames() error {
	if r.ContainerID == "" { // GC and STATUS have none
		return nil
	}
	if err := utils.ValidateContainerID(r.ContainerID); err != nil {
		return err
	}
	if len(r.ContainerID) > maxID {
		return types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("CNI_CONTAINERID has %d bytes; %d are possible", len(r.ContainerID), maxID), "")
	}
	if err := utils.ValidateInterfaceName(r.IfName); err != nil {
		return err
	}
	if strings.ContainsFunc(r.IfName, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return types.NewError(types.ErrInvalidEnvironmentVariables, fmt.Sprintf("CNI_IFNAME=%q has characters that are not printable ASCII", r.IfName), "")
	}
	return nil
}

// readConfig reads the config, checks what is common to all types, and returns
// the type.
func (r *Request) readConfig(in io.Reader) (kind string, err error) {
	r.Config, err = io.ReadAll(io.LimitReader(in, maxConfig+1))
	if err != nil {
		return "", types.NewError(types.ErrIOFailure, "read the config from standard input", err.Error())
	}
	if len(r.Config) > maxConfig {
		return "", types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("the config is larger than %d bytes", maxConfig), "")
	}
	var common struct{ CNIVersion, Name, Type string }
	if err := json.Unmarshal(r.Config, &common); err != nil {
		return "", types.NewError(types.ErrDecodingFailure, "the config on standard input is not a JSON object of the spec's form", err.Error())
	}
	r.Network, r.Version = common.Name, common.CNIVersion
	if r.Version == "" {
		r.Version = "0.1.0" // as the spec says of configs from before there was a version
	}
	if err := checkVersion(r.Command, r.Version); err != nil {
		return "", err
	}
	if err := utils.ValidateNetworkName(r.Network); err != nil {
		return "", err
	}
	if r.Command == "GC" {
		err = r.readValid()
	}
	return common.Type, err
}

// readValid reads the attachments that a GC keeps. Runtimes write them under
// two keys, since the spec once had the shorter one, and null for none.
func (r *Request) readValid() error {
	var config struct {
		Valid json.RawMessage `json:"cni.dev/valid-attachments"`
		Old   json.RawMessage `json:"cni.dev/attachments"`
	}
	err := json.Unmarshal(r.Config, &config)
	text := cmp.Or(string(config.Valid), string(config.Old))
	if err == nil && text == "" {
		return types.NewError(types.ErrInvalidNetworkConfig, `the config lacks "cni.dev/valid-attachments", and without it every container would be garbage`, "")
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &r.Valid)
	}
	if err != nil {
		return types.NewError(types.ErrDecodingFailure, `"cni.dev/valid-attachments" of the config is not a list of attachments`, err.Error())
	}
	return nil
}

// checkVersion refuses a config of an unsupported version, and of a version
// that lacks the command.
func checkVersion(command, of string) error {
	if !slices.Contains(version.All.SupportedVersions(), of) {
		return types.NewError(types.ErrIncompatibleCNIVersion, fmt.Sprintf("the config has cniVersion %q", of),
			"supported are "+strings.Join(version.All.SupportedVersions(), ", "))
	}
	if ok, err := version.GreaterThanOrEqualTo(of, since[command]); err != nil || !ok {
		return types.NewError(types.ErrIncompatibleCNIVersion, fmt.Sprintf("the config has cniVersion %[2]s, which has no %[1]s; it needs %[3]s", command, of, since[command]), "")
	}
	return nil
}

// failure returns err in the spec's form.
func failure(err error) *types.Error {
	if known, ok := errors.AsType[*types.Error](err); ok {
		return known
	}
	return types.NewError(types.ErrInternal, err.Error(), "")
}
