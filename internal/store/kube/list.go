package kube

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// list reads a NodeList in an envelope. It buffers one node at a time: the whole
// response is 50 MB for 5,000 nodes.
func (d *decoder) list(from io.Reader) (*nodeList, error) {
	in := bufio.NewReaderSize(from, 32<<10)
	head := make([]byte, len(envelope))
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, whole(err)
	}
	if !bytes.Equal(head, envelope) {
		return nil, errNotProto
	}
	l := &nodeList{}
	outer := &fieldReader{in: in, left: -1}
	for {
		num, size, err := outer.next()
		if err == io.EOF && l.ResourceVersion != "" {
			return l, nil
		}
		if err == nil && num == unknownRaw {
			err = d.items(l, &fieldReader{in: in, left: size})
		} else if err == nil {
			_, err = outer.value(size)
		}
		if err != nil {
			return nil, whole(err)
		}
	}
}

// items reads the fields of a NodeList.
func (d *decoder) items(l *nodeList, f *fieldReader) error {
	for f.left > 0 {
		num, size, err := f.next()
		if err != nil {
			return whole(err)
		}
		value, err := f.value(size)
		if err != nil {
			return err
		}
		switch num {
		case listMeta:
			err = l.ListMeta.Unmarshal(value)
		case listItems:
			var n node
			n, err = d.node(value)
			l.Items = append(l.Items, &n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// whole returns the error for a response that ends too soon.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fieldReader reads the fields of a message one after the other. All fields of
// an envelope and of a NodeList are length-delimited.
type fieldReader struct {
	in   *bufio.Reader
	left int // of the message, in bytes; negative: it ends with in
	buf  bytes.Buffer
}

// next reads the beginning of a field, and returns the length of its value.
func (f *fieldReader) next() (protowire.Number, int, error) {
	tag, err := f.varint()
	if err != nil {
		return 0, 0, err
	}
	num, kind := protowire.DecodeTag(tag)
	if kind != protowire.BytesType {
		return 0, 0, fmt.Errorf("%w: field %d has no length", errNotProto, num)
	}
	size, err := f.varint()
	if err != nil {
		return 0, 0, whole(err)
	}
	if size > 1<<40 || f.left >= 0 && int(size) > f.left {
		return 0, 0, fmt.Errorf("%w: field %d is of %d bytes", errNotProto, num, size)
	}
	return num, int(size), nil
}

func (f *fieldReader) varint() (uint64, error) {
	v, err := binary.ReadUvarint(f.in)
	if f.left >= 0 {
		f.left -= protowire.SizeVarint(v)
	}
	return v, err
}

// maxValue is far more than the largest object that an API server stores, in
// bytes (1.5 MiB in etcd).
const maxValue = 16 << 20

// value reads the value of a field, which is valid until the next call.
func (f *fieldReader) value(size int) ([]byte, error) {
	if size > maxValue {
		return nil, fmt.Errorf("%w: an object of %d bytes", errNotProto, size)
	}
	if f.left >= 0 {
		f.left -= size
	}
	f.buf.Reset()
	_, err := io.CopyN(&f.buf, f.in, int64(size)) // grows with what arrives, not with what is announced
	return f.buf.Bytes(), whole(err)
}
