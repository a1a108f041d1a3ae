{{- define "voicegw.labels" -}}
app.kubernetes.io/name: voicegw
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "voicegw.written" -}}
sip:
  listen_port: {{ .Values.sip.port }}
  advertised_ip: {{ .Values.sip.advertisedIp | quote }}
media:
  port_low: {{ .Values.media.portLow }}
  port_high: {{ .Values.media.portHigh }}
api:
  listen_host: 0.0.0.0
  listen_port: {{ .Values.api.port }}
  behind_tls_proxy: true
  {{- if .Values.keySecret }}
  key_file: /run/secrets/voicegw/voicegw_key
  {{- end }}
  {{- if not .Values.keySecret }}
  key_file: /data/secrets.key
  {{- end }}
cluster:
  host_env: VOICEGW_POD_IP
limits:
  max_calls: {{ .Values.limits.maxCalls }}
  drain_s: 30
drain:
  deadline_s: {{ .Values.drain.deadlineSeconds }}
paths:
  trunks: /etc/voicegw/trunks
  {{- if .Values.agents }}
  agents: /etc/voicegw/agents
  {{- end }}
  {{- if .Values.dialplan }}
  dialplan: /etc/voicegw/files/dialplan.yaml
  {{- end }}
  recordings: /data/recordings
  cache: /data/cache
  tools: /data/tools.sqlite
  models: /data/models
  control: /data/control.sock
log:
  format: json
store:
  url: sqlite:////data/voicegw.sqlite
  spool: /data/spool
{{- end -}}
