#!/bin/sh
# Runs the structure checks, the doctest programs of a build folder and tests/*.sh, and ends with one
# line: N passed, N failed. Exits 1 when anything failed.
#
#   tools/run_tests.sh BUILD
set -u
BUILD=${1:?usage: tools/run_tests.sh BUILD}
export BUILD
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
# clang's OpenMP runtime is not instrumented; its tool libarcher tells about the barriers instead.
export TSAN_OPTIONS="${TSAN_OPTIONS:-ignore_noninstrumented_modules=1}"
log=$BUILD/test.log
passed=0
failed=0

# run NAME COMMAND...: prints its output only when it fails, or one line.
run() {
  name=$1
  shift
  start=$(date +%s)
  "$@" >"$log" 2>&1
  status=$?
  seconds=$(($(date +%s) - start))
  # [doctest] test cases:  12 |  12 passed | 0 failed | 0 skipped
  counts=$(awk '/^\[doctest\] test cases:/ { gsub(/\|/, " "); print $5, $7 }' "$log" | tail -n 1)
  good=${counts% *}
  bad=${counts#* }
  if [ -z "$counts" ]; then
    good=$((status == 0))
    bad=0
  fi
  [ $status = 0 ] || [ "$bad" != 0 ] || bad=1
  passed=$((passed + good))
  failed=$((failed + bad))
  if [ "$bad" != 0 ]; then
    cat "$log"
    echo "FAILED  $name (exit status $status): $good passed, $bad failed in $seconds s"
  else
    printf '%-7s %s: %s passed in %s s\n' ok "$name" "$good" "$seconds"
    sed -n 's/.* is not here: /          &/p' "$log"
    slowest
  fi
}

# The slowest cases, where one takes more than a second: doctest's "2.5 s: name".
slowest() {
  awk '/^[0-9.]+ s: / && $1 > 1' "$log" | sort -rn | head -n 3 | sed 's/^/          /'
}

run "structure checks" "${MAKE:-make}" -s check
for program in tests tests-double; do
  # The double build has plain loops only.
  [ $program = tests ] || unset MEREO_ISA
  run "$program" "$BUILD/$program" --duration=true --no-intro=true
done
for script in tests/*.sh; do
  [ ! -e "$script" ] || run "$script" "./$script"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
