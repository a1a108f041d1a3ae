{{- define "voicegw.labels" -}}
app.kubernetes.io/name: voicegw
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
