#!/bin/sh
# build/explore from outside: a page that is drawn on in a real browser, questions that are garbage,
# and a clean end.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

if [ ! -x "$BUILD/explore" ]; then
  echo 'build/explore is not here: cpp-httplib was missing, its page is not tested'
  [ "${STRICT:-0}" != 1 ] || fail 'STRICT=1 demands build/explore'
  finish
  exit
fi

expect 'a run' 0 'test error' train --epochs 1 --out run
expect 'explore no checkpoint' 1 'none' "$BUILD/explore" none
"$BUILD/explore" run --port 0 --threads 1 >serving 2>err &
child=$!
slow=$child
wait_for serving
url=$(sed -n 's|^\(http://127.0.0.1:[0-9]*/\) .*|\1|p' serving)
[ -n "$url" ] || fail 'explore does not say where it is'
port=${url##*:}
expect 'a port that is taken' 1 'another one with --port' "$BUILD/explore" run --port "${port%/}"

if has_browser; then
  in_browser explore_page.py "$url" run/reconstructions.png
fi
if command -v python3 >/dev/null; then
  timeout 300 python3 -B "$tests/explore_garbage.py" "$url" $child >out 2>err || fail 'explore_garbage.py'
else
  echo 'python3 is not here: garbage is not sent to explore'
fi

kill -TERM $child 2>/dev/null
wait $child
status=$?
slow=
[ $status = 0 ] || fail "explore ends with status $status after a signal"
finish
