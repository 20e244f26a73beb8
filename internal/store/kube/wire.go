package kube

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Field numbers of Kubernetes' protobuf, which never change:
// k8s.io/apimachinery/pkg/runtime, .../apis/meta/v1 and k8s.io/api/core/v1,
// generated.proto in each.
const (
	unknownRaw = 2 // of the envelope's content

	listMeta         = 1
	listItems        = 2
	listMetaVersion  = 2
	listMetaContinue = 3

	eventType   = 1
	eventObject = 2
	rawBytes    = 1 // of RawExtension

	objectMeta   = 1
	objectSpec   = 2
	objectStatus = 3

	metaName        = 1
	metaUID         = 5
	metaVersion     = 6
	metaAnnotations = 12
	mapKey          = 1
	mapValue        = 2

	nodePodCIDR  = 1
	nodePodCIDRs = 7
	podNodeName  = 10

	nodeConditions  = 4
	conditionType   = 1
	conditionStatus = 2

	nodeAddresses = 5
	addressType   = 1
	addressText   = 2
)

// envelope precedes every object that is not part of another one.
var envelope = []byte("k8s\x00")

var errNotProto = errors.New("the response is not Kubernetes' protobuf")

// opened returns the object inside an envelope.
func opened(doc []byte) ([]byte, error) {
	inner, ok := bytes.CutPrefix(doc, envelope)
	if !ok {
		return nil, errNotProto
	}
	var raw []byte
	err := fields(inner, func(num protowire.Number, value []byte) error {
		if num == unknownRaw {
			raw = value
		}
		return nil
	})
	return raw, err
}

// fields calls fn with each length-delimited field of a message, and skips the
// others.
func fields(message []byte, fn func(protowire.Number, []byte) error) error {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", errNotProto, protowire.ParseError(n))
		}
		message = message[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, kind, message); n < 0 {
				return fmt.Errorf("%w: %w", errNotProto, protowire.ParseError(n))
			}
			message = message[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(message)
		if n < 0 {
			return fmt.Errorf("%w: %w", errNotProto, protowire.ParseError(n))
		}
		message = message[n:]
		if err := fn(num, value); err != nil {
			return err
		}
	}
	return nil
}

// decoder reads the fields that matter.
type decoder struct{ keys annotationKeys }

// nodeIn reads a Node in an envelope.
func (d *decoder) nodeIn(doc []byte) (node, error) {
	raw, err := opened(doc)
	if err != nil {
		return node{}, err
	}
	n, err := d.node(raw)
	if err == nil && n.name == "" {
		err = fmt.Errorf("%w: a node without a name", errNotProto)
	}
	return n, err
}

func (d *decoder) node(message []byte) (node, error) {
	var n node
	err := fields(message, func(num protowire.Number, value []byte) error {
		switch num {
		case objectMeta:
			return d.meta(&n, value)
		case objectSpec:
			return spec(&n, value)
		case objectStatus:
			return status(&n, value)
		}
		return nil
	})
	return n, err
}

func (d *decoder) meta(n *node, message []byte) error {
	return fields(message, func(num protowire.Number, value []byte) error {
		switch num {
		case metaName:
			n.name = string(value)
		case metaUID:
			n.uid = string(value)
		case metaVersion:
			n.version = string(value)
		case metaAnnotations:
			return d.annotation(n, value)
		}
		return nil
	})
}

func (d *decoder) annotation(n *node, entry []byte) error {
	key, text, err := pair(entry, mapKey, mapValue)
	if string(key) == metav1.InitialEventsAnnotationKey {
		n.listed = string(text) == "true"
	} else if i, ok := d.keys.find(key); ok {
		n.annotations[i] = string(text[:min(len(text), maxData+1)])
	}
	return err
}

// spec reads the PodCIDRs. The field for a single one is older, and is used only
// if the other is empty.
func spec(n *node, message []byte) error {
	var one string
	err := fields(message, func(num protowire.Number, value []byte) error {
		switch num {
		case nodePodCIDR:
			one = string(value)
		case nodePodCIDRs:
			if n.cidrs != "" {
				n.cidrs += ","
			}
			n.cidrs += string(value)
		}
		return nil
	})
	if n.cidrs == "" {
		n.cidrs = one
	}
	return err
}

// networkUnavailable is the type of the condition that keeps pods off a node
// without a network.
const networkUnavailable = "NetworkUnavailable"

// internalIP is the type of the addresses by which the cluster reaches a node.
const internalIP = "InternalIP"

func status(n *node, message []byte) error {
	return fields(message, func(num protowire.Number, value []byte) error {
		switch num {
		case nodeConditions:
			kind, state, err := pair(value, conditionType, conditionStatus)
			if string(kind) == networkUnavailable {
				n.network = string(state)
			}
			return err
		case nodeAddresses:
			kind, text, err := pair(value, addressType, addressText)
			if string(kind) == internalIP {
				n.internal += string(text) + " "
			}
			return err
		}
		return nil
	})
}

// pair reads two fields of a message.
func pair(message []byte, first, second protowire.Number) (a, b []byte, err error) {
	err = fields(message, func(num protowire.Number, value []byte) error {
		switch num {
		case first:
			a = value
		case second:
			b = value
		}
		return nil
	})
	return a, b, err
}

// hostOfPod reads the name of a Pod's node; the Pod is in an envelope.
func hostOfPod(doc []byte) (string, error) {
	raw, err := opened(doc)
	if err != nil {
		return "", err
	}
	var name string
	err = fields(raw, func(num protowire.Number, value []byte) error {
		if num != objectSpec {
			return nil
		}
		return fields(value, func(num protowire.Number, value []byte) error {
			if num == podNodeName {
				name = string(value)
			}
			return nil
		})
	})
	return name, err
}
