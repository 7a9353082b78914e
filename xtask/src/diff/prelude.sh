# What every case begins with. RECORD is the folder of what its commands said; docs/differential-tests.md explains the words.

# run COMMAND...: a command whose exit code and output are compared. Its standard output stays readable with `last`.
run() {
    local number
    printf -v number '%03d' "$(ls "$RECORD" | grep -c 'argv$')"
    printf '%s\0' "$@" >"$RECORD/$number.argv"
    [ -z "${DEVIATES-}" ] || echo "$DEVIATES" >"$RECORD/$number.deviates"
    (
        # A command that asks for ever must not fill the disk; what submits would pass the limit on to the job.
        case $1 in sbatch | srun | salloc) ;; *) ulimit -f 20480 ;; esac
        "$@"
    ) >"$RECORD/$number.out" 2>"$RECORD/$number.err"
    local code=$?
    echo "$code" >"$RECORD/$number.rc"
    LAST=$RECORD/$number.out
    return "$code"
}

# deviates ID COMMAND...: `run`, where the two systems are known to differ: ID stands in docs/deviations.md.
deviates() {
    local DEVIATES=$1
    shift
    [ "$1" != run ] || shift
    run "$@"
}

# last: what the last `run` wrote to standard output.
last() { cat "$LAST"; }

# note TEXT: a text that is compared.
note() { run echo "$*"; }

# submit ARGUMENTS...: `sbatch --parsable`; the id is J (empty after a refusal).
J=
submit() {
    J=
    run sbatch --parsable "$@" || return
    J=$(last)
    J=${J%%;*}
}

# each TEXT: evaluates the text for every line of standard input, with the line in the place of each @.
each() {
    local lines line
    mapfile -t lines
    for line in "${lines[@]}"; do
        eval "${1//@/$line}"
    done
}

# environment FILE: a file of `env -0`, compared variable by variable.
environment() { run sort -z "$1"; }

# states JOB: the states of a job's rows, one line each, also after its end.
states() { squeue -h -r -t all -o %T -j "$1" 2>/dev/null | sort -u; }

# until_that SECONDS TEXT COMMAND...: waits until the command succeeds; a wait in vain is recorded with the text.
until_that() {
    local until=$((SECONDS + $1)) text=$2
    shift 2
    until "$@"; do
        if [ "$SECONDS" -ge "$until" ]; then
            note "in vain: $text"
            return 1
        fi
        sleep 0.1
    done
}

_is_in() {
    local state rows
    rows=$(states "$1")
    shift
    [ -n "$rows" ] || return 1
    for state in $rows; do
        [[ " $* " = *" $state "* ]] || return 1
    done
}

_has_ended() {
    local rows
    rows=$(states "$1")
    [ -n "$rows" ] && ! grep -qE 'PENDING|RUNNING|SUSPENDED|COMPLETING|CONFIGURING|STOPPED|REQUEUE|SIGNALING|STAGE|RESIZING' <<<"$rows"
}

_is_accounted() {
    local rows
    rows=$(sacct -n -P -o State,End -j "$1" 2>/dev/null)
    [ -n "$rows" ] && ! grep -qE 'Unknown|RUNNING|PENDING' <<<"$rows" || return 1
    # Slurm's database may know of a job's end before it knows of its beginning.
    ! sacct -X -n -P -o Partition -j "$1" 2>/dev/null | grep -qx ''
}

_has_reason() { [ "$(squeue -h -o %r -j "$1" 2>/dev/null)" = "$2" ]; }

# wait_state JOB STATE...: until every row of the job is in one of the states.
wait_state() {
    until_that 20 "wait_state ${*:2}" _is_in "$@" || note "states: $(states "$1")"
}

# wait_end JOB: until the job (every task of an array) has ended.
wait_end() { until_that 30 "wait_end" _has_ended "$1" || note "states: $(states "$1")"; }

# wait_sacct JOB: until the job has ended and sacct knows it.
wait_sacct() { wait_end "$1" && until_that 20 "wait_sacct" _is_accounted "$1"; }

# wait_reason JOB REASON: until squeue gives this reason.
wait_reason() {
    until_that 20 "wait_reason $2" _has_reason "$@" || note "reason: $(squeue -h -o %r -j "$1" 2>&1)"
}

# wait_file FILE: until the file is there and not empty.
wait_file() { until_that 20 "wait_file $1" test -s "$1"; }
