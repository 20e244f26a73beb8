package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
)

// ownName returns the name of this host's node, which it looks up only once.
func (s *Store) ownName(ctx context.Context) (string, error) {
	s.selfMu.Lock()
	defer s.selfMu.Unlock()
	who := s.o.Self
	switch {
	case s.self != "":
		return s.self, nil
	case who.Node != "":
		s.self = who.Node
		return s.self, nil
	case !who.Known():
		return "", errors.New("the name of this host's node is not known: set NODE_NAME, or POD_NAME and POD_NAMESPACE")
	}
	what := fmt.Sprintf("reading pod %s/%s, which runs on this host's node", who.Namespace, who.Pod)
	doc, err := s.raw(ctx, what, s.rest.Get().Namespace(who.Namespace).Resource("pods").Name(who.Pod))
	if err != nil {
		return "", err
	}
	name, err := hostOfPod(doc)
	if err != nil || name == "" {
		return "", fmt.Errorf("%s: no node in its spec: %w", what, err)
	}
	s.self = name
	return name, nil
}

// get reads the node with this name; without a version it does not exist.
func (s *Store) get(ctx context.Context, name string) (node, error) {
	what := "reading node " + name
	doc, err := s.raw(ctx, what, s.rest.Get().Resource("nodes").Name(name))
	if apierrors.IsNotFound(err) {
		return node{name: name}, nil
	}
	if err != nil {
		return node{}, err
	}
	n, err := s.decode.nodeIn(doc)
	return n, s.explain(ctx, what, err)
}

// patch is what may be written to a node's status.
type patch struct {
	Metadata struct {
		Annotations map[string]*string `json:"annotations,omitempty"` // nil: remove it
	} `json:"metadata,omitzero"`
	Status struct {
		Conditions []condition `json:"conditions,omitempty"`
	} `json:"status,omitzero"`
}

// send applies p to the node and returns the node as it is then.
func (s *Store) send(ctx context.Context, what, name string, p patch) (node, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return node{}, err
	}
	what += " of node " + name
	r := s.rest.Patch(types.StrategicMergePatchType).Resource("nodes").Name(name).SubResource("status").Body(body)
	doc, err := s.raw(ctx, what, r)
	if err != nil {
		return node{}, err
	}
	n, err := s.decode.nodeIn(doc)
	return n, s.explain(ctx, what, err)
}

// difference is the patch that turns the agent's annotations of n into want; ok
// is false if they are equal.
func (k *annotationKeys) difference(n, want annotations) (p patch, ok bool) {
	p.Metadata.Annotations = map[string]*string{}
	for i := range annotationsWritten {
		if n[i] == want[i] {
			continue
		}
		p.Metadata.Annotations[k[i]] = nil
		if want[i] != "" {
			p.Metadata.Annotations[k[i]] = &want[i]
		}
	}
	return p, len(p.Metadata.Annotations) > 0
}
