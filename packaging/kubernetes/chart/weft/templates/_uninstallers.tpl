{{/* The pod that takes weft off a node and then waits, so that the DaemonSet counts it. It starts
when the agent's pod has ended. */}}
{{- define "weft.uninstallers" -}}
initContainers:
  - name: uninstall-cni
    image: {{ include "weft.image" . }}
    imagePullPolicy: {{ .Values.weft.image.pullPolicy }}
    command: [/weft, cni, uninstall]
    securityContext:
      {{- include "weft.onlyFiles" . | nindent 6 }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/weft}
      {{- include "weft.cniMounts" . | nindent 6 }}
  - name: clean
    image: {{ include "weft.image" . }}
    imagePullPolicy: {{ .Values.weft.image.pullPolicy }}
    command: [/weft, clean]
    securityContext:
      {{- include "weft.onlyNetwork" . | nindent 6 }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/weft}
      - {name: run, mountPath: /run/weft}
      - {name: subnet-file, mountPath: /run/flannel}
      - {name: proc-sys-net, mountPath: /host/proc/sys/net} # whose parameters it puts back
containers:
  - name: done
    image: {{ include "weft.image" . }}
    imagePullPolicy: {{ .Values.weft.image.pullPolicy }}
    command: [/weft, cni, uninstall, --hold]
    securityContext:
      {{- include "weft.onlyFiles" . | nindent 6 }}
    volumeMounts:
      - {name: state, mountPath: /var/lib/weft}
{{- end }}
