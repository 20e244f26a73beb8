package ptp

import (
	"context"
	"errors"

	"github.com/containernetworking/cni/pkg/types"

	"github.com/weft-net/weft/internal/cni"
)

// Plugin is the type's cni.Plugin.
type Plugin struct{}

var errNotYet = errors.New("this type is not built yet")

// Add puts a container into the network.
func (Plugin) Add(context.Context, cni.Request) (types.Result, error) { return nil, errNotYet }

// Del undoes Add.
func (Plugin) Del(context.Context, cni.Request) error { return errNotYet }

// Check compares a container with what Add left.
func (Plugin) Check(context.Context, cni.Request) error { return errNotYet }

// Status tells whether an Add would succeed now.
func (Plugin) Status(context.Context, cni.Request) error { return errNotYet }

// GC gives back what containers that are gone still hold.
func (Plugin) GC(context.Context, cni.Request) error { return errNotYet }
