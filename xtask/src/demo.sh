# The session of `cargo xtask demo`, in the login view. Arguments: the repository to clone, the offline channel's
# URL or nothing, the Python that the channel has.
set -u
upstream=$1 channel=$2 python=$3

show() { printf '\n[%s@%s %s]$ %s\n' "$USER" "$(hostname)" "${PWD/#$HOME/\~}" "$*"; }
run() { show "$*"; eval "$*"; }
fail() { echo "demo: $*" >&2; exit 1; }

if [ -n "$channel" ]; then
    # Where a person would set it once: `defaults` means the offline channel for this user.
    mkdir -p ~/.conda/condarc.d
    printf 'default_channels:\n  - %s\n' "$channel" > ~/.conda/condarc.d/offline.yml
else
    rm -f ~/.conda/condarc.d/offline.yml
fi

run "cd /projects/$USER" || fail "there is no /projects/$USER"
rm -rf example_data.csv alpine-python
run "git clone -q $upstream alpine-python"
run "cd alpine-python" || fail "the clone failed"
if [ "$python" != 3.10 ]; then sed -i "s/python=3.10/python=$python/" environment.yml; fi

show "sbatch --export=CSV_FILEPATH=/projects/$USER/example_data.csv run_script.sh"
answer=$(sbatch --export=CSV_FILEPATH=/projects/$USER/example_data.csv run_script.sh) || fail "sbatch failed"
echo "$answer"
job=${answer##* }
run squeue
show "tail -f alpine-python.out"
until [ -e alpine-python.out ] || [ -z "$(squeue -h -j "$job" 2>/dev/null)" ]; do sleep 0.1; done
tail -n +1 -f alpine-python.out & follower=$!
while [ -n "$(squeue -h -t PD,R,CG -j "$job" 2>/dev/null)" ]; do sleep 0.2; done
sleep 0.3
kill $follower 2>/dev/null; wait $follower 2>/dev/null
run "head -n 2 /projects/$USER/example_data.csv | cut -c 1-100"
run "sacct -j $job"

lines=$(wc -l < "/projects/$USER/example_data.csv") || fail "there is no CSV file"
[ "$lines" = 10001 ] || fail "the CSV file has $lines lines, not 10001"
[ "$(sacct -n -X -P -o State -j "$job")" = COMPLETED ] || fail "the job did not end COMPLETED"
