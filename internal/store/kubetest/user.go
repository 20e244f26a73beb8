package kubetest

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespace is that of users; the API server creates it.
const namespace = "default"

// AddUser creates a ServiceAccount with the permissions in rules (and those of
// every authenticated client), and returns the path of its kubeconfig.
func (c *Cluster) AddUser(ctx context.Context, name string, rules ...rbacv1.PolicyRule) (kubeconfig string, err error) {
	meta := metav1.ObjectMeta{Name: name}
	if _, err := c.Client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("create the ClusterRole %s: %w", name, err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
	if _, err := c.Client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("bind the ClusterRole %s: %w", name, err)
	}
	accounts := c.Client.CoreV1().ServiceAccounts(namespace)
	if _, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("create the ServiceAccount %s: %w", name, err)
	}
	return c.token(ctx, namespace, name, name, nil)
}

// AddPod creates a Pod object like a DaemonSet's, which no kubelet runs.
func (c *Cluster) AddPod(ctx context.Context, namespace, name, account, node string) (*corev1.Pod, error) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			NodeName: node, ServiceAccountName: account, HostNetwork: true,
			Containers: []corev1.Container{{Name: name, Image: name}},
		},
	}
	pod, err := c.Client.CoreV1().Pods(namespace).Create(ctx, pod, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create the pod %s/%s: %w", namespace, name, err)
	}
	return pod, nil
}

// TokenForPod returns the path of a kubeconfig, FILE.kubeconfig in the
// cluster's directory, with a token as the kubelet gives it to the pod: it is
// bound to a ServiceAccount, a pod and a node.
func (c *Cluster) TokenForPod(ctx context.Context, pod *corev1.Pod, file string) (kubeconfig string, err error) {
	bound := &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID}
	return c.token(ctx, pod.Namespace, pod.Spec.ServiceAccountName, file, bound)
}

func (c *Cluster) token(ctx context.Context, namespace, account, file string, bound *authenticationv1.BoundObjectReference) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: bound}}
	token, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, request, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("get a token for the ServiceAccount %s/%s: %w", namespace, account, err)
	}
	return c.creds.kubeconfig(file, c.Addr, token.Status.Token)
}
