#!/bin/sh
# Outside projects, in C++ and in C, build against the installed library with what mereo.pc says and
# with CMake, and run.
build=${BUILD:-build}
# shellcheck source=tests/lib/programs.sh
. "$(dirname "$0")/lib/programs.sh"
root=$(dirname "$tests") prefix=$work/prefix
in_root() { "${MAKE:-make}" -s -C "$root" "$@" BUILD="$build" || fail "make $1"; }
CXX=${CXX:-g++}
CC=$(echo "$CXX" | sed 's/clang++/clang/; s/g++/gcc/')
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}

in_root install PREFIX="$prefix"
if command -v pkg-config >/dev/null; then
  flags=$(PKG_CONFIG_PATH="$prefix/lib/pkgconfig" pkg-config --cflags --libs mereo)
else # what pkg-config would say, of which zlib is the one requirement
  flags="$(sed -n "s|\${prefix}|$prefix|; s|\${includedir}|$prefix/include|; s|\${libdir}|$prefix/lib|
    s/^Cflags: //p; s/^Libs: //p" "$prefix/lib/pkgconfig/mereo.pc" | tr '\n' ' ') -lz"
  echo 'pkg-config is not here: mereo.pc read without it'
fi
# shellcheck disable=SC2086 # flags are a list of words
outside() { # outside COMPILER SOURCE PROGRAM
  $1 ${sanitize:+"$sanitize"} "$2" $flags -o "$3" || fail "$2 does not build"
}

cat >outside.cpp <<'PROGRAM'
#include <mereo/isa.h>
#include <iostream>
int main() { std::cout << mereo::isa() << '\n'; }
PROGRAM
outside "$CXX -std=c++20" outside.cpp ./outside
expect 'a program outside' 0 '^reference$' env MEREO_ISA=reference ./outside

# --- the example of the README, as it stands there, and the C program say what predict says
expect 'a small network' 0 'test error' train --epochs 2 --out run
head -c 5000 run/best.safetensors >damaged.safetensors
cp "$tests/samples/squares.jpg" picture.jpg
predict --no-reconstruction run/best.safetensors picture.jpg | sed 's/ #*$//' >said
awk 'NR == 1 { name = $2 } NR > 1 && $1 == name { print name ": " $2 }' said >best
# runs_right FOLDER: its programs classify and api.
runs_right() {
  "$1/classify" run/best.safetensors picture.jpg >out 2>err || fail "$1: the README's example fails"
  cmp out best || fail "$1: the README's example says $(cat out), predict $(cat best)"
  "$1/api" run/best.safetensors picture.jpg damaged.safetensors >out 2>err || { cat out; fail "$1: api.c fails"; }
  cmp out said || fail "$1: api.c does not say what predict says"
}
sed -n '/^```cpp$/,/^```$/p' "$root/README.md" | sed '1d;$d' >classify.cpp
[ "$(wc -l <classify.cpp)" -le 20 ] || fail 'the example of the README has more than 20 lines'
cp "$tests/embed/api.c" .
mkdir with-flags
outside "$CXX -std=c++20" classify.cpp with-flags/classify
outside "$CC -std=c99 -pedantic -Wall -Wextra -Werror" api.c with-flags/api
runs_right with-flags

# --- CMake
# configure VERSION: the outside project, which asks for that version.
configure() {
  cmake -S project -B "project/$1" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_C_FLAGS="$sanitize" -DCMAKE_CXX_FLAGS="$sanitize" -DMEREO_VERSION="$1" >configured 2>&1
}
if command -v cmake >/dev/null; then
  cp -r "$prefix" moved # the package does not mind
  cp -r "$tests/embed" project
  cp classify.cpp project
  version=$("$prefix/bin/mereo-train" --version)
  if configure "$version" && cmake --build "project/$version" >built 2>&1; then
    runs_right "project/$version"
  else
    cat configured built
    fail 'the CMake project does not build'
  fi
  configure 0.0.9 && fail 'CMake takes another minor version for the one it was asked for'
  configure 9 && fail 'CMake takes an older version for the one it was asked for'
  grep -q 'not accepted' configured || fail 'CMake fails otherwise than by the version'
else
  echo 'cmake is not here: the CMake package not tested'
fi

for program in train evaluate predict render; do
  "$prefix/bin/mereo-$program" --help | grep -q -e --threads || fail "mereo-$program --help"
done

# --- a package is built below DESTDIR for another PREFIX
in_root install DESTDIR="$work/stage" PREFIX=/usr
grep -q '^prefix=/usr$' stage/usr/lib/pkgconfig/mereo.pc || fail 'mereo.pc has another prefix'
[ -x stage/usr/bin/mereo-train ] || fail 'DESTDIR has no programs'

in_root uninstall PREFIX="$prefix"
[ -z "$(find "$prefix/lib" "$prefix/include" "$prefix/bin" -type f)" ] || fail 'uninstall leaves files'
finish
