# guard.sh FOLDER keep|remove: stops everything below FOLDER once its standard input ends, which it does when xtask ends, however
# that happens. A process belongs to FOLDER if its environment names it.
trap '' INT TERM HUP
folder=$1
cat >/dev/null

for stop in "$folder"/*/*/stop; do
    [ ! -x "$stop" ] || "$stop" >/dev/null 2>&1 </dev/null
done
ours() {
    cat "$folder"/*/*/run/*.pid 2>/dev/null
    grep -lazs -e "=$folder/" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}
for _ in $(seq 100); do
    left=
    for pid in $(ours | sort -u); do
        # A zombie has ended; its parent has to notice.
        state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
        if [ -n "$state" ] && [ "$state" != Z ] && [ "$pid" != $$ ]; then
            kill -KILL "$pid" 2>/dev/null
            left="$left $pid"
        fi
    done
    [ -n "$left" ] || break
    sleep 0.05
done
rm -f "$folder"/*/*/run/*.pid
[ "$2" = keep ] || rm -rf "$folder"
[ -z "$left" ] || { echo "still there: $left" >&2; exit 1; }
