package kube

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/runtime/serializer/streaming"
	"k8s.io/apimachinery/pkg/watch"
)

// stream is a watch that the server has accepted. A goroutine of its own
// decodes the events; Stop ends the goroutine and waits for it.
type stream struct {
	events chan watch.Event
	cancel context.CancelFunc
	ended  chan struct{} // closed when no more events come

	// Set before ended is closed:
	err    error // why not
	lasted time.Duration
}

var _ watch.Interface = (*stream)(nil)

// bufferedEvents is how many events may wait for the reflector.
const bufferedEvents = 16

// newStream reads body, whose reads cancel must end. If the watch resumes from
// version, the first event is the end of a list, because the reflector expects
// one.
func newStream(ctx context.Context, cancel context.CancelFunc, body io.ReadCloser, d decoder, resumed bool, version string) *stream {
	s := &stream{events: make(chan watch.Event, bufferedEvents), cancel: cancel, ended: make(chan struct{})}
	if resumed {
		s.events <- watch.Event{Type: watch.Bookmark, Object: &node{version: version, listed: true}}
	}
	go func(since time.Time) {
		defer close(s.ended)
		defer close(s.events)
		defer body.Close()
		s.err = s.read(ctx, body, d)
		s.lasted = time.Since(since)
	}(time.Now())
	return s
}

// read decodes events until one is an error or cannot be decoded.
func (s *stream) read(ctx context.Context, body io.ReadCloser, d decoder) error {
	buffered := struct {
		io.Reader
		io.Closer
	}{bufio.NewReaderSize(body, 32<<10), body}
	decoder := &eventDecoder{node: d}
	events := streaming.NewDecoder(protobuf.LengthDelimitedFramer.NewFrameReader(buffered), decoder)
	for {
		obj, _, err := events.Decode(nil, nil)
		if err != nil {
			return err
		}
		select {
		case s.events <- watch.Event{Type: decoder.kind, Object: obj}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if decoder.kind == watch.Error {
			return apierrors.FromObject(obj)
		}
	}
}

// ResultChan implements watch.Interface.
func (s *stream) ResultChan() <-chan watch.Event { return s.events }

// Stop implements watch.Interface.
func (s *stream) Stop() {
	s.cancel()
	<-s.ended
}

// failed reports whether the watch, which has ended, ended because of an error.
func (s *stream) failed() bool {
	return !errors.Is(s.err, io.EOF) && !errors.Is(s.err, io.ErrUnexpectedEOF) && !errors.Is(s.err, context.Canceled)
}

// refused reports whether the watch, which has ended, ended because of something
// that would end another watch from the same version, too.
func (s *stream) refused() bool {
	return answered(s.err) || errors.Is(s.err, errNotProto) || errors.Is(s.err, streaming.ErrObjectTooLarge)
}

// eventDecoder reads the events of a watch.
type eventDecoder struct {
	node decoder
	kind watch.EventType // of the last event
}

// Decode implements runtime.Decoder. It returns the object of the event, a
// node or, for an error, a Status.
func (d *eventDecoder) Decode(frame []byte, _ *schema.GroupVersionKind, _ runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	kind, object, err := eventIn(frame)
	if err != nil {
		return nil, nil, err
	}
	d.kind = watch.EventType(kind)
	switch d.kind {
	case watch.Added, watch.Modified, watch.Deleted, watch.Bookmark, watch.Error:
	default:
		return nil, nil, fmt.Errorf("%w: an event of type %.20q", errNotProto, kind)
	}
	raw, err := opened(object)
	if err != nil {
		return nil, nil, err
	}
	if d.kind == watch.Error {
		status := &metav1.Status{}
		return status, nil, status.Unmarshal(raw)
	}
	n, err := d.node.node(raw)
	return &n, nil, err
}

// eventIn reads a WatchEvent, which comes without an envelope of its own. The
// object in it is part of frame.
func eventIn(frame []byte) (kind string, object []byte, err error) {
	err = fields(frame, func(num protowire.Number, value []byte) error {
		switch num {
		case eventType:
			kind = string(value)
		case eventObject:
			return fields(value, func(num protowire.Number, value []byte) error {
				if num == rawBytes {
					object = value
				}
				return nil
			})
		}
		return nil
	})
	return kind, object, err
}
