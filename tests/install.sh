#!/bin/sh
# An outside project builds against the installed library with what mereo.pc says, and runs.
set -eu
cd "$(dirname "$0")/.."
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
"${MAKE:-make}" -s install PREFIX="$prefix" BUILD="${BUILD:-build}"

cat >"$prefix/outside.cpp" <<'PROGRAM'
#include <mereo/isa.h>
#include <iostream>
int main() { std::cout << mereo::isa() << '\n'; }
PROGRAM

if command -v pkg-config >/dev/null; then
  flags=$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --cflags --libs mereo)
else # what pkg-config would say, of which zlib is the one requirement
  flags="$(sed -n "s|\${prefix}|$prefix|; s|\${includedir}|$prefix/include|; s|\${libdir}|$prefix/lib|
    s/^Cflags: //p; s/^Libs: //p" "$prefix/lib/pkgconfig/mereo.pc" | tr '\n' ' ') -lz"
fi
# shellcheck disable=SC2086 # flags are a list of words
${CXX:-g++} -std=c++20 ${SANITIZE:+-fsanitize=$SANITIZE} "$prefix/outside.cpp" $flags -o "$prefix/outside"
MEREO_ISA=reference "$prefix/outside" | grep -qx reference

# The example of the README compiles as it stands there.
sed -n '/^```cpp$/,/^```$/p' README.md | sed '1d;$d' >"$prefix/classify.cpp"
# shellcheck disable=SC2086
${CXX:-g++} -std=c++20 ${SANITIZE:+-fsanitize=$SANITIZE} "$prefix/classify.cpp" $flags -o "$prefix/classify"

for program in train evaluate predict render; do
  "$prefix/bin/mereo-$program" --help | grep -q -e --threads
done

# A package is built below DESTDIR for another PREFIX.
"${MAKE:-make}" -s install DESTDIR="$prefix/stage" PREFIX=/usr BUILD="${BUILD:-build}"
grep -q '^prefix=/usr$' "$prefix/stage/usr/lib/pkgconfig/mereo.pc"
[ -x "$prefix/stage/usr/bin/mereo-train" ]
rm -r "$prefix/stage"

"${MAKE:-make}" -s uninstall PREFIX="$prefix" BUILD="${BUILD:-build}"
[ -z "$(find "$prefix/lib" "$prefix/include" "$prefix/bin" -type f)" ]
