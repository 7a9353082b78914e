# After every case: no job is left, every node is idle.
squeue -h -t all -o '%A %T' | grep -E ' (PENDING|RUNNING|SUSPENDED|STOPPED|CONFIGURING|REQUEUE)' | cut -d' ' -f1 | sort -u | xargs -r scancel 2>/dev/null
until=$((SECONDS + 4))
while [ -n "$(squeue -h)" ]; do
    if [ "$SECONDS" -ge "$until" ]; then
        squeue -h -o %A | sort -u | xargs -r scancel -f -s KILL 2>/dev/null
        until=$((SECONDS + 4))
        tries=$((${tries-0} + 1))
        [ "$tries" -lt 5 ] || { squeue; exit 1; }
    fi
    sleep 0.05
done
for _ in $(seq 100); do
    [ "$(sinfo -h -N -o %T | sort -u)" != idle ] || exit 0
    scontrol update nodename='n[1-4]' state=resume 2>/dev/null
    sleep 0.05
done
sinfo -N -l
exit 1
