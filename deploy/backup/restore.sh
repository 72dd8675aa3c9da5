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

(cd "$backup" && sha256sum --check --quiet SHA256SUMS)
if [ "$(ask "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()")" != 0 ]; then
	echo "restore: the database has tables already: make an empty one" >&2
	exit 1
fi
if [ -f "$backup/storage.tar" ]; then
	: "${STORAGE:?the backup has files: which folder is the storage?}"
	mkdir -p "$STORAGE"
	if [ -n "$(ls -A "$STORAGE")" ]; then
		echo "restore: $STORAGE is not empty" >&2
		exit 1
	fi
	tar --extract --file="$backup/storage.tar" --directory="$STORAGE"
fi
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges \
	--dbname="${PGDATABASE:-postgres}" "$backup/database.dump"
# They were paused while they were copied. Workers of the other machine are not missed here; nothing ran then.
ask "DELETE FROM queue_pause WHERE reason ~ '^backup [0-9]{8}T[0-9]{6}Z$'"
ask "DELETE FROM worker"
echo "restore: done; \`lexiclass-worker db upgrade\` if the release is newer, then start the workers"
