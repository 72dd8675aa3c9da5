{{- define "lexiclass.name" -}}
{{- printf "%s-lexiclass" .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "lexiclass.labels" -}}
app.kubernetes.io/name: lexiclass-worker
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lexiclass.allLabels" -}}
{{ include "lexiclass.labels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "lexiclass.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* How many tasks of a group could run or run: what KEDA divides by the tasks of a pod. */}}
{{- define "lexiclass.query" -}}
SELECT sum(load) FROM queue_load WHERE queue IN ('{{ join "', '" .queues }}')
{{- end }}

{{/*
The specification of a pod. Of the context: root, component, args, resources, and what differs:
restartPolicy, serviceAccount, probes (worker, console, none), environment.
*/}}
{{- define "lexiclass.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- with $values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: false
# Variables of services in the namespace could be taken for settings.
enableServiceLinks: false
restartPolicy: {{ .restartPolicy | default "Always" }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
securityContext: {{ toYaml $values.podSecurityContext | nindent 2 }}
containers:
  - name: {{ .component }}
    image: {{ include "lexiclass.image" $root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ toYaml .args | nindent 6 }}
    env:
      - {name: DATABASE_URI_FILE, value: /run/secrets/lexiclass/database_uri}
      - {name: DRAMATIQ__BROKER_URL_FILE, value: /run/secrets/lexiclass/broker_url}
      {{- if $values.secret.signMessages }}
      - {name: DRAMATIQ__SIGNING_KEYS_FILE, value: /run/secrets/lexiclass/message_keys}
      {{- end }}
      {{- if $values.secret.signFiles }}
      - {name: STORAGE__SIGNING_KEYS_FILE, value: /run/secrets/lexiclass/storage_keys}
      {{- end }}
      - {name: STORAGE__BASE_PATH, value: {{ $values.storage.basePath | quote }}}
      - {name: STORAGE__CACHE_DIRECTORY, value: /tmp/cache}
      {{- range $name, $value := .environment }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- range $name, $value := $values.settings }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
    {{- with $values.storage.credentialsSecret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    {{- if eq .probes "worker" }}
    ports:
      - {name: metrics, containerPort: 9191}
    startupProbe:
      httpGet: {path: /healthz, port: metrics}
      periodSeconds: 2
      timeoutSeconds: 5
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /healthz, port: metrics}
      periodSeconds: 15
      timeoutSeconds: 5
      failureThreshold: 4
    # Whether tasks could run: a server that is down ends no pod.
    readinessProbe:
      httpGet: {path: /readyz, port: metrics}
      periodSeconds: 15
      timeoutSeconds: 10
      failureThreshold: 2
    {{- else if eq .probes "console" }}
    ports:
      - {name: http, containerPort: 8080}
    readinessProbe:
      httpGet:
        path: /login
        port: http
        httpHeaders:
          - {name: Host, value: {{ first $values.console.allowedHosts }}}
      periodSeconds: 10
      timeoutSeconds: 5
    livenessProbe:
      tcpSocket: {port: http}
      periodSeconds: 15
    {{- end }}
    resources: {{ toYaml .resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    volumeMounts:
      - {name: secrets, mountPath: /run/secrets/lexiclass, readOnly: true}
      - {name: temporary, mountPath: /tmp}
      - {name: shared-memory, mountPath: /dev/shm}
      {{- if $values.storage.volume.enabled }}
      - {name: storage, mountPath: /data}
      {{- end }}
volumes:
  - name: secrets
    secret:
      secretName: {{ $values.secret.name }}
      defaultMode: 288
  - name: temporary
    emptyDir: {sizeLimit: {{ $values.temporary.size }}}
  - name: shared-memory
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  {{- if $values.storage.volume.enabled }}
  - name: storage
    persistentVolumeClaim:
      claimName: {{ $values.storage.volume.existingClaim | default (printf "%s-storage" (include "lexiclass.name" $root)) }}
  {{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
