# A Postgres server for tests, in a folder of its own, on a socket in it. Run as a user that may run Postgres:
#   sh -c "$(cat postgres.sh)" castmeter-postgres BIN
# Prints the folder; then obeys lines on standard input (start, stop, kill), printing "done" after each. When standard
# input ends, however the process behind it died, the server is stopped and the folder removed.
set -eu
bin=$1
# Not TMPDIR: a socket's path may have 107 bytes at most.
folder=$(mktemp -d /tmp/castmeter-postgres-XXXXXX)
cleanup() {
    "$bin/pg_ctl" stop -D "$folder/data" -m immediate >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' HUP INT PIPE TERM
cd "$folder"

"$bin/initdb" -D data -U postgres -A trust -E UTF8 --no-locale --no-sync >log 2>&1 || { cat log >&2; exit 1; }
cat >>data/postgresql.conf <<END
listen_addresses = ''
unix_socket_directories = '$folder'
fsync = off
full_page_writes = off
END
echo "$folder"

while read -r command; do
    case $command in
        start) "$bin/pg_ctl" start -D data -l log -w >/dev/null || { cat log >&2; exit 1; } ;;
        stop) "$bin/pg_ctl" stop -D data -m fast -w >/dev/null ;;
        kill) "$bin/pg_ctl" stop -D data -m immediate -w >/dev/null ;;
        *) echo "unknown command: $command" >&2; exit 1 ;;
    esac
    echo done
done
