#!/bin/sh
# A training run from outside: progress, stopping, dying, resuming, a full disk.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

# Long enough to be stopped before its end, which an epoch of a few milliseconds is not.
epochs=20
expect 'the run not stopped' 0 'test error' train --epochs $epochs --out whole

# --- the progress: one line written over and over on a terminal, plain lines elsewhere
for class in a b; do
  mkdir -p pictures/$class
  for i in 1 2 3 4 5 6 7 8 9 10; do cp "$tests/samples/squares.jpg" pictures/$class/$i.jpg; done
done
endless="$small --data folder:pictures --image-size 28 --batch 2 --validation 2 --epochs 20000"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
  for columns in 120 80 40; do
    : >pty
    # shellcheck disable=SC2086
    script -qec "stty cols $columns; echo \$\$ >pid; exec '$BUILD/train' $(echo $endless) --out terminal" \
      /dev/null >pty 2>err </dev/null &
    child=$!
    tries=0
    until [ "$(tr '\r' '\n' <pty | grep loss | grep -vc training)" -gt 2 ] || [ $tries -gt 300 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    kill -INT "$(cat pid)"
    wait $child
    status=$?
    [ $status = 130 ] || fail "SIGINT on a terminal: exit status $status instead of 130"
    # One frame to a line; a frame starts by clearing the line.
    tr '\r' '\n' <pty | sed -n "s/^$(printf '\033')\[K//p" >frames
    awk -v most=$((columns - 1)) '/loss/ && !/training/ && length > most { exit 1 }' frames ||
      fail "a frame is longer than a line of $columns columns"
    # The less room, the less it tells; the bar is drawn where there is some.
    bar='\[=*>* *\] ' loss='loss [0-9.]*  ' validation='validation [0-9.]* %  ' left='left [0-9]*:[0-9][0-9]'
    case $columns in
    120) pattern="^epoch [0-9]*/20000 ${bar}[0-9]/9  ${loss}error [0-9.]* %  ${validation}[0-9]* images/s  $left" ;;
    80) pattern="^epoch [0-9]*/20000 .*$loss${validation}[0-9]* images/s  $left" ;;
    40) pattern="^epoch [0-9]*/20000 $loss" ;;
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
  "$BUILD/train" $small --epochs $epochs --out parts >out 2>err &
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
# ThreadSanitizer keeps signals from a program that is waiting, and cannot work with a limit on files.
case ${SANITIZE:-} in *thread*) threads=checked ;; *) threads= ;; esac
for signal in INT TERM; do
  [ -z "$threads" ] || continue
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
  # One step of plain loops takes seconds. The first is followed by a save and, at once, by the second.
  rm -rf parts
  # shellcheck disable=SC2086
  MEREO_ISA=reference "$BUILD/train" $small --batch 120 --model-config conv_filters=128 \
    --save-seconds 0.001 --epochs 1000 --out parts >out 2>err &
  child=$!
  wait_for parts/last.safetensors
  sleep 0.2
  hurry $signal $code "SIG$signal in a step"
  expect 'the checkpoint from before the step' 0 '^error' evaluate parts/last.safetensors
done

# --- kill -9 at any moment leaves a checkpoint that loads, and the same bits at the end
rm -rf parts
resume='' pause=1
while [ $pause -le 8 ]; do
  # shellcheck disable=SC2086
  "$BUILD/train" $small --epochs $epochs --out parts --save-seconds 0.001 $resume >/dev/null 2>err &
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
until grep -q 'images/s  left' pipe.out || [ $tries -gt 300 ]; do # 10 s if it slept between two epochs
  sleep 0.1
  tries=$((tries + 1))
done
kill -INT $slow
wait $slow
slow=
# A full bar has no >; after a very long sleep the time left is not known.
grep -q '^epoch .* \[=*>* *\] .*[0-9] images/s  left [0-9?]' pipe.out || {
  cat pipe.out
  fail 'no progress in a file'
}
! grep -q '[[:cntrl:]]' pipe.out || fail 'control characters in a file'

# --- a full disk (a limit on the size of files, in the checkpoint or before) loses no earlier one
if [ -z "$threads" ]; then
  cp -r whole full
  half=$(($(wc -c <whole/last.safetensors) / 1024))
  expect 'a disk full amid a checkpoint' 1 'safetensors.*File too large' sh -c "trap '' XFSZ; ulimit -f $half; exec '$BUILD/train' --threads 1 --resume --out full --epochs $((epochs + 1))"
  cmp -s whole/last.safetensors full/last.safetensors || fail 'a disk full amid a checkpoint damaged the last'
  expect 'a full disk' 1 'full/config.json.*File too large' sh -c "trap '' XFSZ; ulimit -f 1; exec '$BUILD/train' --threads 1 --resume --out full --epochs $((epochs + 1))"
  cmp -s whole/last.safetensors full/last.safetensors || fail 'a full disk damaged the checkpoint'
  for file in full/*.tmp-*; do
    [ ! -e "$file" ] || fail "a full disk left $file"
  done
fi

finish
