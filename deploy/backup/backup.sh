#!/bin/sh
# Copies PostgreSQL and the storage as they belong together: backup.sh FOLDER
#
# Queues are paused until both are copied, and what runs comes to its end first: rows name files, and
# files of a later time than the rows would be those of no version that the rows know. Redis is not
# copied: what waits is in PostgreSQL, and is sent again.
#
# Needs psql and pg_dump, which read PGHOST, PGUSER, PGDATABASE, PGPASSWORD or PGPASSWORD_FILE.
#   STORAGE       the storage's folder; empty where an object store keeps versions of its own
#   KEEP          backups to keep, the newest; all if empty
#   WAIT_S        longest wait for what runs, 3600 s; then nothing is copied and the status is 1
#   PAUSED_QUEUES those that are paused, all by default
set -eu

folder=${1:?where to? backup.sh FOLDER}
: "${STORAGE=}" "${KEEP=}" "${WAIT_S=3600}" "${PAUSED_QUEUES=indexing training prediction bulk}"
if [ -n "${PGPASSWORD_FILE-}" ]; then
	PGPASSWORD=$(cat "$PGPASSWORD_FILE")
	export PGPASSWORD
fi

name=$(date -u +%Y%m%dT%H%M%SZ)
making=$folder/.incomplete-$name
reason="backup $name"
child=

ask() {
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --command="$1"
}

# A shell heeds a signal when the command it waits for has ended, which may be hours later: what takes long
# is waited for by `wait`, which a signal ends.
run() {
	"$@" &
	child=$!
	wait "$child"
	child=
}

sums() {
	cd "$making" && sha256sum -- * > SHA256SUMS && sync
}

end() {
	status=$?
	trap - EXIT
	if [ -n "$child" ]; then
		kill "$child" 2> /dev/null || true
		wait "$child" || true
	fi
	ask "DELETE FROM queue_pause WHERE reason = '$reason'" || echo "backup: resume the queues yourself" >&2
	rm -rf "$making"
	exit $status
}

umask 077
mkdir -p "$making"
# What one that was killed has left.
find "$folder" -maxdepth 1 -name '.incomplete-*' -mmin +1440 -exec rm -rf '{}' +
trap end EXIT
trap 'exit 143' INT TERM HUP

# Those that somebody else has paused stay as they are. A backup that was killed has left its own.
ask "DELETE FROM queue_pause WHERE reason ~ '^backup [0-9]{8}T[0-9]{6}Z$'"
for queue in $PAUSED_QUEUES; do
	ask "INSERT INTO queue_pause (queue, reason) VALUES ('$queue', '$reason') ON CONFLICT DO NOTHING"
done
# Workers look at it twice a second.
run sleep 2
waited=0
while [ "$(ask "SELECT coalesce(sum(running), 0) FROM queue_load")" != 0 ]; do
	if [ "$waited" -ge "$WAIT_S" ]; then
		echo "backup: tasks still run after $WAIT_S s: nothing is copied; set WAIT_S for longer ones" >&2
		exit 1
	fi
	run sleep 1
	waited=$((waited + 1))
done

run pg_dump --format=custom --file="$making/database.dump"
if [ -n "$STORAGE" ]; then
	# Work in progress is nobody's when it is restored.
	run tar --create --file="$making/storage.tar" --directory="$STORAGE" --exclude=./.scratch .
fi
run sums
mv "$making" "$folder/$name"
echo "backup: $folder/$name, queues were paused for $((waited + 2)) s before it was copied"

if [ -n "$KEEP" ]; then
	# Names are times.
	ls -1 "$folder" | grep -E '^[0-9]{8}T[0-9]{6}Z$' | sort -r | tail -n "+$((KEEP + 1))" |
		while read -r old; do rm -rf "${folder:?}/$old"; done
fi
