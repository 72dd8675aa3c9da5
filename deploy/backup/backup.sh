#!/bin/sh
# Copies PostgreSQL and the storage as they belong together: backup.sh FOLDER
#
# Queues are paused until both are copied, and what runs comes to its end first: rows name files, and
# files of a later time than the rows would be those of no version that the rows know. Redis is not
# copied: what waits is in PostgreSQL, and is sent again. One backup is made at a time.
#
# Needs psql and pg_dump, which read PGHOST, PGUSER, PGDATABASE, PGPASSWORD or PGPASSWORD_FILE.
#   STORAGE       the storage's folder; empty where an object store keeps versions of its own
#   KEEP          backups to keep, the newest; all if empty
#   WAIT_S        longest wait for what runs, 3600 s; then nothing is copied and the status is 75
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
key="hashtextextended('lexiclass backup', 0)"
holders="FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted
	AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = $key"
child= holder=

session() {
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 "$@"
}

ask() {
	session --command="$1"
}

fail() {
	echo "backup: $1" >&2
	exit 1
}

# What the backup cannot be made without.
asked() {
	ask "$1" || fail "PostgreSQL could not be asked: nothing is kept"
}

# Two at once would let go on what the other has paused. A session of PostgreSQL has the lock; it ends with
# this script, however that ends, for then nobody holds the other end of what it reads.
lock() {
	mkfifo "$room/in" "$room/out"
	PGAPPNAME="lexiclass $reason on $(uname -n)" session \
		--command="SELECT CASE WHEN pg_try_advisory_lock($key) THEN pg_backend_pid() ELSE 0 END" --file=- \
		< "$room/in" > "$room/out" &
	exec 3> "$room/in"
	read -r holder < "$room/out" || fail "PostgreSQL cannot be reached: nothing is copied"
	if [ "$holder" = 0 ]; then
		holder=
		fail "another is being made, and nothing is copied: $(ask "SELECT concat_ws(', ', application_name,
			'from ' || host(client_addr), 'since ' || date_trunc('second', backend_start)) $holders")"
	fi
}

# Which rows pause the queues: one that was resumed and paused again has another.
pauses() {
	asked "SELECT string_agg(queue || ' ' || id, ', ' ORDER BY queue) FROM queue_pause
		WHERE queue = ANY (string_to_array('$PAUSED_QUEUES', ' '))"
}

# A shell heeds a signal when the command it waits for has ended, which may be hours later: what takes long
# is waited for by `wait`, which a signal ends.
run() {
	"$@" 3>&- &
	child=$!
	ended=0
	wait "$child" || ended=$?
	child=
	return $ended
}

# GNU tar ends with 1 where files came, went or changed while it read. No row knows these: nothing runs that
# would change what rows know. Of others 1 is any error.
only_differs() {
	[ "$1" = 1 ] && tar --version | grep -q 'GNU tar'
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
	if [ -n "$holder" ]; then
		ask "DELETE FROM queue_pause WHERE reason = '$reason'" || echo "backup: resume the queues yourself" >&2
		rm -rf "$making"
	fi
	rm -rf "$room"
	exit $status
}

umask 077
mkdir -p "$folder"
room=$(mktemp -d)
trap end EXIT
trap 'exit 143' INT TERM HUP
lock
mkdir "$making"
# What one that was killed has left.
find "$folder" -maxdepth 1 -name '.incomplete-*' -mmin +1440 -exec rm -rf '{}' +

# Those that somebody else has paused stay as they are. A backup that was killed has left its own.
asked "DELETE FROM queue_pause WHERE reason ~ '^backup [0-9]{8}T[0-9]{6}Z$'"
for queue in $PAUSED_QUEUES; do
	asked "INSERT INTO queue_pause (queue, reason) VALUES ('$queue', '$reason') ON CONFLICT DO NOTHING"
done
paused=$(pauses)
# Workers look at it twice a second.
run sleep 2
waited=0
# A task that writes for longer than its lease lasts has a lapsed one, and its row locked.
taken="FROM task WHERE status = 'started' AND lease_owner IS NOT NULL"
busy="SELECT (SELECT coalesce(sum(running), 0) FROM queue_load) + (SELECT count(*) $taken)
	- (SELECT count(*) FROM (SELECT $taken FOR SHARE SKIP LOCKED) AS free)"
while running=$(asked "$busy") || exit 1; [ "$running" != 0 ]; do
	if [ "$waited" -ge "$WAIT_S" ]; then
		echo "backup: tasks still run after $WAIT_S s: nothing is copied; set WAIT_S for longer ones" >&2
		exit 75
	fi
	run sleep 1
	waited=$((waited + 1))
done

run pg_dump --format=custom --file="$making/database.dump" ||
	fail "the database could not be copied: nothing is kept"
if [ -n "$STORAGE" ]; then
	# Work in progress is nobody's when it is restored. The others come and go when somebody asks whether
	# the workers are ready. lost+found is the file system's own where the storage is a disk, and root's.
	run tar --create --file="$making/storage.tar" --directory="$STORAGE" --exclude=./.scratch \
		--exclude='./.lexiclass-check-*' --exclude=./lost+found . || only_differs $? ||
		fail "the storage could not be copied: nothing is kept"
fi
run sums || fail "the checksums could not be written: nothing is kept"
paused_still=$(pauses)
if [ "$paused_still" != "$paused" ]; then
	fail "queues were resumed while they were copied, so rows and files may not belong together: nothing is kept"
fi
holder_still=$(asked "SELECT pid $holders")
if [ "$holder_still" != "$holder" ]; then
	fail "the connection to PostgreSQL was lost, so another may have resumed the queues: nothing is kept"
fi
mv "$making" "$folder/$name"
# What an alert looks at: https://prometheus.io/docs/practices/alerting/ asks for the last success.
ask "INSERT INTO backup (name) VALUES ('$name')" ||
	echo "backup: it is made, but PostgreSQL has no note of it, so alerts take it for missing" >&2
echo "backup: $folder/$name, queues were paused for $((waited + 2)) s before it was copied"

if [ -n "$KEEP" ]; then
	# Names are times.
	ls -1 "$folder" | grep -E '^[0-9]{8}T[0-9]{6}Z$' | sort -r | tail -n "+$((KEEP + 1))" |
		while read -r old; do rm -rf "${folder:?}/$old"; done
fi
