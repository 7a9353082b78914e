#!/bin/bash
# examples/ci: pytest with the fixture that starts a cluster for its process, and two such processes at a time.
. "$(dirname "$0")/lib.sh"
venv pytest pytest==9.0.2
restart_clock
cp "$HERE"/../../examples/ci/*.py "$WORK"; cd "$WORK"
before=$BIVOUAC_STATE_DIR
for n in 1 2; do "$PY" -m pytest -q -p no:cacheprovider > $n.log 2>&1 & p[$n]=$!; done
for n in 1 2; do wait ${p[$n]} || { cat $n.log; fail "pytest"; }; done
[ -z "$(squeue -h -t all)" ] && [ "$BIVOUAC_STATE_DIR" = "$before" ] || fail "the tests used the cluster around them"
[ -z "$(ls -d "${TMPDIR:-/tmp}"/bivouac-ephemeral.* 2>/dev/null)" ] || fail "left: $(ls -d "${TMPDIR:-/tmp}"/bivouac-ephemeral.*)"
figure "$(tail -n 1 1.log)"
