#!/bin/sh
# TensorBoard reads what --tensorboard writes: the history, also after a run that died and lost steps.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"
PYTHON=${PYTHON:-python3}
if ! "$PYTHON" -c 'import tensorboard' 2>/dev/null; then
  echo "tensorboard for $PYTHON is not here: event files not read by it"
  finish
  exit
fi

# Killed amid an epoch, most often, it has written events that its checkpoint does not know.
resume=
for round in 1 2 3; do
  # shellcheck disable=SC2086
  "$BUILD/train" $small --batch 2 --epochs 2000 --tensorboard --out run $resume >out 2>err &
  child=$!
  wait_for run/last.safetensors
  sleep 0.$((4 + round))
  kill -9 $child
  wait $child 2>/dev/null
  resume=--resume
done
"$BUILD/train" --threads 1 --resume --out run >out 2>err & # as it was begun, so with events
child=$!
tries=0
until grep -q '"event": "epoch"' run/history.jsonl || [ $tries -gt 300 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
sleep 0.5
kill -INT $child
wait $child
[ "$(find run -name '*tfevents*' | wc -l)" = 4 ] || fail 'not every process has its event file'

"$PYTHON" - run <<'SCRIPT' >out 2>err || { cat out; fail 'TensorBoard reads something else than the history'; }
import glob, json, math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = sys.argv[1]
events = EventAccumulator(folder, size_guidance={"scalars": 0})
events.Reload()
wanted = {}
for line in map(json.loads, open(folder + "/history.jsonl")):
    for name, value in line.items():
        if name not in ("event", "epoch", "step") and value is not None:
            wanted.setdefault(line["event"] + "/" + name, []).append((line["step"], value))
assert set(events.Tags()["scalars"]) == set(wanted), (events.Tags()["scalars"], sorted(wanted))
assert len(wanted["step/loss"]) > 20 and len(wanted["epoch/loss"]) > 0
for tag, points in wanted.items():
    read = events.Scalars(tag)
    assert [event.step for event in read] == [step for step, _ in points], tag
    for event, (_, value) in zip(read, points):
        assert math.isclose(event.value, value, rel_tol=1e-6, abs_tol=1e-30), (tag, event, value)
files = [EventAccumulator(file, size_guidance={"scalars": 0}).Reload() for file in sorted(glob.glob(folder + "/*tfevents*"))]
print(sum(len(file.Scalars("step/loss")) for file in files) - len(wanted["step/loss"]), "steps were taken twice")
SCRIPT
cat out
finish
