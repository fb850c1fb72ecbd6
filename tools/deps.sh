#!/bin/sh
# Finds what building and testing need by compiling against it, and installs what is missing when it
# may (root, or sudo without a password); otherwise prints the exact command and exits 1.
#
#   tools/deps.sh check|install|lint|dev [CONFIG]
#
# check never installs; lint adds what checks the sources, the installed library and pages, dev all
# that only contributors need. CONFIG receives, as make variables, which optional libraries were found.
# From the environment: CXX, CPPFLAGS, LDFLAGS, and LINK_FLAGS (those of OpenMP and the sanitizers).
# shellcheck disable=SC2086 # flags and package names are lists of words
set -u
mode=${1:?usage: tools/deps.sh check|install|lint|dev [CONFIG]}
config=${2:-/dev/null}
CXX=${CXX:-g++}
LINK_FLAGS=${LINK_FLAGS--fopenmp}

needs="compiler openmp zlib xsimd stb cli11 json doctest fetch"
[ "$mode" = check ] || needs="$needs httplib"
[ "$mode" != lint ] || needs="$needs format shellcheck cmake pkgconf chromium"
[ "$mode" != dev ] || needs="$needs benchmark clang libomp format valgrind shellcheck cmake pkgconf torch chromium"

manager=none
for candidate in apt-get dnf pacman brew; do
  if command -v $candidate >/dev/null; then
    manager=$candidate
    break
  fi
done

# The packages that bring a need; + joins several, - is none.
packages() {
  row=$1
  case $1:$CXX in
  compiler:*clang*) row=clang ;;
  openmp:*clang*) row=libomp ;;
  compiler:* | openmp:*) row=gcc ;;
  esac
  while read -r need apt dnf pacman brew; do
    [ "$need" = "$row" ] || continue
    case $manager in
    apt-get) echo "$apt" ;;
    dnf) echo "$dnf" ;;
    pacman) echo "$pacman" ;;
    brew) echo "$brew" ;;
    *) echo - ;;
    esac | tr , ' '
  done <<'TABLE'
gcc        g++                     gcc-c++                 gcc             gcc
zlib       zlib1g-dev              zlib-devel              zlib            zlib
xsimd      libxsimd-dev            xsimd-devel             xsimd           xsimd
stb        libstb-dev              stb_image-devel,stb_easy_font-devel stb   -
cli11      libcli11-dev            cli11-devel             cli11           cli11
json       nlohmann-json3-dev      json-devel              nlohmann-json   nlohmann-json
doctest    doctest-dev             doctest-devel           doctest         doctest
fetch      curl,ca-certificates    curl                    curl            curl
httplib    libcpp-httplib-dev      cpp-httplib-devel       cpp-httplib     cpp-httplib
benchmark  libbenchmark-dev        google-benchmark-devel  benchmark       google-benchmark
clang      clang,libclang-rt-dev   clang,compiler-rt       clang           llvm
libomp     libomp-dev              libomp-devel            openmp          libomp
format     clang-format-14         -                       -               -
valgrind   valgrind                valgrind                valgrind        -
shellcheck shellcheck              ShellCheck              shellcheck      shellcheck
cmake      cmake                   cmake                   cmake           cmake
pkgconf    pkg-config              pkgconf-pkg-config      pkgconf         pkgconf
chromium   chromium                chromium                chromium        -
torch      python3-torch,python3-numpy python3-torch,python3-numpy python-pytorch,python-numpy pytorch,numpy
TABLE
}

build() { # a program on stdin; options as arguments
  $CXX -std=c++20 -x c++ ${CPPFLAGS:-} $LINK_FLAGS - -o /dev/null ${LDFLAGS:-} "$@" 2>/dev/null
}
header() { printf '#include <%s>\nint main() {}\n' "$1" | build -fsyntax-only; }
program() { command -v "$1" >/dev/null; }

# A header alone, or compiled, as Debian has it, with these.
httplib_flags="-DCPPHTTPLIB_OPENSSL_SUPPORT -DCPPHTTPLIB_ZLIB_SUPPORT -DCPPHTTPLIB_BROTLI_SUPPORT"
httplib() {
  printf '#include <httplib.h>\nint main() { httplib::Server server; return !server.is_valid(); }\n' | build -pthread "$@"
}

have() {
  case $1 in
  compiler) printf '#include <concepts>\nint main() {}\n' | LINK_FLAGS='' build ;;
  openmp) printf 'int main() {}\n' | build ;;
  zlib) printf '#include <zlib.h>\nint main() { return !zlibVersion(); }\n' | build -lz ;;
  xsimd) header xsimd/xsimd.hpp ;;
  stb) header stb/stb_image.h && header stb/stb_easy_font.h ;;
  cli11) header CLI/CLI.hpp ;;
  json) header nlohmann/json.hpp ;;
  doctest) header doctest/doctest.h ;;
  fetch) program curl && { [ $manager != apt-get ] || [ -e /etc/ssl/certs/ca-certificates.crt ]; } ;;
  httplib) httplib || httplib $httplib_flags -lcpp-httplib ;;
  benchmark) printf '#include <benchmark/benchmark.h>\nBENCHMARK_MAIN();\n' | build -lbenchmark ;;
  clang) program clang++ || program clang++-14 ;;
  libomp) CXX=$(command -v clang++ || command -v clang++-14) && echo 'int main() {}' | LINK_FLAGS=-fopenmp build ;;
  format) program clang-format-14 ;;
  valgrind | shellcheck | cmake) program "$1" ;;
  pkgconf) program pkg-config ;;
  chromium) program chromium || program chromium-browser || program google-chrome ;;
  torch) ${PYTHON:-python3} -c 'import torch, numpy' 2>/dev/null ;;
  esac
}

find_missing() {
  missing=$(for need in $needs; do have "$need" >/dev/null || echo "$need" & done | sort)
  wanted=$(for need in $missing; do packages "$need"; done | grep -v '^-$' | tr ' ' '\n' | sort -u)
}

find_missing
if [ -n "$wanted" ]; then
  sudo=
  [ "$manager" = brew ] || [ "$(id -u)" = 0 ] || sudo="sudo "
  wanted=$(printf "%s " $wanted)
  case $manager in
  apt-get) command="${sudo}apt-get update && ${sudo}apt-get install -y --no-install-recommends $wanted" ;;
  dnf) command="${sudo}dnf install -y $wanted" ;;
  pacman) command="${sudo}pacman -Sy --needed --noconfirm $wanted" ;;
  brew) command="brew install $wanted" ;;
  esac
  if [ "$mode" = check ] || { [ -n "$sudo" ] && ! sudo -n true 2>/dev/null; }; then
    echo "deps: missing:" $missing "- install with" >&2
    echo "  $command" >&2
    exit 1
  fi
  echo "deps: installing what is missing:" $missing
  echo "  $command"
  DEBIAN_FRONTEND=noninteractive sh -c "$command" >&2 || exit 1
  find_missing
fi
if [ -n "$missing" ]; then
  echo "deps: missing:" $missing "- $manager has no package for it" >&2
  exit 1
fi

mkdir -p "$(dirname "$config")"
without=
if have benchmark; then
  echo "HAVE_BENCHMARK := 1" >"$config"
else
  echo "HAVE_BENCHMARK :=" >"$config"
  without=" but google-benchmark, so the program bench is not built (package $(packages benchmark))"
fi
if httplib; then
  echo "HAVE_HTTPLIB := 1" >>"$config"
  echo "HTTPLIB_LIBS := -pthread" >>"$config"
elif have httplib; then
  echo "HAVE_HTTPLIB := 1" >>"$config"
  echo "HTTPLIB_FLAGS := $httplib_flags" >>"$config"
  echo "HTTPLIB_LIBS := -lcpp-httplib -pthread" >>"$config"
else
  echo "HAVE_HTTPLIB :=" >>"$config"
  without="$without but cpp-httplib, so the program explore is not built (package $(packages httplib))"
fi
echo "deps: all found$without"
