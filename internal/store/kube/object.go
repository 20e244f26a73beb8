package kube

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A node passes through client-go's reflector as a Kubernetes object. The
// reflector needs its name, its version and the annotation of a bookmark; the
// metadata with them is created on demand and not kept.
var (
	_ runtime.Object            = (*node)(nil)
	_ metav1.ObjectMetaAccessor = (*node)(nil)
)

// GetObjectKind implements runtime.Object.
func (n *node) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (n *node) DeepCopyObject() runtime.Object { c := *n; return &c }

// GetObjectMeta implements metav1.ObjectMetaAccessor.
func (n *node) GetObjectMeta() metav1.Object {
	m := &metav1.ObjectMeta{Name: n.name, ResourceVersion: n.version}
	if n.listed {
		m.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return m
}

// nodeList is a list of nodes, or a page of one.
type nodeList struct {
	metav1.ListMeta
	Items []*node
}

// GetObjectKind implements runtime.Object.
func (l *nodeList) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (l *nodeList) DeepCopyObject() runtime.Object {
	c := &nodeList{ListMeta: *l.ListMeta.DeepCopy()}
	for _, n := range l.Items {
		c.Items = append(c.Items, n.DeepCopyObject().(*node))
	}
	return c
}
