{{- define "sluice.name" -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: sluice
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sluice.labels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The configuration; the probes need an address that is not the loopback's. */ -}}
{{- define "sluice.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if eq .Values.mode "follow" -}}
{{- $_ := set $config "http" (merge (dict "listen" "0.0.0.0:9464") (default dict $config.http)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}

{{- /* Annotations and labels of a pod.  A change of the configuration starts others. */ -}}
{{- define "sluice.meta" -}}
annotations:
  checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "sluice.labels" . | nindent 2 }}
{{- end }}

{{- define "sluice.pod" -}}
serviceAccountName: {{ include "sluice.name" . }}
# The token of IRSA is mounted by EKS itself; that of Kubernetes is for nothing.
automountServiceAccountToken: false
enableServiceLinks: false
# SIGTERM finishes or hands back what is held, however long the visibility timeout is.
terminationGracePeriodSeconds: 30
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  # Lets it read the key file, which is root's, with mode 0440.
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
containers:
  - name: sluice
    image: {{ printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) | quote }}
    args:
      - run
      - -c
      - /etc/sluice/sluice.yaml
      {{- if eq .Values.mode "drain" }}
      - --until-empty
      {{- end }}
    env:
      - name: QUEUE_URL
        value: {{ required "queue.url must be given" .Values.queue.url | quote }}
      {{- with .Values.queue.region }}
      - name: AWS_REGION
        value: {{ . | quote }}
      {{- end }}
      {{- if .Values.keys.secret }}
      - name: SLUICE_KEYS
        value: /run/sluice-keys/sluice.keys
      {{- end }}
    {{- with .Values.environment.secret }}
    envFrom:
      - secretRef: { name: {{ . }} }
    {{- end }}
    {{- if eq .Values.mode "follow" }}
    ports:
      - { name: http, containerPort: 9464 }
    # An outage of queue or database is waited out: it makes a pod unready, and restarts nothing.
    livenessProbe:
      httpGet: { path: /healthz, port: http }
      periodSeconds: 20
      failureThreshold: 3
      timeoutSeconds: 5
    readinessProbe:
      httpGet: { path: /readyz, port: http }
      periodSeconds: 10
      timeoutSeconds: 5
    {{- end }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
      - { name: config, mountPath: /etc/sluice, readOnly: true }
      {{- if .Values.keys.secret }}
      - { name: keys, mountPath: /run/sluice-keys, readOnly: true }
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "sluice.name" . }}
  {{- with .Values.keys.secret }}
  - name: keys
    secret:
      secretName: {{ . }}
      defaultMode: 0400
      items:
        - { key: sluice.keys, path: sluice.keys }
  {{- end }}
{{- end }}
