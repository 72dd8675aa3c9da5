{{- define "lexiclass.name" -}}
{{- /* A Service's name has no dot and begins with a letter; a release's may have one, and a digit. */}}
{{- $name := printf "%s-lexiclass" (replace "." "-" .Release.Name) }}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "lexiclass-%s" (replace "." "-" .Release.Name) }}{{ end }}
{{- $name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "lexiclass.labels" -}}
app.kubernetes.io/name: lexiclass-worker
app.kubernetes.io/instance: {{ .Release.Name | quote }}
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

{{/* A setting as text: Helm has numbers as floating-point ones, which it writes as 8.589934592e+09. */}}
{{- define "lexiclass.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Half of the volume of temporary files: the other is for work in progress. */}}
{{- define "lexiclass.cacheBytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- div (mul (regexFind "^[0-9]+" .Values.temporary.size) (get $units (regexFind "[A-Za-z]*$" .Values.temporary.size))) 2 }}
{{- end }}

{{/* The cores that a container asks for, rounded up: 1500m are 2. */}}
{{- define "lexiclass.cores" -}}
{{- $cpu := toString . }}
{{- if hasSuffix "m" $cpu }}{{ div (add (trimSuffix "m" $cpu) 999) 1000 }}{{ else }}{{ $cpu | float64 | ceil | int }}{{ end }}
{{- end }}

{{/* Values that render, and that no pod could work with. */}}
{{- define "lexiclass.checks" -}}
{{- $path := trimPrefix "file://" .Values.storage.basePath }}
{{- if not (contains "://" $path) }}
{{- if not .Values.storage.volume.enabled }}
{{- fail "storage.basePath is a folder, which needs storage.volume.enabled: a pod's own files cannot be written" }}
{{- end }}
{{- if not (regexMatch "^/data(/|$)" $path) }}
{{- fail "storage.basePath has to be /data or below it, where the volume is mounted" }}
{{- end }}
{{- end }}
{{- range $group, $worker := .Values.workers }}
{{- with $worker.autoscaling }}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) }}
{{- fail (printf "workers.%s.autoscaling: minReplicas is above maxReplicas" $group) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* How many tasks of a group could run or run: what KEDA divides by the tasks of a pod. */}}
{{- define "lexiclass.query" -}}
SELECT sum(load) FROM queue_load WHERE queue IN ('{{ join "', '" .queues }}')
{{- end }}

{{/*
The specification of a pod. Of the context: root, component, args, resources, and what differs:
restartPolicy, serviceAccount, probes (worker, console, none), environment, threads of a worker.
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
      {{- /* Tables are made without Redis: another Secret needs the database alone. */}}
      {{- if ne .component "migrate" }}
      - {name: DRAMATIQ__BROKER_URL_FILE, value: /run/secrets/lexiclass/broker_url}
      {{- if $values.secret.signMessages }}
      - {name: DRAMATIQ__SIGNING_KEYS_FILE, value: /run/secrets/lexiclass/message_keys}
      {{- end }}
      {{- if $values.secret.signFiles }}
      - {name: STORAGE__SIGNING_KEYS_FILE, value: /run/secrets/lexiclass/storage_keys}
      {{- end }}
      {{- end }}
      - {name: STORAGE__BASE_PATH, value: {{ $values.storage.basePath | quote }}}
      - {name: STORAGE__CACHE_DIRECTORY, value: /tmp/cache}
      - {name: METRICS__HOST, value: {{ $values.listen | quote }}}
      {{- if not (hasKey $values.settings "STORAGE__CACHE_BYTES") }}
      # Kubernetes evicts a pod whose volume takes more than it may, with what it runs.
      - {name: STORAGE__CACHE_BYTES, value: {{ include "lexiclass.cacheBytes" $root | quote }}}
      {{- end }}
      {{- /* Without a limit a container sees all cores of its node, and would start a process on each. */}}
      {{- $requests := .resources.requests | default dict }}
      {{- $limits := .resources.limits | default dict }}
      {{- if and .threads $requests.cpu (not $limits.cpu) }}
      {{- $cores := include "lexiclass.cores" $requests.cpu | int }}
      {{- if not (hasKey $values.settings "SANDBOX__PROCESSES") }}
      - {name: SANDBOX__PROCESSES, value: {{ $cores | quote }}}
      {{- end }}
      {{- if not (hasKey $values.settings "SANDBOX__NATIVE_THREADS") }}
      - {name: SANDBOX__NATIVE_THREADS, value: {{ max 1 (div $cores .threads) | quote }}}
      {{- end }}
      {{- end }}
      {{- range $name, $value := .environment }}
      {{- if not (hasKey $values.settings $name) }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- end }}
      {{- range $name, $value := $values.settings }}
      - {name: {{ $name | quote }}, value: {{ include "lexiclass.text" $value | quote }}}
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
      # It answers once the libraries are loaded, from a disk that others read too.
      failureThreshold: 150
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
          - {name: Host, value: {{ first $values.console.allowedHosts | replace "*" "localhost" | quote }}}
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
      secretName: {{ .secretName | default $values.secret.name }}
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
