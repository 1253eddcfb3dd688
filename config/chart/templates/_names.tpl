{{- /* Names, labels and images that several templates share. */ -}}

{{- define "vault-injection-operator.fullname" -}}
{{- .Values.fullnameOverride | default "vault-injection-operator" -}}
{{- end -}}

{{- define "vault-injection-operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "vault-injection-operator.fullname" .) -}}
{{- end -}}

{{- define "vault-injection-operator.vaultServiceAccountName" -}}
{{- .Values.vaultServiceAccount.name | default (printf "%s-vault" (include "vault-injection-operator.fullname" .)) -}}
{{- end -}}

{{- /* What selects the operator's pods: as in config/operator, so that a Deployment from there can be taken over. */ -}}
{{- define "vault-injection-operator.selectorLabels" -}}
app.kubernetes.io/component: operator
app.kubernetes.io/name: vault-injection-operator
{{- end -}}

{{- /* Labels of every object, without the component. */ -}}
{{- define "vault-injection-operator.labels" -}}
{{- $own := dict
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/name" "vault-injection-operator"
  "app.kubernetes.io/part-of" "vault-injection-operator"
  "app.kubernetes.io/version" .Chart.AppVersion
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- $others := omit .Values.commonLabels "app.kubernetes.io/component" -}}
{{- toYaml (mergeOverwrite (deepCopy $others) $own) -}}
{{- end -}}

{{- /* An image by digest if there is one, else by tag. Takes the values of the image and the version of the chart. */ -}}
{{- define "vault-injection-operator.image" -}}
{{- $image := .image -}}
{{- if not (regexMatch "^(localhost|[^/]*[.:][^/]*)/" $image.repository) }}{{ with $image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ $image.tag | default .version }}
{{- end -}}
{{- end -}}

{{- /* Whether API servers know MutatingAdmissionPolicy in a stable API. Without a cluster, Helm only knows a version. */ -}}
{{- define "vault-injection-operator.marks" -}}
{{- $isKnown := or (.Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")
  (semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version) -}}
{{- if and .Values.guard.enabled .Values.guard.marks $isKnown }}true{{ end -}}
{{- end -}}

{{- /* The group and resource of each entry of settings.templates, as JSON. */ -}}
{{- define "vault-injection-operator.templates" -}}
{{- $presets := dict
  "ArgoRollout" (dict "group" "argoproj.io" "resource" "rollouts")
  "CloneSet" (dict "group" "apps.kruise.io" "resource" "clonesets")
  "KnativeService" (dict "group" "serving.knative.dev" "resource" "services")
-}}
{{- $all := list -}}
{{- range .Values.settings.templates -}}
{{- $all = append $all (kindIs "string" . | ternary (get $presets (toString .)) .) -}}
{{- end -}}
{{- toJson $all -}}
{{- end -}}
