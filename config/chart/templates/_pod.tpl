{{- /* What the pods of the operator and of its removal (uninstall.yaml) have in common. */ -}}

{{- define "vault-injection-operator.podSettings" -}}
serviceAccountName: {{ include "vault-injection-operator.serviceAccountName" . }}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.hostNetwork }}
hostNetwork: true
# so that names of the cluster, such as that of a Vault, are still found
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: settings
    configMap:
      name: {{ include "vault-injection-operator.fullname" . }}-settings
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "vault-injection-operator.containerSettings" -}}
image: {{ include "vault-injection-operator.image" (dict "image" .Values.image "version" .Chart.AppVersion) }}
{{- with .Values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
env:
  - name: VAULT_INJECTION_CONFIG
    value: /etc/vault-injection-operator/settings.yaml
  - name: VAULT_INJECTION_INJECTOR_IMAGE
    value: {{ include "vault-injection-operator.image" (dict "image" .Values.injector.image "version" .Chart.AppVersion) }}
  - name: VAULT_INJECTION_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: VAULT_INJECTION_VAULT_SERVICE_ACCOUNT
    value: {{ include "vault-injection-operator.vaultServiceAccountName" . }}
  - name: VAULT_INJECTION_WEBHOOK_SERVICE
    value: {{ include "vault-injection-operator.fullname" . }}
  - name: VAULT_INJECTION_WEBHOOK_PORT
    value: {{ .Values.webhook.port | int | quote }}
  - name: VAULT_INJECTION_CLUSTER_ROLE
    value: {{ include "vault-injection-operator.fullname" . }}
  {{- if ne (int .Values.metrics.port) 8081 }}
  - name: VAULT_INJECTION_HEALTH_PORT
    value: {{ .Values.metrics.port | int | quote }}
  {{- end }}
  {{- with .Values.nodeOptions }}
  - name: NODE_OPTIONS
    value: {{ . | quote }}
  {{- end }}
  # glibc gives each V8 thread its own heap, and the memory that compiling used stays there: 20 MiB.
  - name: MALLOC_ARENA_MAX
    value: '2'
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: settings
    mountPath: /etc/vault-injection-operator
    readOnly: true
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
