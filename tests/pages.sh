#!/bin/sh
# The pages that open from disk, in a real browser: the report of a run, and build/explain's.
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"

# --- where there is no browser that is said, and STRICT=1 does not pass over it
# shellcheck disable=SC2123
without_browser() ( PATH=$work/bare STRICT=$1; has_browser )
mkdir bare
ln -s "$(command -v python3)" bare/python3
said=$(without_browser 0) && fail 'a browser is found where there is none'
[ "$said" = 'chromium or python3 is not here: pages are not tested in a browser' ] || fail "no browser: $said"
said=$(without_browser 1)
[ "${said##*FAILED: }" = 'STRICT=1 demands a browser' ] || fail "no browser with STRICT=1: $said"

has_browser || { finish; exit; }
expect 'a run' 0 'test error' train --epochs 2 --out run
in_browser run_page.py "file://$work/run/report.html"
"$BUILD/explain" run --count 8 --health 10 --threads 1 -o page >out 2>err || fail 'explain'
in_browser report_page.py "file://$work/page/index.html"

# --- what classes and files are called is shown, and nothing else
long=$(printf 'x%.0s' $(seq 200))
for name in '<img src=x onerror=console.error(1)> "A" &amp; B' "$long"; do
  mkdir -p "odd/$name"
  cp page/00?-input.png "odd/$name"
done
expect 'classes with odd names' 0 'validation error' train --data folder:odd --epochs 2 --batch 4 --validation 4 --out odd-run
in_browser run_page.py "file://$work/odd-run/report.html"
cp page/000-input.png "<b onclick='x'>.png"
"$BUILD/explain" odd-run "<b onclick='x'>.png" "odd/$long/001-input.png" --threads 1 -o odd-page >out 2>err || fail 'explain odd names'
in_browser report_page.py "file://$work/odd-page/index.html"
finish
