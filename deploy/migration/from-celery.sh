#!/bin/sh
# Copies projects, fields, classes, documents and labels of the Celery worker, with their numbers, into
# the new tables and the new storage: docs/MIGRATING.md. The old ones are read, and stay as they are.
#
#   OLD, NEW               how psql connects: 'host=db dbname=lexiclass user=lexiclass'. Passwords belong
#                          into ~/.pgpass, for a command line can be read by all.
#   OLD_STORAGE, STORAGE   their folders; without OLD_STORAGE no file is copied.
set -eu

: "${OLD:?how is the old database reached? OLD='host=... dbname=... user=...'}"
: "${NEW:?how is the new database reached? NEW='host=... dbname=... user=...'}"
: "${OLD_STORAGE=}"
[ -z "$OLD_STORAGE" ] || : "${STORAGE:?which folder is the storage of the new workers?}"

old() {
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$OLD" "$@"
}

new() {
	psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1 --dbname="$NEW" "$@"
}

copied() { # table, its columns, and what of the old table becomes of them
	echo "COPY $1 ($2) FROM STDIN;"
	old --command="COPY (SELECT $3 FROM $1 ORDER BY id) TO STDOUT"
	printf '%s\n' '\.'
	# Numbers go on behind those that were copied.
	echo "SELECT setval(pg_get_serial_sequence('$1', 'id'), max(id)) FROM $1 HAVING max(id) IS NOT NULL;"
}

if [ "$(new --command="SELECT count(*) FROM project")" != 0 ]; then
	echo "from-celery: the new database has projects already: make an empty one, and lexiclass-worker db upgrade" >&2
	exit 1
fi

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
{
	copied project "id, name, description, config, status, created_at, updated_at" \
		"id, name, coalesce(description, ''), coalesce(config, '{}'),
		 CASE lower(status) WHEN 'archived' THEN 'archived' ELSE 'active' END, created_at, updated_at"
	copied document "id, project_id, metadata, created_at, updated_at" \
		"id, project_id, coalesce(metadata, '{}'), created_at, updated_at"
	copied field "id, project_id, name, description, created_at, updated_at" \
		"id, project_id, name, coalesce(description, ''), created_at, updated_at"
	copied field_class "id, field_id, name, created_at, updated_at" \
		"id, field_id, name, created_at, updated_at"
	copied document_label "id, document_id, field_id, class_id, is_training_data, created_at, updated_at" \
		"id, document_id, field_id, class_id, is_training_data, created_at, updated_at"
} > "$rows"
new --single-transaction --file="$rows" > /dev/null

if [ -n "$OLD_STORAGE" ]; then
	for project in $(new --command="SELECT id FROM project ORDER BY id"); do
		mkdir -p "$STORAGE/$project/documents"
		# The old worker read the first of these folders, the old API wrote to the second.
		for folder in "$OLD_STORAGE/$project/documents" "$OLD_STORAGE/documents/$project"; do
			if [ -d "$folder" ]; then
				find "$folder" -maxdepth 1 -type f -name '[0-9]*.txt' -exec cp -p -t "$STORAGE/$project/documents" '{}' +
			fi
		done
	done
fi
echo "from-celery: $(new --command="SELECT count(*) FROM project") projects," \
	"$(new --command="SELECT count(*) FROM document") documents," \
	"$(new --command="SELECT count(*) FROM document_label") labels"
