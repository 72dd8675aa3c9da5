#!/bin/sh
# Restores what backup.sh has made into an empty database and an empty storage: restore.sh BACKUP
#
# Needs psql and pg_restore, which read PGHOST, PGUSER, PGDATABASE, PGPASSWORD or PGPASSWORD_FILE. No
# worker may run on either. STORAGE is the storage's folder; as root, files keep their owners.
set -eu

backup=${1:?from where? restore.sh BACKUP}
: "${STORAGE=}"
if [ -n "${PGPASSWORD_FILE-}" ]; then
	PGPASSWORD=$(cat "$PGPASSWORD_FILE")
	export PGPASSWORD
fi

ask() {
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --command="$1"
}

fail() {
	echo "restore: $1" >&2
	exit 1
}

(cd "$backup" && sha256sum --check --quiet SHA256SUMS) || fail "the backup is damaged: nothing is restored"
content=$(pg_restore --list "$backup/database.dump") ||
	fail "this pg_restore cannot read the dump: take one of the version that made it, or a newer one"
# The one that is looked at is the one that is written to, however it was named.
database=$(ask "SELECT current_database()") || fail "PostgreSQL cannot be reached: nothing is restored"
tables=$(ask "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()")
if [ "$tables" != 0 ]; then
	fail "the database has tables already: make an empty one"
fi
case $content in
*" TABLE public "*)
	may=$(ask "SELECT has_schema_privilege(to_regnamespace('public'), 'CREATE')")
	if [ "$may" != t ]; then
		role=$(ask "SELECT quote_ident(current_user)")
		fail "$role may make no tables in $database: createdb --owner, or GRANT CREATE ON SCHEMA public TO $role"
	fi
	;;
esac
if [ -f "$backup/storage.tar" ]; then
	: "${STORAGE:?the backup has files: which folder is the storage?}"
	mkdir -p "$STORAGE"
	# Where it is a disk, its file system has made lost+found.
	if [ -n "$(ls -A "$STORAGE" | grep -vxF lost+found)" ]; then
		fail "$STORAGE is not empty"
	fi
	touch "$STORAGE/.restore" && rm "$STORAGE/.restore" || fail "$STORAGE cannot be written: nothing is restored"
fi
# All of it or nothing, so it comes first: what has failed can be done again.
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges \
	--dbname="$database" "$backup/database.dump" || fail "nothing is restored"
if [ -f "$backup/storage.tar" ]; then
	tar --extract --file="$backup/storage.tar" --directory="$STORAGE" ||
		fail "the storage is not complete: empty it and the database, and begin again"
fi
# A backup has no row of its own, for that comes after the dump: which it was is told by what it had paused,
# or where somebody else had paused all, by the name of its folder.
made=$(ask "SELECT max(substr(reason, 8)) FROM queue_pause WHERE reason ~ '^backup [0-9]{8}T[0-9]{6}Z$'")
if [ -z "$made" ]; then
	made=$(cd "$backup" && basename "$(pwd)" | grep -oE '[0-9]{8}T[0-9]{6}Z' | tail -n 1)
fi
# Tables of an older release have no place for it.
if [ -n "$made" ] && [ -n "$(ask "SELECT to_regclass('backup')")" ]; then
	ask "INSERT INTO backup (name, created_at) VALUES ('$made', '$made')"
fi
# They were paused while they were copied. Workers of the other machine are not missed here; nothing ran then.
ask "DELETE FROM queue_pause WHERE reason ~ '^backup [0-9]{8}T[0-9]{6}Z$'"
ask "DELETE FROM worker"
echo "restore: done; \`lexiclass-worker db upgrade\` if the release is newer, then start the workers"
