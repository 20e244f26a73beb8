package kubernetes

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/weft-net/weft/internal/netconf"
)

// networks are values, and the network that they have to mean, as a config
// document that is written by hand.
var networks = []struct{ name, values, want string }{
	{"defaults", "", `{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}`},
	{"host-gw", "flannel: {backend: host-gw}", `{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}`},
	{"host-gw with keys of vxlan", "flannel: {backend: host-gw, vni: 5, directRouting: true}",
		`{"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}`},
	{"every key of vxlan", "flannel: {backendPort: 4789, mtu: 9000, vni: 16777215, GBP: true, directRouting: true}",
		`{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 4789, "MTU": 9000, "VNI": 16777215, "GBP": true, "DirectRouting": true}}`},
	{"wireguard", "flannel: {backend: wireguard, vni: 5}", `{"Network": "10.244.0.0/16", "Backend": {"Type": "wireguard"}}`},
	{"every key of wireguard", `flannel: {backend: wireguard, backendPort: 4500, backendPortv6: 4501, mtu: 9000, keepaliveInterval: 25, tunnelMode: auto, psk: "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA="}`,
		`{"Network": "10.244.0.0/16", "Backend": {"Type": "wireguard", "ListenPort": 4500, "ListenPortV6": 4501, "MTU": 9000, "PersistentKeepaliveInterval": 25, "Mode": "auto", "PSK": "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA="}}`},
	{"another network", "podCidr: 172.16.0.0/12", `{"Network": "172.16.0.0/12", "Backend": {"Type": "vxlan"}}`},
	{"dual stack", "podCidrv6: fd00:1::/48",
		`{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:1::/48", "Backend": {"Type": "vxlan"}}`},
	{"IPv6 alone", `{podCidr: "", podCidrv6: "fd00:1::/48"}`,
		`{"EnableIPv4": false, "EnableIPv6": true, "IPv6Network": "fd00:1::/48", "Backend": {"Type": "vxlan"}}`},
	{"nftables", "flannel: {enableNFTables: true}", `{"Network": "10.244.0.0/16", "EnableNFTables": true, "Backend": {"Type": "vxlan"}}`},
	{"further keys", "weft: {network: {Guard: false, SubnetLen: 26}}",
		`{"Network": "10.244.0.0/16", "SubnetLen": 26, "Guard": false, "Backend": {"Type": "vxlan"}}`},
	{"fast path", "weft: {fastPath: auto}", `{"Network": "10.244.0.0/16", "FastPath": "auto", "Backend": {"Type": "vxlan"}}`},
	{"flannel's", flannelValues, `{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 1}}`},
}

// flannelValues has every value of flannel's chart, as its operators set them.
const flannelValues = `
global:
  imagePullSecrets: [{name: registry}]
  commonLabels: {team: net, tier: all}
  commonAnnotations: {note: common}
podCidr: "10.244.0.0/16"
podCidrv6: ""
flannel:
  image: {repository: registry.example/flannel, tag: v0.28.9}
  flannel_cni:
    image: {repository: registry.example/flannel-cni-plugin, tag: v1.9.1}
  image_cni: {repository: registry.example/flannel-cni-plugin, tag: v1.7.1}
  podLabels: {tier: node}
  podAnnotations: {note: pod}
  daemonSet: {labels: {tier: set}, annotations: {note: set}}
  configMap: {labels: {tier: config}, annotations: {}}
  serviceAccount: {labels: {}, annotations: {note: account}}
  rbac:
    labels: {tier: rbac}
    annotations: {note: rbac}
    clusterRole: {labels: {tier: role}, annotations: {}}
    clusterRoleBinding: {labels: {}, annotations: {}}
  cniBinDir: "/usr/libexec/cni"
  cniConfDir: "/etc/cni/net.d"
  skipCNIConfigInstallation: false
  enableNFTables: false
  args: ["--ip-masq", "--kube-subnet-mgr", "-iface=eth1", "--v=2"]
  backend: "vxlan"
  backendPort: 0
  mtu: 0
  vni: 1
  GBP: false
  directRouting: false
  macPrefix: "0E-2A"
  backendPortv6: 51821
  psk: 0
  tunnelMode: "separate"
  keepaliveInterval: 0
  cniConf: |
    {
      "name": "cbr0",
      "cniVersion": "0.3.1",
      "plugins": [{"type": "flannel", "delegate": {"hairpinMode": true}}]
    }
  resources:
    requests: {cpu: 100m, memory: 50Mi}
  healthz:
    port: 8082
    livenessProbe: {initialDelaySeconds: 10, periodSeconds: 30}
    readinessProbe: {initialDelaySeconds: 5, periodSeconds: 10}
  tolerations: [{effect: NoExecute, operator: Exists}]
  nodeSelector: {pool: a}
netpol:
  enabled: false
  args: ["--hostname-override=$(MY_NODE_NAME)"]
  image: {repository: registry.example/kube-network-policies, tag: v1.0.0}
`

func TestValuesBecomeTheNetwork(t *testing.T) {
	for _, c := range networks {
		t.Run(c.name, func(t *testing.T) {
			document, _ := configs(t, mustRender(t, c.values))
			have, err := netconf.Parse(document)
			if err != nil {
				t.Fatalf("%v\n%s", err, document)
			}
			want, err := netconf.Parse([]byte(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if len(have.Unknown) > 0 || !equal(have, want) {
				t.Errorf("the network is\n%+v, want\n%+v", have, want)
			}
		})
	}
}

func equal(a, b netconf.Network) bool {
	return slices.Equal(a.Ranges, b.Ranges) && a.Backend == b.Backend && a.NFTables == b.NFTables && a.Guard == b.Guard && a.FastPath == b.FastPath
}

func TestFlannelsValuesReachThePod(t *testing.T) {
	rendered := mustRender(t, flannelValues)
	if _, conf := configs(t, rendered); !strings.Contains(string(conf), `"hairpinMode": true}}]`) {
		t.Errorf("the CNI config is not as given:\n%s", conf)
	}
	pod := object[appsv1.DaemonSet](t, rendered, "DaemonSet").Spec.Template.Spec
	agent := pod.Containers[0]
	if want := []string{"--ip-masq", "--kube-subnet-mgr", "--iface=eth1", "--v=2", "--healthz-port=8082"}; !slices.Equal(agent.Args, want) {
		t.Errorf("arguments %q, want %q", agent.Args, want)
	}
	if p := agent.LivenessProbe; p == nil || p.PeriodSeconds != 30 || p.HTTPGet.Path != "/healthz" || agent.Ports[0].ContainerPort != 8082 {
		t.Errorf("liveness probe %+v, ports %+v", p, agent.Ports)
	}
	if p := agent.ReadinessProbe; p == nil || p.InitialDelaySeconds != 5 || p.HTTPGet.Path != "/readyz" {
		t.Errorf("readiness probe %+v", p)
	}
	if pod.NodeSelector["pool"] != "a" || len(pod.Tolerations) != 1 || agent.Resources.Requests.Memory().String() != "50Mi" {
		t.Errorf("selector %v, tolerations %v, resources %v", pod.NodeSelector, pod.Tolerations, agent.Resources)
	}
	if strings.Contains(agent.Image, "flannel") {
		t.Errorf("flannel's image %s is to run weft", agent.Image)
	}
	directories := map[string]string{}
	for _, v := range pod.Volumes {
		if v.HostPath != nil {
			directories[v.Name] = v.HostPath.Path
		}
	}
	if directories["cni-bin"] != "/usr/libexec/cni" || directories["cni-conf"] != "/etc/cni/net.d" || !slices.Contains(pod.InitContainers[0].Args, "--bin-dir=/usr/libexec/cni") {
		t.Errorf("directories %v, of which the plugin is installed with %q", directories, pod.InitContainers[0].Args)
	}
}

func TestLabelsAndAnnotations(t *testing.T) {
	rendered := mustRender(t, flannelValues)
	set := object[appsv1.DaemonSet](t, rendered, "DaemonSet")
	for what, c := range map[string]struct {
		of         metav1.ObjectMeta
		tier, note string
	}{
		"DaemonSet":          {set.ObjectMeta, "set", "set"},
		"pod":                {set.Spec.Template.ObjectMeta, "node", "pod"},
		"ConfigMap":          {object[corev1.ConfigMap](t, rendered, "ConfigMap").ObjectMeta, "config", "common"},
		"ServiceAccount":     {object[corev1.ServiceAccount](t, rendered, "ServiceAccount").ObjectMeta, "all", "account"},
		"ClusterRole":        {object[rbacv1.ClusterRole](t, rendered, "ClusterRole").ObjectMeta, "role", "rbac"},
		"ClusterRoleBinding": {object[rbacv1.ClusterRoleBinding](t, rendered, "ClusterRoleBinding").ObjectMeta, "rbac", "rbac"},
	} {
		if l := c.of.Labels; l["app.kubernetes.io/name"] != "weft" || l["team"] != "net" || l["tier"] != c.tier || c.of.Annotations["note"] != c.note {
			t.Errorf("%s: labels %v, annotations %v; want tier %s and note %s", what, l, c.of.Annotations, c.tier, c.note)
		}
	}
	stolen := mustRender(t, "flannel: {podLabels: {app.kubernetes.io/name: other}}")
	if l := object[appsv1.DaemonSet](t, stolen, "DaemonSet").Spec.Template.Labels; l["app.kubernetes.io/name"] != "weft" {
		t.Errorf("the DaemonSet does not find its pods by %v", l)
	}
}

// TestFastPathGetsWhatItNeeds: capabilities and the node's BPF file system are asked for with it, and only then.
func TestFastPathGetsWhatItNeeds(t *testing.T) {
	for values, want := range map[string]bool{"": false, "weft: {fastPath: auto}": true} {
		pod := object[appsv1.DaemonSet](t, mustRender(t, values), "DaemonSet").Spec.Template.Spec
		agent := pod.Containers[0]
		mounted := slices.ContainsFunc(agent.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "bpf" && m.MountPath == "/host/sys/fs/bpf" })
		volume := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool {
			return v.Name == "bpf" && v.HostPath != nil && v.HostPath.Path == "/sys/fs/bpf"
		})
		added := agent.SecurityContext.Capabilities.Add
		may := slices.Contains(added, "BPF") && slices.Contains(added, "PERFMON")
		if mounted != want || volume != want || may != want || len(added) != 2 && !want {
			t.Errorf("%q: capabilities %v, mounts %v, volumes %v", values, added, agent.VolumeMounts, pod.Volumes)
		}
	}
}

func TestHealthServerCanBeOff(t *testing.T) {
	agent := object[appsv1.DaemonSet](t, mustRender(t, "flannel: {healthz: {port: 0}}"), "DaemonSet").Spec.Template.Spec.Containers[0]
	if agent.LivenessProbe != nil || agent.ReadinessProbe != nil || agent.Ports != nil || len(agent.Args) != 2 {
		t.Errorf("agent %+v", agent)
	}
}

func TestMetricsForOtherHostsAreAskedFor(t *testing.T) {
	agent := object[appsv1.DaemonSet](t, mustRender(t, "weft: {metrics: weft}"), "DaemonSet").Spec.Template.Spec.Containers[0]
	if want := []string{"--ip-masq", "--kube-subnet-mgr", "--healthz-port=8081", "--metrics=weft"}; !slices.Equal(agent.Args, want) {
		t.Errorf("arguments %q, want %q", agent.Args, want)
	}
}

func TestCNIConfig(t *testing.T) {
	for values, want := range map[string][]string{
		"":                  {`"type": "flannel"`, `"type": "portmap"`, `"isDefaultGateway": true`},
		"weft: {cni: weft}": {`"type": "weft"`, `"type": "portmap"`},
		`flannel: {cniConf: '{"name": "a", "plugins": [{"type": "b"}]}'}`: {`[{"type": "b"}]`},
	} {
		_, conf := configs(t, mustRender(t, values))
		for _, text := range want {
			if !strings.Contains(string(conf), text) {
				t.Errorf("%q: no %s in\n%s", values, text, conf)
			}
		}
	}
	install := func(values string) []string {
		return object[appsv1.DaemonSet](t, mustRender(t, values), "DaemonSet").Spec.Template.Spec.InitContainers[0].Args
	}
	const config = "--config=/etc/kube-flannel/cni-conf.json"
	if !slices.Contains(install(""), config) || slices.Contains(install("flannel: {skipCNIConfigInstallation: true}"), config) {
		t.Error("skipCNIConfigInstallation does not decide whether the config is installed")
	}
}

// TestNewCNIConfigReplacesPods holds that pods are made anew for a config that
// init containers install, and not for one that agents follow.
func TestNewCNIConfigReplacesPods(t *testing.T) {
	pods := func(values string) string {
		return strings.SplitAfter(mustRender(t, values), "kind: DaemonSet")[1]
	}
	before := pods("")
	if pods("weft: {cni: weft}") == before {
		t.Error("another CNI config leaves the pods as they are")
	}
	if pods("flannel: {backend: host-gw}") != before {
		t.Error("another backend restarts the agents")
	}
}

func TestValuesThatCannotBeHadAreRefused(t *testing.T) {
	dir := t.TempDir()
	for values, want := range map[string]string{
		"flannel: {backend: ipsec}":                     "weft does not support the backend \"ipsec\"",
		"flannel: {backend: udp}":                       "weft does not support the backend \"udp\"",
		"flannel: {backend: \"\"}":                      "set vxlan, wireguard, or host-gw",
		"flannel: {directRoutign: true}":                "'directRoutign' not allowed",
		"flannel: {vni: 16777216}":                      "/flannel/vni",
		"flannel: {directRouting: \"yes\"}":             "/flannel/directRouting",
		"flannel: {cniBinDir: opt}":                     "/flannel/cniBinDir",
		"podCidr: \"\"":                                 "one of them must be set",
		"podCidr: all":                                  "/podCidr",
		"netpol: {enabled: true}":                       "does not install kube-network-policies",
		"flannel: {cniConf: '['}":                       "not a JSON object",
		"flannel: {cniConf: '{\"type\": \"flannel\"}'}": "not a CNI config list",
		"weft: {cni: bridge}":                           "/weft/cni",
	} {
		if _, err := render(t.Context(), dir, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", values, err, want)
		}
	}
}
