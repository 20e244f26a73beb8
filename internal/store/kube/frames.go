package kube

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxFrame is far more than the largest object that an API server stores, in
// bytes (1.5 MiB in etcd).
const maxFrame = 16 << 20

// frames reads a watch: each event behind its length, four bytes with the
// highest first.
type frames struct {
	from io.Reader
	buf  []byte // of the last frame
}

// next returns the next event, which is good until the one after.
func (f *frames) next() (event, error) {
	var head [4]byte
	if _, err := io.ReadFull(f.from, head[:]); err != nil {
		return event{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return event{}, fmt.Errorf("%w: an event of %d bytes", errNotProto, size)
	}
	if int(size) > cap(f.buf) || cap(f.buf) > spareFrame && int(size) <= spareFrame {
		f.buf = make([]byte, max(size, spareFrame))
	}
	f.buf = f.buf[:size]
	if _, err := io.ReadFull(f.from, f.buf); err != nil {
		return event{}, err
	}
	return eventIn(f.buf)
}

// spareFrame is what is kept for the next frame, in bytes: most nodes fit.
const spareFrame = 32 << 10

// Kinds of event.
const (
	added    = "ADDED"
	modified = "MODIFIED"
	deleted  = "DELETED"
	bookmark = "BOOKMARK"
	failed   = "ERROR"
)

// event is one frame of a watch.
type event struct {
	kind   string
	object []byte // in an envelope
}

// eventIn reads a WatchEvent, which comes without an envelope of its own.
func eventIn(frame []byte) (event, error) {
	var e event
	err := fields(frame, func(num protowire.Number, value []byte) error {
		switch num {
		case eventType:
			e.kind = string(value)
		case eventObject:
			return fields(value, func(num protowire.Number, value []byte) error {
				if num == rawBytes {
					e.object = value
				}
				return nil
			})
		}
		return nil
	})
	return e, err
}

// mark is a bookmark: everything up to version was told.
type mark struct {
	version string
	listed  bool // it ends the initial events of a streaming list
}

// bookmarkIn reads a bookmark: an object that has metadata only.
func bookmarkIn(doc []byte) (mark, error) {
	raw, err := opened(doc)
	if err != nil {
		return mark{}, err
	}
	d := decoder{keys: noteKeys{metav1.InitialEventsAnnotationKey}}
	var n node
	err = fields(raw, func(num protowire.Number, value []byte) error {
		if num == objectMeta {
			return d.meta(&n, value)
		}
		return nil
	})
	return mark{version: n.version, listed: n.notes[0] == "true"}, err
}

// failureIn reads the Status of an ERROR event as the error it stands for.
func failureIn(doc []byte) error {
	raw, err := opened(doc)
	if err != nil {
		return err
	}
	status := &metav1.Status{}
	if err := status.Unmarshal(raw); err != nil {
		return fmt.Errorf("%w: %w", errNotProto, err)
	}
	return apierrors.FromObject(status)
}
