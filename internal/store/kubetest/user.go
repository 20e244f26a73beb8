package kubetest

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespace is where users live; the API server makes it.
const namespace = "default"

// AddUser makes a ServiceAccount that may do what rules say and nothing else
// (beyond what every authenticated client may), and returns the path of its
// kubeconfig.
func (c *Cluster) AddUser(ctx context.Context, name string, rules ...rbacv1.PolicyRule) (kubeconfig string, err error) {
	meta := metav1.ObjectMeta{Name: name}
	if _, err := c.Client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{}); err != nil {
		return "", fmt.Errorf("make the ClusterRole %s: %w", name, err)
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
		return "", fmt.Errorf("make the ServiceAccount %s: %w", name, err)
	}
	return c.TokenFor(ctx, namespace, name)
}

// TokenFor writes a kubeconfig for a ServiceAccount that exists, and returns its path.
func (c *Cluster) TokenFor(ctx context.Context, namespace, name string) (kubeconfig string, err error) {
	token, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("get a token for the ServiceAccount %s/%s: %w", namespace, name, err)
	}
	return c.creds.kubeconfig(name, c.Addr, token.Status.Token)
}
