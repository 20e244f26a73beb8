{{/* The pod that runs the agent. */}}
{{- define "weft.agents" -}}
initContainers:
  - name: install-cni
    image: {{ include "weft.image" . }}
    imagePullPolicy: {{ .Values.weft.image.pullPolicy }}
    command: [/weft, cni, install]
    args:
      - --bin-dir={{ .Values.flannel.cniBinDir }}
      - --conf-dir={{ .Values.flannel.cniConfDir }}
      {{- if not .Values.flannel.skipCNIConfigInstallation }}
      - --config=/etc/kube-flannel/cni-conf.json
      {{- end }}
    securityContext:
      {{- include "weft.onlyFiles" . | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/kube-flannel, readOnly: true}
      - {name: state, mountPath: /var/lib/weft}
      {{- include "weft.cniMounts" . | nindent 6 }}
containers:
  - name: weft
    image: {{ include "weft.image" . }}
    imagePullPolicy: {{ .Values.weft.image.pullPolicy }}
    command: [/weft, up]
    args:
      {{- range .Values.flannel.args }}
      - {{ regexReplaceAll "^-([^-])" . "--${1}" | quote }}
      {{- end }}
      {{- with .Values.flannel.healthz.port }}
      - --healthz-port={{ int . }}
      {{- end }}
      {{- if ne .Values.weft.metrics "local" }}
      - --metrics={{ .Values.weft.metrics }}
      {{- end }}
    env:
      - name: NODE_NAME
        valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    {{- with .Values.flannel.healthz }}
    {{- if .port }}
    ports:
      - {name: healthz, containerPort: {{ int .port }}, protocol: TCP}
    livenessProbe:
      httpGet: {path: /healthz, port: healthz}
      {{- with .livenessProbe }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    readinessProbe:
      httpGet: {path: /readyz, port: healthz}
      {{- with .readinessProbe }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with .Values.flannel.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext:
      {{- include "weft.onlyNetwork" . | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/kube-flannel, readOnly: true}
      - {name: state, mountPath: /var/lib/weft}
      - {name: run, mountPath: /run/weft}
      - {name: subnet-file, mountPath: /run/flannel}
      - {name: proc-sys-net, mountPath: /host/proc/sys/net}
      {{- if eq .Values.weft.fastPath "auto" }}
      - {name: bpf, mountPath: /host/sys/fs/bpf}
      {{- end }}
{{- end }}
