#!/bin/sh
# The programs from outside: help, wrong use, what they make and say. With the argument "help" it only
# writes what they say to --help into tests/golden/.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

programs='train evaluate predict explain render lab'
[ ! -x "$BUILD/explore" ] || programs="$programs explore" # built where cpp-httplib is
help_of() { (cd "$BUILD" && "./$1" --help); } # the same path everywhere
if [ "${1:-}" = help ]; then
  for program in $programs; do
    help_of $program >"$tests/golden/help-$program.txt" || exit 1
  done
  exit 0
fi

# --- help and wrong use
for program in $programs; do
  expect "$program --help" 0 'Usage' "$BUILD/$program" --help
  expect "$program --version" 0 '^[0-9]' "$BUILD/$program" --version
  expect "$program, unknown flag" 2 'did you mean --threads' "$BUILD/$program" --thread=2 a b
done
# Only the words count: versions of CLI11 differ in blanks, capitals of headings and the signs around a default.
words() { tr -s ' \n=,[]' '\n' | tr '[:upper:]' '[:lower:]'; }
for program in $programs; do
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
expect 'a preset of another network' 2 '--preset: is of matrix-capsnet and cnn' train --preset small
expect 'a recipe of another network' 2 '--recipe: is of capsnet' train --recipe paper --model matrix-capsnet
expect 'a stray argument' 2 'unexpected argument' "$BUILD/train" mnist
expect 'no data' 1 'fetch' "$BUILD/train" --data mnist --data-dir nowhere
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
# One thread in a build without OpenMP.
expect 'OMP_NUM_THREADS' 0 'threads [13]$' env OMP_NUM_THREADS=3 "$BUILD/train" --config whole/config.json --out three
same whole three 'on three threads'
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
expect 'predict as JSON' 0 '"scores"' predict whole whole/reconstructions.png \
  --json --invert --reconstruction chosen.png
[ -s chosen.png ] || fail 'predict does not write where it was told to'
if [ -e /dev/full ]; then
  predict whole whole/reconstructions.png >/dev/full 2>err && fail 'predict does not see a full disk'
  grep -q 'standard output: cannot write' err || fail 'predict on a full disk'
fi
expect 'predict no picture' 1 'config.json' predict whole whole/config.json

# --- two digits in a picture
expect 'pairs of digits' 0 'labels_per_image=2.*' train --data multi-mnist --epochs 1 --out pairs
expect 'evaluate pairs' 0 'all 2 classes of a picture must be right' evaluate pairs
expect 'evaluate pairs as JSON' 0 '"labels_missed_percent"' evaluate pairs --json
expect 'predict two digits' 0 ': [0-9] and [0-9]$' predict pairs whole/reconstructions.png
expect 'predict two digits as JSON' 0 '"names"' predict pairs whole/reconstructions.png --json
expect 'pairs for a network of single digits' 1 '36x36x1, 10 classes, 2 at a time; model 28x28x1' evaluate whole \
  --data multi-mnist
expect 'a sheet of pairs' 0 '260 pictures of multi-mnist' "$BUILD/render" sheet --data multi-mnist -o pairs.png

# --- digits that are moved to train, and transformed to test
expect 'affine digits' 0 'test error' train --data affine-mnist --epochs 1 --out affine
grep -q '"model.height": 40' affine/config.json || fail 'affine digits are not on 40x40'
expect 'evaluate digits that are only moved' 0 'of 40' evaluate affine --split familiar
expect 'affNIST where it is not' 1 'affNIST/32x/transformed/test.mat.zip' evaluate affine --data affnist

# --- without MNIST, unless it is asked for by name
mkdir bare && cp -r data/toys bare
expect 'toys instead of MNIST' 0 'note: MNIST is not in bare/mnist .*: training on toys instead' \
  train --data-dir bare --epochs 1 --out instead
grep -q '"data": "toys"' instead/config.json || fail 'not toys instead of MNIST'
grep -q '"model.decoder": 0' instead/config.json || fail 'toys instead of MNIST with a decoder'
expect 'resuming that' 0 'test error' train --data-dir bare --resume --out instead
rm -r bare/toys
# shellcheck disable=SC2086
"$BUILD/train" $small --data-dir bare --out none >out 2>err &
child=$!
until ls bare/toys/*.tmp-* >/dev/null 2>&1 || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
kill -TERM $child
wait $child
status=$?
[ $status = 143 ] || fail "toys made instead of MNIST, stopped: exit status $status instead of 143"
grep -q 'training on toys instead' err || fail 'toys are made without a word'
[ -z "$(ls bare/toys)" ] || fail 'toys made instead of MNIST, stopped, leaves files'

# --- matrix capsules
matrix() {
  "$BUILD/train" --model matrix-capsnet --preset small --batch 32 --validation 20 --threads 1 \
    --model-config conv_filters=8 primary_types=2 capsules1_types=2 "$@"
}
expect 'matrix capsules' 0 'test error' matrix --epochs 2 --routing-iterations 2 --out matrix
for field in '"model.capsules2_types": 16' '"model.routing_iterations": 2' '"weight_decay": 2e-07'; do
  grep -q "$field" matrix/config.json || fail "matrix capsules: no $field in the configuration"
done
expect 'evaluate matrix capsules' 0 '^error .* of 40' evaluate matrix
expect 'predict by matrix capsules' 0 '0\.[0-9]* #' predict matrix whole/reconstructions.png
[ ! -e matrix/reconstructions.png ] || fail 'a network without a decoder leaves reconstructions'
grep -q "<td>-</td>" matrix/report.html || fail "a network without a decoder is said to reconstruct"
expect 'resuming with another routing' 1 'another model.routing_iterations' \
  "$BUILD/train" --threads 1 --resume --out matrix --routing-iterations 3

# --- convolutional networks
cnn() { "$BUILD/train" --model cnn --batch 32 --validation 20 --threads 1 "$@"; }
expect 'a convolutional network' 0 'test error' cnn --preset small --model-config batch_norm=true \
  --model-config pooling=average --epochs 2 --out cnn
for field in '"model.convolutions": "32x5p2,32x5p2,32x3p2"' '"model.pooling": "average"' '"model.dropout": 0.5'; do
  grep -q "$field" cnn/config.json || fail "a convolutional network: no $field in the configuration"
done
expect 'it is resumed as it was' 0 'test error' "$BUILD/train" --resume --out cnn --threads 1
expect 'evaluate a convolutional network' 0 '^error .* of 40' evaluate cnn
expect 'predict by a convolutional network' 0 '0\.[0-9]* #' predict cnn whole/reconstructions.png
expect 'a preset of the other network' 1 'mnist, multimnist, norb' cnn --preset paper --out none
expect 'a network without a size' 1 'FILTERSxKERNEL' cnn --model-config convolutions=32 --out none

# --- stereo pairs, seen through crops
expect 'a set that is not there' 1 'fetch.sh smallnorb' train --data smallnorb --out none
expect 'a decoder and standardised pictures' 1 'decoder=false' train --data toys --out none
bare='--epochs 1 --model-config decoder=false'
# shellcheck disable=SC2086 # the options are words
train_toys() { train $bare "$@"; }
expect 'stereo pairs' 0 'crop 32, standardised' train_toys --data toys --out toys
[ ! -e toys/reconstructions.png ] || fail 'a network without a decoder leaves reconstructions.png'
for field in '"brightness": 0.247' '"contrast": 0.8' '"crop": 32' '"standardize": 1' '"shift": 0' \
  '"model.height": 32' '"model.channels": 2'; do
  grep -q "$field" toys/config.json || fail "the usual view of toys is not in config.json: $field"
done
expect 'they are resumed as they were' 0 'test error' train_toys --resume --out toys
expect 'another crop is another run' 1 'another crop' train_toys --resume --out toys --crop 28
expect 'evaluate a crop' 0 'of 54' evaluate toys
expect 'evaluate 13 crops' 0 'of 54' evaluate toys --crops 13
expect '13 crops of a whole picture' 1 'whole pictures' evaluate whole --crops 13
expect 'novel viewpoints' 0 'of 36' evaluate toys --data toys-azimuth
expect 'familiar viewpoints' 0 '"split": "familiar"' evaluate toys --data toys-elevation --split familiar --json
grep -q '"count": 18' out || fail 'the familiar viewpoints are not a third'
expect 'no familiar viewpoints' 1 'no familiar part' evaluate toys --split familiar
expect 'predict from a pair' 1 'channels 1' predict toys whole/reconstructions.png
expect 'the left picture alone' 0 'test error' train_toys --data toys-elevation --channels 1 --crop 36 --image-size 40 \
  --batch 8 --validation 6 --standardize 0 --out left
grep -q '"pictures": 36' left/config.json || fail 'not the training viewpoints alone'
expect 'its test pictures' 0 'of 36' evaluate left
expect 'predict from one' 0 'car' predict left whole/reconstructions.png

# --- explain
explain() { "$BUILD/explain" --threads 1 "$@"; }
alone() { # alone FOLDER: the page there needs nothing from elsewhere
  ! grep -oE '(src|href)="[^"]{1,40}' "$1/index.html" | grep -vE '"(data:image/png;base64,|#)' || fail "$1 needs something else"
  grep -q '</html>' "$1/index.html" || fail "the page in $1 has no end"
}
cp whole/reconstructions.png '<b> &"x".png'
expect 'explain' 0 'page/index.html' explain whole '<b> &"x".png' --index 3 5 --health 12 -o page
alone page
grep -q '&lt;b&gt; &amp;&quot;x&quot;.png' page/index.html || fail 'a file name is not escaped in the page'
grep -q 'Over 12 images of mnist, test' page/index.html || fail 'no health in the page'
for file in 000-input 000-dimensions-[0-9] 002-winner-iteration-3 002-second-types; do
  [ -s "$(echo page/$file.png)" ] || fail "explain leaves no $file.png"
done
expect 'explain matrix capsules' 0 'frames/index.html' explain matrix --count 2 --health 5 -o frames
alone frames
[ -s frames/001-frames.png ] || fail 'explain draws no frames of matrix poses'
expect 'explain stereo pairs' 0 'pairs/index.html' explain toys --count 1 --health 3 -o pairs
alone pairs
expect 'explain a file without the data' 0 'alone/index.html' explain whole whole/reconstructions.png \
  --data-dir nowhere -o alone
grep -q 'not here' alone/index.html || fail 'the page does not say why there is no health'
expect 'explain data that is not there' 1 'fetch' "$BUILD/explain" whole --data-dir nowhere
expect 'explain a picture that is not there' 1 '40' explain whole --index 40 -o unmade
[ ! -e unmade ] || fail 'explain leaves an empty folder'
expect 'explain a file for pairs' 1 'channels 1' explain toys whole/reconstructions.png

# --- render
expect 'render nothing' 2 'what is it to render: toys, faces, sheet or turntable' "$BUILD/render"
expect 'a command misspelt' 2 'did you mean toys' "$BUILD/render" toyz
expect 'a flag of a command misspelt' 2 'did you mean --azimuths' "$BUILD/render" toys --azimuth 1
expect 'more azimuths than there are' 2 '--azimuths: must be a whole number from 1 to 18' "$BUILD/render" toys --azimuths 19
expect 'a sheet of toys that are not there' 1 'build/render toys' "$BUILD/render" sheet --data toys --data-dir nowhere -o sheet.png
expect 'render toys' 0 'toys to test on in made/toys' "$BUILD/render" toys --out made/toys --azimuths 1
[ "$(wc -c <made/toys/toys-testing-dat.mat)" = $((24 + 1350 * 2 * 96 * 96)) ] || fail 'render toys: not 1350 pairs'
expect 'a sheet of toys' 0 '1350 pictures of toys' "$BUILD/render" sheet --data toys --data-dir made --split test -o sheet.png
expect 'a sheet of digits' 0 '260 pictures of mnist' "$BUILD/render" sheet --data mnist --columns 30 -o digits.png
expect 'too wide a sheet' 2 'from 1 to 10000' "$BUILD/render" sheet --data mnist --columns 9223372036854775807 -o wide.png
expect 'render faces' 0 'faces in made/faces' "$BUILD/render" faces --out made/faces --train 50 --test 10
expect 'a sheet of scrambled faces' 0 '10 pictures of faces-scrambled' "$BUILD/render" sheet --data faces-scrambled \
  --data-dir made --split test -o faces.png
expect 'faces that are not there' 1 'build/render faces' "$BUILD/render" sheet --data faces --data-dir nowhere -o none.png
expect 'a turntable' 0 'car 3, .* at 18 azimuths' "$BUILD/render" turntable --category car --instance 3 --side 20 -o car.png
for file in sheet digits faces car; do [ -s $file.png ] || fail "render leaves no $file.png"; done
expect 'a turntable of no toy' 2 'did you mean airplane' "$BUILD/render" turntable --category airplanes -o none.png
expect 'an instance there is not' 2 '--instance: must be a whole number from 0 to 9' "$BUILD/render" turntable \
  --category car --instance 10 -o none.png
"$BUILD/render" toys --out stopped >out 2>err &
child=$!
until ls stopped/*.tmp-* >/dev/null 2>&1 || ! kill -0 $child 2>/dev/null; do sleep 0.01; done
kill -TERM $child
wait $child
status=$?
[ $status = 143 ] || fail "render toys, stopped: exit status $status instead of 143"
[ -z "$(ls stopped)" ] || fail 'render toys, stopped, leaves files'

# --- the lab
expect 'no experiment' 2 'which experiment' "$BUILD/lab"
expect 'an experiment misspelt' 2 'did you mean ablation' "$BUILD/lab" abalation
expect 'the list of experiments' 0 'small: .* full: ' "$BUILD/lab" --list
[ "$(grep -c '^[a-z]' out)" = 8 ] || fail 'lab --list does not tell of eight experiments'
lab() { "$BUILD/lab" ablation --seeds 2 --epochs 1 --threads 1 --out lab "$@"; }
printf 'before\n<!-- lab: begin -->\nold\n<!-- lab: end -->\nafter\n' >lab.md
expect 'an experiment' 0 '^| margin loss (toys) *| [0-9.]* ± ' lab --readme lab.md
for file in ablation.json ablation.md ablation.png toys/margin-2/last.safetensors; do
  [ -s lab/small/$file ] || fail "an experiment leaves no lab/small/$file"
done
{ grep -q '^before$' lab.md && grep -q '^| margin loss' lab.md && grep -q '^after$' lab.md && ! grep -q '^old$' lab.md; } ||
  fail 'the results are not in their place in the document'
cp lab/small/ablation.json first.json
sum=$(cksum <lab/small/toys/margin-2/last.safetensors)
expect 'the same experiment again' 0 'epoch\|margin loss' lab
cmp -s first.json lab/small/ablation.json || fail 'an experiment that is done reports something else'
[ "$(cksum <lab/small/toys/margin-2/last.safetensors)" = "$sum" ] || fail 'an experiment that is done trains again'
expect 'an experiment with other networks' 1 'another ' lab --train-limit 30
dc_ign() { "$BUILD/lab" dc-ign --seeds 1 --epochs 3 --threads 1 --out lab "$@"; }
expect 'DC-IGN' 0 '^| all latents but one clamped | -*[0-9]' dc_ign
[ -s lab/small/toys-azimuth/dc-ign-1/latents.png ] || fail 'DC-IGN shows no latents'
cp lab/small/dc-ign.json first.json
expect 'DC-IGN again' 0 'the same, nothing clamped' dc_ign
cmp -s first.json lab/small/dc-ign.json || fail 'DC-IGN that is done is measured anew'
expect 'DC-IGN of fewer pictures' 0 'the same, nothing clamped' dc_ign --train-limit 30
cmp -s first.json lab/small/dc-ign.json && fail 'DC-IGN of fewer pictures reports what more gave'
expect 'results without a place' 1 'no place' lab --readme lab/small/ablation.json
"$BUILD/render" faces --out only/faces --train 20 --test 60 >out 2>err || fail 'render faces for the lab'
everything() { "$BUILD/lab" all --data-dir only --seeds 1 --epochs 1 --threads 1 --out partly "$@"; }
expect 'all experiments that can be run' 1 'lab all: 7 of 8 experiments were left out' everything --readme lab.md
[ "$(grep -c '^  [a-z-]*: only/.* is missing (' out)" = 7 ] || fail 'lab all does not say why experiments are left out'
grep -q '^  affine: .*tools/fetch.sh mnist' out || fail 'lab all does not say how to get MNIST'
[ -s partly/small/scramble.png ] || fail 'lab all does not run what can be run'
grep -q 'AUROC' lab.md || fail 'lab all does not write down what could be run'

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

# --- bench, which is built where google-benchmark is: two runs side by side
# timings FILE NAME TIME...: a file as google-benchmark writes it, a repetition for each time.
timings() {
  file=$1 name=$2
  shift 2
  { printf '{"context": {}, "benchmarks": ['
    comma=''
    for time; do
      printf '%s{"name": "%s", "run_name": "%s/real_time", "run_type": "iteration", "real_time": %s, "time_unit": "ms"}' \
        "$comma" "$name" "$name" "$time"
      comma=,
    done
    printf ', {"name": "%s_mean", "run_name": "%s", "run_type": "aggregate", "aggregate_name": "mean", "real_time": 99, "time_unit": "ms"}' \
      "$name" "$name"
    printf ', {"name": "only/%s", "real_time": 5, "time_unit": "us"}]}\n' "$file"; } >"$file"
}
if [ -x "$BUILD/bench" ]; then
  timings a.json gemm/x/batch:1 10 30 20
  timings b.json gemm/x/batch:1 5 10 5
  timings c.json gemm/y/batch:1 1
  expect 'bench --help' 0 'benchmark_filter' "$BUILD/bench" --help
  expect 'bench --compare' 0 'gemm/x/batch:1 *| *20 | *5 | *0.250 | 0.2[0-9]* to 0.5' "$BUILD/bench" --compare a.json b.json
  grep -q 'geometric mean of b / a over 1: 0.250' out || fail 'bench --compare: no geometric mean'
  grep -q 'only in a: 1, only in b: 1' out || fail 'bench --compare: does not tell what is in one file only'
  expect 'bench --compare with itself' 0 'over 2: 1.000' "$BUILD/bench" --compare a.json a.json
  expect 'nothing to compare' 1 'c.json: has no benchmark in common with a.json' "$BUILD/bench" --compare a.json c.json
  expect 'comparing a missing file' 1 'none.json.*No such file' "$BUILD/bench" --compare a.json none.json
  expect 'comparing no JSON' 1 'one: is not valid JSON' "$BUILD/bench" --compare one a.json
  expect 'comparing other JSON' 1 'config.json: holds no benchmarks' "$BUILD/bench" --compare whole/config.json a.json
  expect 'comparing one file' 2 '--compare' "$BUILD/bench" --compare a.json
  expect 'bench, unknown flag' 2 'did you mean --profile' "$BUILD/bench" --profil
fi

finish
