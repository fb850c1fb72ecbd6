#!/bin/sh
# The programs from outside: help, wrong use, stopping, dying, resuming, a full disk.
# Expects the programs in $BUILD. With the argument "help" it only writes what they say to --help into
# tests/golden/.
set -u
BUILD=$(cd "${BUILD:-build}" && pwd) || exit 1
tests=$(cd "$(dirname "$0")" && pwd) || exit 1
help_of() { (cd "$BUILD" && "./$1" --help); } # the same path everywhere
if [ "${1:-}" = help ]; then
  for program in train evaluate predict; do
    help_of $program >"$tests/golden/help-$program.txt" || exit 1
  done
  exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/mereo-programs-XXXXXX") || exit 1
slow=
trap '[ -z "$slow" ] || kill -9 $slow 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

fail() {
  echo "FAILED: $1"
  [ ! -s err ] || sed 's/^/  stderr: /' err
  failures=$((failures + 1))
}

# expect NAME STATUS PATTERN COMMAND...: the exit status, and a pattern in stdout or stderr.
expect() {
  name=$1 want=$2 pattern=$3
  shift 3
  "$@" >out 2>err
  status=$?
  [ $status = "$want" ] || fail "$name: exit status $status instead of $want"
  cat out err | grep -q -e "$pattern" || fail "$name: no \"$pattern\" in what it says"
  # A complaint is one line.
  if [ "$want" = 1 ] || [ "$want" = 2 ]; then
    [ "$(wc -l <err)" = 1 ] || fail "$name: the complaint is not one line"
  fi
}

# idx FOLDER COUNT SIDE PREFIX: that many noisy pictures of SIDE x SIDE, labels 0 to 9 in turn.
# shellcheck disable=SC2059 # the escape is the format
byte() { printf "\\$(printf %03o "$1")"; }
idx() {
  mkdir -p "$1"
  { printf '\000\000\010\003\000\000'; byte $(($2 / 256)); byte $(($2 % 256))
    printf '\000\000\000'; byte "$3"; printf '\000\000\000'; byte "$3"
    head -c $(($2 * $3 * $3)) /dev/urandom; } >"$1/$4-images-idx3-ubyte"
  { printf '\000\000\010\001\000\000'; byte $(($2 / 256)); byte $(($2 % 256))
    i=0
    while [ $i -lt "$2" ]; do byte $((i % 10)); i=$((i + 1)); done; } >"$1/$4-labels-idx1-ubyte"
}
idx data/mnist 260 28 train
idx data/mnist 40 28 t10k
idx data/fashion-mnist 20 20 train
idx data/fashion-mnist 20 20 t10k

# A network small enough to train in seconds. Run in the background it is the program itself, so that
# signals reach it.
small="--schedule exponential --warmup 0 --batch 16 --validation 20 --history-steps 1 --threads 1 --model-config conv_filters=8
  --model-config primary_types=2 --model-config decoder_hidden1=16 --model-config decoder_hidden2=16"
# shellcheck disable=SC2086 # the options are words
train() { "$BUILD/train" $small "$@"; }
evaluate() { "$BUILD/evaluate" --threads 1 "$@"; }
predict() { "$BUILD/predict" --threads 1 "$@"; }

# same A B: the runs in two folders agree in every bit that is not a time.
tensors() {
  length=$(od -An -tu8 -N8 "$1" | tr -d ' ')
  tail -c +$((length + 9)) "$1"
}
lines() { sed 's/, "images_per_second".*//' "$1/history.jsonl"; }
same() {
  for file in last best; do
    tensors "$1/$file.safetensors" >one
    tensors "$2/$file.safetensors" >two
    cmp -s one two || fail "$3: $file.safetensors differs"
  done
  lines "$1" >one
  lines "$2" >two
  cmp -s one two || fail "$3: the history differs"
}

# wait_for FILE: until the program in the background has written it, or has ended.
wait_for() {
  while [ ! -s "$1" ] && kill -0 $child 2>/dev/null; do sleep 0.1; done
}

# --- help and wrong use
for program in train evaluate predict; do
  expect "$program --help" 0 'Usage' "$BUILD/$program" --help
  expect "$program --version" 0 '^[0-9]' "$BUILD/$program" --version
  expect "$program, unknown flag" 2 'did you mean --threads' "$BUILD/$program" --thread=2 a b
done
# Only the words count: versions of CLI11 differ in blanks, capitals of headings and the signs around a default.
words() { tr -s ' \n=,[]' '\n' | tr '[:upper:]' '[:lower:]'; }
for program in train evaluate predict; do
  words <"$tests/golden/help-$program.txt" >one
  help_of $program | words >two
  diff -U 2 one two >difference || {
    : >err
    fail "$program --help is not tests/golden/help-$program.txt; if it is right, run: tests/programs.sh help"
    sed 1,2d difference
  }
done
expect 'a word for a number' 2 '--epochs: must be a whole number from 1, not "ten"' train --epochs ten
expect 'no epochs' 2 '--epochs' train --epochs 0
expect 'a negative learning rate' 2 '--lr: must be a number above 0' train --lr -1
expect 'a recipe misspelt' 2 'did you mean authors' train --recipe author
expect 'an unknown data set' 2 'did you mean mnist' train --data mnits
expect 'a stray argument' 2 'unexpected argument' train mnist
expect 'no data' 1 'fetch' "$BUILD/train" --data-dir nowhere
expect 'an unknown key of the model' 1 'primary_tipes' train --model-config primary_tipes=3
expect 'nothing to resume' 1 'no run to resume' train --resume --out none
expect 'evaluate without a checkpoint' 2 'CHECKPOINT' "$BUILD/evaluate"
expect 'evaluate a missing file' 1 'none.safetensors' "$BUILD/evaluate" none.safetensors

# --- a run
expect 'a run' 0 'test error' train --epochs 3 --out whole
for file in config.json history.jsonl last.safetensors best.safetensors reconstructions.png test.json; do
  [ -s "whole/$file" ] || fail "a run leaves no $file"
done
[ "$(grep -c '"event": "epoch"' whole/history.jsonl)" = 3 ] || fail 'not one line of history an epoch'
expect 'a second run in the folder' 1 'continue it with --resume' train --epochs 3 --out whole
expect 'resuming with other options' 1 'another batch' "$BUILD/train" --threads 1 --resume --out whole --batch 8
expect 'resuming a finished run' 0 'test error' train --resume --out whole
expect 'a run from a configuration' 0 'test error' "$BUILD/train" --threads 1 --config whole/config.json --out copy
same whole copy 'the same configuration'

# --- evaluate and predict
expect 'evaluate' 0 '^error .* of 40' evaluate whole
expect 'evaluate as JSON' 0 '"count": 40' evaluate whole/last.safetensors --json
expect 'evaluate the training part' 0 'of 260' evaluate whole --split train
expect 'data of another shape' 1 '20x20x1.*28x28x1' evaluate whole --data fashion-mnist
expect 'a file that is no checkpoint' 1 'out' evaluate out
expect 'predict' 0 'reconstructed' predict whole whole/reconstructions.png
[ -s whole/reconstructions.reconstruction.png ] || fail 'predict writes no reconstruction'
expect 'predict as JSON' 0 '"lengths"' predict whole whole/reconstructions.png \
  --json --invert --reconstruction chosen.png
[ -s chosen.png ] || fail 'predict does not write where it was told to'
expect 'predict no picture' 1 'config.json' predict whole whole/config.json

# --- instruction sets
expect 'train with an unknown instruction set' 1 'MEREO_ISA: unknown .*\[foo\]' env MEREO_ISA=foo "$BUILD/train" --out foo
[ ! -e foo ] || fail 'an unknown instruction set leaves a run folder'
expect 'evaluate with an unknown one' 1 'MEREO_ISA: unknown .*\[foo\]' env MEREO_ISA=foo "$BUILD/evaluate" whole
expect 'predict with an unknown one' 1 'MEREO_ISA: unknown .*\[foo\]' env MEREO_ISA=foo "$BUILD/predict" whole whole
can_run() { MEREO_ISA=foo "$@" "$BUILD/evaluate" whole 2>&1 | sed -n 's/.*(this machine can run \(.*\))$/ \1 /p' | tr -d ,; }
here=$(can_run env)
for isa in avx512 avx2 sse2 neon reference; do
  case $here in
  *" $isa "*) expect "evaluate with $isa" 0 '^error' env MEREO_ISA=$isa "$BUILD/evaluate" whole ;;
  *) expect "evaluate without $isa" 1 "MEREO_ISA: .*\[$isa\]" env MEREO_ISA=$isa "$BUILD/evaluate" whole ;;
  esac
done
# Valgrind's processor has less than a new one.
there=$(can_run valgrind --tool=none -q 2>/dev/null)
lacking=$(for isa in ${there:+$here}; do case $there in *" $isa "*) ;; *) echo "$isa" ;; esac; done)
for isa in $lacking; do
  expect "evaluate on a processor without $isa" 1 "cannot run the instruction set \[$isa\] (it can run.*reference)" \
    env MEREO_ISA="$isa" valgrind --tool=none -q "$BUILD/evaluate" whole
done
[ -n "$lacking" ] || echo 'skipped: a set that this processor lacks (it needs valgrind and a newer processor)'

# --- the progress: one line written over and over on a terminal, plain lines elsewhere
for class in a b; do
  mkdir -p pictures/$class
  for i in 1 2 3 4 5 6 7 8 9 10; do cp "$tests/samples/squares.jpg" pictures/$class/$i.jpg; done
done
endless="$small --data folder:pictures --image-size 28 --batch 2 --validation 2 --epochs 1000"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
  for columns in 100 80 40; do
    : >pty
    # shellcheck disable=SC2086
    script -qec "stty cols $columns; echo \$\$ >pid; exec '$BUILD/train' $(echo $endless) --out terminal" \
      /dev/null >pty 2>err </dev/null &
    child=$!
    tries=0
    until [ "$(tr '\r' '\n' <pty | grep -c '[0-9]/9  loss')" -gt 1 ] || [ $tries -gt 300 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    kill -INT "$(cat pid)"
    wait $child
    status=$?
    [ $status = 130 ] || fail "SIGINT on a terminal: exit status $status instead of 130"
    # One frame to a line; a frame starts by clearing the line.
    tr '\r' '\n' <pty | sed -n "s/^$(printf '\033')\[K//p" >frames
    awk -v most=$((columns - 1)) '/[0-9]\/9  loss/ && length > most { exit 1 }' frames ||
      fail "a frame is longer than a line of $columns columns"
    case $columns in
    100) pattern='^epoch .* \[=*> *\] .*[0-9] images/s  left [0-9]*:[0-9][0-9]' ;;
    80) pattern='[0-9] images/s  left [0-9]*:[0-9][0-9]' ;;
    40) pattern='loss [0-9.]*' ;;
    esac
    grep -q "$pattern" frames || fail "on a terminal of $columns columns: no \"$pattern\""
    rm -rf terminal
  done
else
  echo 'skipped: the progress on a terminal (it needs script, of util-linux or bsdutils)'
fi
# Ten seconds between lines: this run sleeps until other tests have passed them.
# shellcheck disable=SC2086
"$BUILD/train" $endless --out pipe >pipe.out 2>err &
slow=$! child=$!
wait_for pipe/history.jsonl
kill -STOP $slow
asleep=$(date +%s)

# --- Ctrl-C and SIGTERM, then resume to the bits of the unbroken run
for signal in INT TERM; do
  rm -rf parts
  # shellcheck disable=SC2086
  "$BUILD/train" $small --epochs 3 --out parts >out 2>err &
  child=$!
  wait_for parts/history.jsonl
  kill -$signal $child
  wait $child
  status=$?
  if [ $signal = INT ]; then want=130; else want=143; fi
  [ $status = $want ] || fail "SIG$signal: exit status $status instead of $want"
  grep -q 'continue with: .* --resume --out parts' out || fail "SIG$signal: does not say how to resume"
  expect "resuming after SIG$signal" 0 'test error' "$BUILD/train" --threads 1 --resume --out parts
  same whole parts "resumed after SIG$signal"
done

# --- the second signal does not wait, neither for a step nor for a save, and spoils nothing
# hurry SIGNAL STATUS NAME: that signal twice to the program in the background; it stays for the first
# (there is a step or a save to be finished) and leaves with STATUS at the second.
hurry() {
  kill -"$1" $child
  sleep 0.3
  kill -0 $child 2>/dev/null || fail "$3: the first SIG$1 was not waited for"
  kill -"$1" $child 2>/dev/null
  tries=0
  while kill -0 $child 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -9 $child 2>/dev/null && fail "$3: the second SIG$1 is not heard"
  wait $child 2>/dev/null
  status=$?
  [ $status = "$2" ] || fail "$3: exit status $status instead of $2"
  ! grep -q 'stopped after' out || fail "$3: claims to have saved"
}
for signal in INT TERM; do
  if [ $signal = INT ]; then code=130; else code=143; fi
  # A pipe that nobody reads, in the place of the next save's temporary file, holds it up for ever.
  rm -rf parts
  # shellcheck disable=SC2086
  "$BUILD/train" $small --epochs 1000 --out parts >out 2>err &
  child=$!
  wait_for parts/history.jsonl
  until mkfifo parts/last.safetensors.tmp-$child 2>/dev/null || ! kill -0 $child; do :; done
  hurry $signal $code "SIG$signal while saving"
  expect "the checkpoint after two SIG$signal" 0 '^error' evaluate parts/last.safetensors
  rm -f parts/last.safetensors.tmp-$child
  # One step of plain loops takes seconds.
  rm -rf parts
  # shellcheck disable=SC2086
  MEREO_ISA=reference "$BUILD/train" $small --batch 240 --model-config conv_filters=24 \
    --epochs 1000 --out parts >out 2>err &
  child=$!
  wait_for parts/last.safetensors
  hurry $signal $code "SIG$signal in a step"
  expect 'the checkpoint from before the step' 0 '^error' evaluate parts/last.safetensors
done

# --- kill -9 at any moment leaves a checkpoint that loads, and the same bits at the end
rm -rf parts
resume='' pause=1
while [ $pause -le 8 ]; do
  # shellcheck disable=SC2086
  "$BUILD/train" $small --epochs 3 --out parts --save-seconds 0.001 $resume >/dev/null 2>err &
  child=$!
  wait_for parts/last.safetensors
  sleep 0.0$((pause * 7 % 10))
  kill -9 $child 2>/dev/null
  wait $child 2>/dev/null
  resume=--resume
  expect "the checkpoint after kill -9 number $pause" 0 '^error' evaluate parts/last.safetensors
  pause=$((pause + 1))
done
expect 'resuming after kill -9' 0 'test error' train --resume --out parts --threads 3
same whole parts 'resumed after kill -9'

# --- the progress of the run that was put to sleep
while [ $(($(date +%s) - asleep)) -le 10 ]; do sleep 0.1; done
kill -CONT $slow
tries=0
until grep -q 'loss' pipe.out || [ $tries -gt 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -INT $slow
wait $slow
slow=
grep -q '^epoch .* \[=*> *\] .*[0-9] images/s  left [0-9]*:[0-9][0-9]' pipe.out || fail 'no progress in a file'
! grep -q '[[:cntrl:]]' pipe.out || fail 'control characters in a file'

# --- a full disk (a limit on the size of files) loses no earlier checkpoint
cp -r whole full
half=$(($(wc -c <whole/last.safetensors) / 1024))
expect 'a disk full amid a checkpoint' 1 'safetensors.*File too large' sh -c "trap '' XFSZ; ulimit -f $half; exec '$BUILD/train' --threads 1 --resume --out full --epochs 4"
cmp -s whole/last.safetensors full/last.safetensors || fail 'a disk full amid a checkpoint damaged the last'
expect 'a full disk' 1 'full/config.json.*File too large' sh -c "trap '' XFSZ; ulimit -f 1; exec '$BUILD/train' --threads 1 --resume --out full --epochs 4"
cmp -s whole/last.safetensors full/last.safetensors || fail 'a full disk damaged the checkpoint'
for file in full/*.tmp-*; do
  [ ! -e "$file" ] || fail "a full disk left $file"
done

[ $failures = 0 ] && echo "programs: all as expected"
[ $failures = 0 ]
