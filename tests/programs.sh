#!/bin/sh
# The programs from outside: help, wrong use, what they make and say. With the argument "help" it only
# writes what they say to --help into tests/golden/.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

help_of() { (cd "$BUILD" && "./$1" --help); } # the same path everywhere
if [ "${1:-}" = help ]; then
  for program in train evaluate predict; do
    help_of $program >"$tests/golden/help-$program.txt" || exit 1
  done
  exit 0
fi

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

finish
