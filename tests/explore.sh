#!/bin/sh
# build/explore from outside: a page that is drawn on in a real browser, questions that are garbage,
# and a clean end; and build/explain's page in the same browser.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

if [ ! -x "$BUILD/explore" ]; then
  echo 'build/explore is not here: cpp-httplib was missing, its page is not tested'
  exit 0
fi
python=$(command -v python3)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)

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

if [ -z "$python" ] || [ -z "$browser" ]; then
  echo 'chromium or python3 is not here: the pages are not tested in a browser'
else
  timeout 300 "$python" -B "$tests/explore_page.py" "$url" run/reconstructions.png ${SHOTS:+"$SHOTS"} >out 2>err ||
    fail 'the page of explore'
  "$BUILD/explain" run --count 2 --health 10 --threads 1 -o page >out 2>err || fail 'explain'
  timeout 120 "$python" -B "$tests/report_page.py" "file://$work/page/index.html" ${SHOTS:+"$SHOTS"} >out 2>err ||
    fail 'the page of explain'
fi

kill -TERM $child
wait $child
status=$?
slow=
[ $status = 0 ] || fail "explore ends with status $status after a signal"
finish
