{{- define "weft.labels" -}}
app.kubernetes.io/name: weft
{{- end }}

{{/* Labels and annotations of an object: the chart's, and after the first argument what values say, the last
winning. The label that the DaemonSet finds its pods by is nobody else's. */}}
{{- define "weft.metadata" -}}
{{- $labels := dict }}
{{- $annotations := dict }}
{{- $global := (first .).Values.global }}
{{- range prepend (rest .) (dict "labels" $global.commonLabels "annotations" $global.commonAnnotations) }}
{{- $labels = mergeOverwrite $labels (deepCopy (.labels | default dict)) }}
{{- $annotations = mergeOverwrite $annotations (deepCopy (.annotations | default dict)) }}
{{- end -}}
labels:
  {{- mergeOverwrite $labels (include "weft.labels" . | fromYaml) | toYaml | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "weft.image" -}}
{{ printf "%s%s:%s" (.Values.weft.image.registry | empty | ternary "" (printf "%s/" .Values.weft.image.registry)) .Values.weft.image.repository (.Values.weft.image.tag | default .Chart.AppVersion) | quote }}
{{- end }}

{{/* What is asked for and cannot be had ends the installation: a network that is not as wanted is worse than none. */}}
{{- define "weft.check" -}}
{{- $backends := list "vxlan" "host-gw" "wireguard" }}
{{- if not (has .Values.flannel.backend $backends) }}
{{- fail (printf "flannel.backend: weft does not support the backend %q; set vxlan, wireguard, or host-gw where all nodes share one segment" .Values.flannel.backend) }}
{{- end }}
{{- if not (or .Values.podCidr .Values.podCidrv6) }}
{{- fail "podCidr, podCidrv6: one of them must be set, as in the controller manager's --cluster-cidr" }}
{{- end }}
{{- if .Values.netpol.enabled }}
{{- fail "netpol.enabled: this chart does not install kube-network-policies; install it separately, it works with weft" }}
{{- end }}
{{- if .Values.flannel.cniConf }}
{{- $conf := fromJson .Values.flannel.cniConf }}
{{- with $conf.Error }}
{{- fail (printf "flannel.cniConf: not a JSON object: %s" .) }}
{{- end }}
{{- if not (and $conf.name $conf.plugins) }}
{{- fail "flannel.cniConf: not a CNI config list: it needs a name and plugins" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The network config: a dict, so that every value is quoted as JSON wants it. */}}
{{- define "weft.netConf" -}}
{{- $backend := dict "Type" .Values.flannel.backend }}
{{- if eq .Values.flannel.backend "vxlan" }}
{{- $keys := dict "Port" "backendPort" "MTU" "mtu" "VNI" "vni" "GBP" "GBP" "DirectRouting" "directRouting" }}
{{- range $key, $value := $keys }}
{{- with index $.Values.flannel $value }}
{{- $_ := set $backend $key (kindIs "bool" . | ternary . (int64 .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .Values.flannel.backend "wireguard" }}
{{- $keys := dict "ListenPort" "backendPort" "ListenPortV6" "backendPortv6" "MTU" "mtu" "PersistentKeepaliveInterval" "keepaliveInterval" "Mode" "tunnelMode" "PSK" "psk" }}
{{- range $key, $value := $keys }}
{{- with index $.Values.flannel $value }}
{{- $_ := set $backend $key (kindIs "string" . | ternary . (int64 .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- $net := dict "Backend" $backend }}
{{- if .Values.podCidr }}
{{- $_ := set $net "Network" .Values.podCidr }}
{{- else }}
{{- $_ := set $net "EnableIPv4" false }}
{{- end }}
{{- if .Values.podCidrv6 }}
{{- $_ := set $net "EnableIPv6" true }}
{{- $_ := set $net "IPv6Network" .Values.podCidrv6 }}
{{- end }}
{{- if .Values.flannel.enableNFTables }}
{{- $_ := set $net "EnableNFTables" true }}
{{- end }}
{{- if eq .Values.weft.fastPath "auto" }}
{{- $_ := set $net "FastPath" "auto" }}
{{- end }}
{{- mergeOverwrite $net (deepCopy .Values.weft.network) | toPrettyJson }}
{{- end }}

{{- define "weft.cniConf" -}}
{{- if .Values.flannel.cniConf -}}
{{ .Values.flannel.cniConf | trim }}
{{- else if eq .Values.weft.cni "weft" -}}
{
  "name": "weft",
  "cniVersion": "1.0.0",
  "plugins": [
    {
      "type": "weft"
    },
    {
      "type": "portmap",
      "capabilities": {"portMappings": true}
    }
  ]
}
{{- else -}}
{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {
      "type": "flannel",
      "delegate": {
        "hairpinMode": true,
        "isDefaultGateway": true
      }
    },
    {
      "type": "portmap",
      "capabilities": {"portMappings": true}
    }
  ]
}
{{- end }}
{{- end }}

{{/* Directories have one path in the container and on the node, so that what is recorded holds for both. */}}
{{- define "weft.cniMounts" -}}
- {name: cni-bin, mountPath: {{ .Values.flannel.cniBinDir | quote }}}
- {name: cni-conf, mountPath: {{ .Values.flannel.cniConfDir | quote }}}
{{- end }}

{{/* What a container may do that only writes files. */}}
{{- define "weft.onlyFiles" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- with .Values.weft.installCapabilities }}
  add: {{ toJson . }}
{{- end }}
{{- end }}

{{/* What a container may do that changes the node's network. */}}
{{- define "weft.onlyNetwork" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- if eq .Values.weft.fastPath "auto" }}
  add: [NET_ADMIN, NET_RAW, BPF, PERFMON]
  {{- else }}
  add: [NET_ADMIN, NET_RAW]
  {{- end }}
{{- end }}
