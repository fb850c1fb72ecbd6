# shellcheck shell=sh disable=SC2034,SC2154 # for the scripts in tests/, which source this
# What tests of the programs share. Expects the programs in $BUILD; afterwards the working folder is a
# new one, with small data sets of noise, and removed at the end.
set -u
BUILD=$(cd "${BUILD:-build}" && pwd) || exit 1
tests=$(cd "$(dirname "$0")" && pwd) || exit 1
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
# norb FILE_PREFIX COUNT: a part of a NORB set, that many pairs of 40x40 pixels of noise, classes 0 to 4 in
# turn, elevations and azimuths too.
numbers() { for number; do byte "$number"; printf '\000\000\000'; done; } # little-endian, below 256
matrix() { # matrix KIND RANK SIZE...: the header
  byte "$1"; printf '\114\075\036'; shift; numbers "$@"
}
norb() {
  mkdir -p "$(dirname "$1")"
  { matrix 85 4 "$2" 2 40 40; head -c $(($2 * 3200)) /dev/urandom; } >"$1-dat.mat"
  { matrix 84 1 "$2" 1 1
    i=0
    while [ $i -lt "$2" ]; do numbers $((i % 5)); i=$((i + 1)); done; } >"$1-cat.mat"
  { matrix 84 2 "$2" 4 1
    i=0
    while [ $i -lt "$2" ]; do numbers $((i % 10)) $((i % 9)) $((i % 18 * 2)) $((i % 6)); i=$((i + 1)); done; } >"$1-info.mat"
}
idx data/mnist 260 28 train
idx data/mnist 40 28 t10k
idx data/fashion-mnist 20 20 train
idx data/fashion-mnist 20 20 t10k
norb data/toys/toys-training 108
norb data/toys/toys-testing 54

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
  while [ ! -s "$1" ] && kill -0 $child 2>/dev/null; do sleep 0.01; done
}

# has_browser: whether pages can be tested in one. Says so if not, which STRICT=1 does not pass over.
has_browser() {
  PYTHONPATH=$tests/lib python3 -Bc 'import browser, sys; sys.exit(not browser.find())' 2>/dev/null && return
  echo 'chromium or python3 is not here: pages are not tested in a browser'
  [ "${STRICT:-0}" != 1 ] || fail 'STRICT=1 demands a browser'
  return 1
}

# in_browser SCRIPT ARGUMENT...: one of tests/*_page.py; screenshots go to the folder SHOTS, if it is set.
in_browser() {
  script=$1
  shift
  timeout 300 python3 -B "$tests/$script" "$@" ${SHOTS:+"$SHOTS"} >out 2>err || fail "$script"
}

# finish: the last line and the exit status of a script.
finish() {
  [ $failures = 0 ] && echo "$(basename "$0" .sh): all as expected"
  [ $failures = 0 ]
}
