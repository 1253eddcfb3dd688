{{- /*
The settings file. What a text may be is in files/settings.json, which is made from the operator's own table: a message
of it says more than a pattern of a JSON schema would.
*/ -}}
{{- define "vault-injection-operator.settings" -}}
{{- $rules := .Files.Get "files/settings.json" | fromJson -}}
{{- range $name, $value := .Values.settings -}}
{{- $rule := get $rules $name | default dict -}}
{{- with $rule.instead -}}
{{- fail (printf "settings.%s is set by the chart: write %s" $name .) -}}
{{- end -}}
{{- if and $rule.pattern (kindIs "string" $value) (not (regexMatch $rule.pattern $value)) -}}
{{- fail (printf "settings.%s: %q is not allowed; write %s" $name $value $rule.allowed) -}}
{{- end -}}
{{- end -}}
{{- toYaml .Values.settings -}}
{{- end -}}
