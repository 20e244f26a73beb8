package kube

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

func keysOf(t testing.TB, prefix string) annotationKeys {
	t.Helper()
	k, err := newAnnotationKeys(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// encoded is obj as the API server sends it, by Kubernetes' own encoder.
func encoded(t testing.TB, obj runtime.Object, kind string) []byte {
	t.Helper()
	obj.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
	s := runtime.NewScheme()
	doc, err := runtime.Encode(protobuf.NewSerializer(s, s), obj)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// usual is a node as a kubelet and others leave it.
func usual() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "node-1", UID: "u-1", ResourceVersion: "4711", Generation: 3, CreationTimestamp: metav1.Now(),
			Labels: map[string]string{"kubernetes.io/hostname": "node-1"},
			Annotations: map[string]string{
				"node.alpha.kubernetes.io/ttl":                 "0",
				"flannel.alpha.coreos.com/kube-subnet-manager": "true",
				"flannel.alpha.coreos.com/backend-type":        "vxlan",
				"flannel.alpha.coreos.com/backend-data":        mac4,
				"flannel.alpha.coreos.com/public-ip":           "192.0.2.1",
				"example.com/blue-public-ip":                   "198.51.100.1",
			},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubelet", Operation: "Update", FieldsV1: metav1.NewFieldsV1("{}")}},
		},
		Spec: corev1.NodeSpec{
			PodCIDR: "10.5.1.0/24", PodCIDRs: []string{"10.5.1.0/24", "fc00:5:0:1::/64"}, ProviderID: "x", Unschedulable: true,
			Taints: []corev1.Taint{{Key: "a", Effect: "NoSchedule"}},
		},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: "Ready", Status: "True"}, {Type: "NetworkUnavailable", Status: "False", Reason: "FlannelIsUp"}},
			Addresses: []corev1.NodeAddress{
				{Type: "InternalIP", Address: "192.0.2.1"}, {Type: "ExternalIP", Address: "203.0.113.1"},
				{Type: "Hostname", Address: "node-1"}, {Type: "InternalIP", Address: "fd00::1"},
			},
			Images: []corev1.ContainerImage{{Names: []string{"a", "b"}, SizeBytes: 1}},
		},
	}
}

func TestReadsWhatKubernetesWrites(t *testing.T) {
	want := node{
		name: "node-1", uid: "u-1", version: "4711", cidrs: "10.5.1.0/24,fc00:5:0:1::/64", network: "False", internal: "192.0.2.1 fd00::1 ",
		annotations: annotations{annManaged: "true", annType: "vxlan", annData: mac4, annPublic: "192.0.2.1"},
	}
	d := decoder{keysOf(t, DefaultPrefix)}
	got, err := d.nodeIn(encoded(t, usual(), "Node"))
	if err != nil || got != want {
		t.Errorf("node %+v, %v", got, err)
	}
	other := decoder{keysOf(t, "example.com/blue")}
	got, err = other.nodeIn(encoded(t, usual(), "Node"))
	if want := (annotations{annPublic: "198.51.100.1"}); err != nil || got.annotations != want {
		t.Errorf("with another prefix: %+v, %v", got, err)
	}
	old := usual()
	old.Spec.PodCIDRs = nil
	if got, err = d.nodeIn(encoded(t, old, "Node")); err != nil || got.cidrs != "10.5.1.0/24" {
		t.Errorf("PodCIDR alone: %+v, %v", got, err)
	}
	list := &corev1.NodeList{ListMeta: metav1.ListMeta{ResourceVersion: "99", Continue: "more"}, Items: []corev1.Node{*usual(), *usual()}}
	doc := encoded(t, list, "NodeList")
	l, err := d.list(bytes.NewReader(doc))
	if err != nil || len(l.Items) != 2 || *l.Items[1] != want || l.ResourceVersion != "99" || l.Continue != "more" {
		t.Errorf("list %+v, %v", l, err)
	}
	for n := range doc {
		if l, err := d.list(bytes.NewReader(doc[:n])); err == nil && len(l.Items) != 2 {
			t.Fatalf("the first %d of %d bytes of a list are taken for %d nodes", n, len(doc), len(l.Items))
		}
	}
	host, err := hostOfPod(encoded(t, &corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-7"}}, "Pod"))
	if err != nil || host != "node-7" {
		t.Errorf("the pod's node is %q, %v", host, err)
	}
}

func TestLongAnnotationsAreCut(t *testing.T) {
	n := usual()
	n.Annotations["flannel.alpha.coreos.com/backend-data"] = `"` + strings.Repeat("x", 100_000) + `"`
	d := decoder{keysOf(t, DefaultPrefix)}
	got, err := d.nodeIn(encoded(t, n, "Node"))
	if err != nil || len(got.annotations[annData]) > maxData+1 {
		t.Fatalf("%d bytes are kept, %v", len(got.annotations[annData]), err)
	}
	if _, err := got.lease(); err == nil || len(err.Error()) > 300 {
		t.Errorf("the lease's error: %v", err)
	}
}

func FuzzWire(f *testing.F) {
	f.Add(encoded(f, usual(), "Node"))
	f.Add(encoded(f, &corev1.NodeList{Items: []corev1.Node{*usual()}}, "NodeList"))
	f.Add(encoded(f, &corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}, "Pod"))
	f.Add([]byte("k8s\x00\x12\xff\xff\xff\xff\x0f"))
	d := decoder{keysOf(f, DefaultPrefix)}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if n, err := d.nodeIn(doc); err == nil && n.name == "" {
			t.Error("a node without a name")
		}
		_, _ = d.list(bytes.NewReader(doc))
		_, _ = hostOfPod(doc)
		_, _, _ = (&eventDecoder{node: d}).Decode(doc, nil, nil)
	})
}

func BenchmarkNode(b *testing.B) {
	n := usual()
	for range 50 {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{strings.Repeat("x", 70), strings.Repeat("y", 70)}})
	}
	n.ManagedFields[0].FieldsV1 = metav1.NewFieldsV1(strings.Repeat(" ", 4000))
	doc := encoded(b, n, "Node")
	d := decoder{keysOf(b, DefaultPrefix)}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.nodeIn(doc); err != nil {
			b.Fatal(err)
		}
	}
}
