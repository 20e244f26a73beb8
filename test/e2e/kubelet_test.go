package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/weft-net/weft/internal/lab"
	"github.com/weft-net/weft/internal/store/kubetest"
)

// kubelet stands in for the one of a node, and for the scheduler, as far as pods of DaemonSets need
// them: it takes the pods that are meant for its node, runs their containers with Docker, renews
// their files, and tells how they are.
type kubelet struct {
	cluster *kubetest.Cluster
	host    *lab.Host
	runs    map[string]pod // by name, with running containers
}

// lookInterval is how often a kubelet looks at its pods.
const lookInterval = 200 * time.Millisecond

// startKubelet runs a kubelet until the test ends.
func startKubelet(t *testing.T, c *kubetest.Cluster, h *lab.Host) {
	k := &kubelet{cluster: c, host: h, runs: map[string]pod{}}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(lookInterval)
		defer ticker.Stop()
		for ctx.Err() == nil {
			if err := k.look(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("kubelet of %s: %v", h.Name, err)
			}
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// look takes each pod of the node one step further. Those that end go first: they may hold ports.
func (k *kubelet) look(ctx context.Context) error {
	list, err := k.cluster.Client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	mine := slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return nodeOf(p) != k.host.Name })
	slices.SortStableFunc(mine, func(a, b corev1.Pod) int { return rank(a) - rank(b) })
	var errs []error
	for _, p := range mine {
		switch _, runs := k.runs[p.Name]; {
		case p.DeletionTimestamp != nil:
			err = k.end(ctx, p)
		case p.Spec.NodeName == "":
			err = k.bind(ctx, p)
		case !runs:
			err = k.start(ctx, p)
		default:
			err = k.keep(ctx, p)
		}
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) { // else it changed since it was listed
			errs = append(errs, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err))
		}
	}
	return errors.Join(errs...)
}

func rank(p corev1.Pod) int {
	if p.DeletionTimestamp != nil {
		return 0
	}
	return 1
}

// nodeOf is the node that a pod of a DaemonSet is meant for.
func nodeOf(p corev1.Pod) string {
	if p.Spec.NodeName != "" || p.Spec.Affinity == nil {
		return p.Spec.NodeName
	}
	for _, term := range p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		for _, field := range term.MatchFields {
			if field.Key == "metadata.name" {
				return field.Values[0]
			}
		}
	}
	return ""
}

// bind is the scheduler's part. A pod whose ports another one has waits.
func (k *kubelet) bind(ctx context.Context, p corev1.Pod) error {
	for _, other := range k.runs {
		if slices.ContainsFunc(ports(other.spec), func(port int32) bool { return slices.Contains(ports(p.Spec), port) }) {
			return nil
		}
	}
	return k.cluster.Client.CoreV1().Pods(p.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		Target:     corev1.ObjectReference{Kind: "Node", Name: k.host.Name},
	}, metav1.CreateOptions{})
}

func ports(spec corev1.PodSpec) (all []int32) {
	for _, c := range spec.Containers {
		for _, p := range c.Ports {
			all = append(all, p.ContainerPort)
		}
	}
	return all
}

func (k *kubelet) start(ctx context.Context, p corev1.Pod) error {
	run := pod{
		node: k.host, namespace: p.Namespace, name: p.Name, spec: p.Spec,
		env: []string{
			"KUBERNETES_SERVICE_HOST=" + k.cluster.Addr.Addr().String(),
			fmt.Sprintf("KUBERNETES_SERVICE_PORT=%d", k.cluster.Addr.Port()),
		},
		configs: func(namespace, name string) (map[string]string, error) {
			m, err := k.cluster.Client.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			return m.Data, nil
		},
	}
	var err error
	if run.token, err = k.writeToken(ctx, p); err != nil {
		return err
	}
	if _, err := run.initialize(ctx); err != nil {
		return err
	}
	for _, c := range p.Spec.Containers {
		if err := run.start(ctx, c); err != nil {
			return err
		}
	}
	k.runs[p.Name] = run
	return nil
}

// writeToken gives the pod what it knows the API server by, and is known by.
func (k *kubelet) writeToken(ctx context.Context, p corev1.Pod) (dir string, err error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.Name, UID: p.UID},
	}}
	token, err := k.cluster.Client.CoreV1().ServiceAccounts(p.Namespace).CreateToken(ctx, p.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	ca, err := os.ReadFile(k.cluster.Config.CAFile)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(rootOf(k.host), "tokens", p.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, errors.Join(os.WriteFile(filepath.Join(dir, "token"), []byte(token.Status.Token), 0o600),
		os.WriteFile(filepath.Join(dir, "ca.crt"), ca, 0o644),
		os.WriteFile(filepath.Join(dir, "namespace"), []byte(p.Namespace), 0o644))
}

// keep renews a running pod's files, and tells whether it is ready.
func (k *kubelet) keep(ctx context.Context, p corev1.Pod) error {
	run := k.runs[p.Name]
	for _, v := range p.Spec.Volumes {
		if v.ConfigMap != nil {
			if err := run.writeConfig(v.ConfigMap.Name); err != nil {
				return err
			}
		}
	}
	ready := corev1.ConditionTrue
	if slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool { return !k.isReady(ctx, c) }) {
		ready = corev1.ConditionFalse
	}
	if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == ready }) {
		return nil
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()}}
	_, err := k.cluster.Client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, &p, metav1.UpdateOptions{})
	return err
}

// isReady asks the container, if it can be asked.
func (k *kubelet) isReady(ctx context.Context, c corev1.Container) bool {
	if c.ReadinessProbe == nil {
		return true
	}
	transport := &http.Transport{DialContext: dialFrom(k.host), DisableKeepAlives: true}
	where := netip.AddrPortFrom(k.host.Addrs[0].Addr(), uint16(c.Ports[0].ContainerPort))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+where.String()+c.ReadinessProbe.HTTPGet.Path, nil)
	if err != nil {
		return false
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return false
	}
	return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
}

// end ends a pod's containers and then lets the API server forget it.
func (k *kubelet) end(ctx context.Context, p corev1.Pod) error {
	if run, runs := k.runs[p.Name]; runs {
		for _, c := range p.Spec.Containers {
			if err := run.stop(ctx, c); err != nil {
				return err
			}
		}
		delete(k.runs, p.Name)
	}
	now := int64(0)
	return k.cluster.Client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &p.UID},
	})
}
