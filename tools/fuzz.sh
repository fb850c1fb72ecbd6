#!/bin/sh
# Runs one of the fuzzers in build/fuzz and says in a line what came of it; exits 1 when it found
# something, which it then shows.
#
#   tools/fuzz.sh NAME SECONDS
set -u
name=${1:?usage: tools/fuzz.sh NAME SECONDS} seconds=${2:?usage: tools/fuzz.sh NAME SECONDS}
folder=build/fuzz
corpus=$folder/corpus/$name log=$folder/$name.log
mkdir -p "$corpus"
# Where files are written to memory.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
start=$(date +%s)
"$folder/fuzz-$name" -max_total_time="$seconds" -timeout=20 -max_len=20000 -verbosity=0 -print_funcs=0 \
  -print_final_stats=1 -artifact_prefix="$folder/$name-" "$corpus" "tests/fuzz/seeds/$name" tests/samples >"$log" 2>&1
status=$?
inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
said="${inputs:-no} inputs in $(($(date +%s) - start)) s"
if [ $status = 0 ]; then
  printf '  %-11s %s, nothing found; %s kept\n' "$name" "$said" "$(find "$corpus" -type f | wc -l | tr -d ' ')"
  exit
fi
grep -v '^INFO: ' "$log" | head -n 60
printf '  %-11s %s, FOUND what is above, all of it in %s:\n' "$name" "$said" "$log"
sed -n 's/.*Test unit written to /    /p' "$log"
echo "  again with $folder/fuzz-$name FILE; mended, it belongs in tests/fuzz/seeds/$name"
exit 1
