#!/bin/sh
# Fails on an include that goes up, or across, the floors of tools/floors.txt, on a file that lives
# on no floor, and on a third-party header outside its place.
# shellcheck disable=SC2016 # the single quotes hold awk
cd "$(dirname "$0")/.." || exit 1
find src include tests tools -name '*.h' -o -name '*.cpp' | sort | xargs awk '
function fail(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }

# The folder that owns an included name, "?" when none does: mereo/x.h by the map, folder/x.h by its folder.
function owner(name,   part) {
  split(name, part, "/")
  if (part[1] == "mereo") return (part[2] in header) ? header[part[2]] : "?"
  return (part[1] in floor) ? part[1] : "?"
}

FILENAME == "tools/floors.txt" {
  sub(/#.*/, "")
  if ($1 == "only") for (i = 3; i <= NF; i++) { place[$i] = place[$i] " " $2 }
  else if (NF) {
    level++; folder = ""
    for (i = 1; i <= NF; i++) {
      if ($i == "|") folder = ""
      else if (folder == "") { folder = $i; floor[folder] = level }
      else header[$i ".h"] = folder
    }
  }
  next
}

FNR == 1 {
  split(FILENAME, path, "/")
  free = path[1] == "tests" || path[1] == "tools"
  public = path[1] == "include"
  home = free ? "" : public ? owner(path[2] "/" path[3]) : (path[2] in floor) ? path[2] : "?"
  if (home == "?") fail("lives on no floor of tools/floors.txt")
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
  name = $0; sub(/^[^<"]*[<"]/, "", name); sub(/[>"].*/, "", name)
  for (prefix in place) if (index(name, prefix) == 1) {
    allowed = 0; count = split(place[prefix], places, " ")
    for (i = 1; i <= count; i++) {
      suffix = places[i]
      if (sub(/^\*/, "", suffix)) allowed += substr(FILENAME, length(FILENAME) - length(suffix) + 1) == suffix
      else allowed += index(FILENAME, suffix) == 1
    }
    if (!allowed) fail("<" name "> belongs in" place[prefix] " only")
  }
  private = $0 ~ /"/
  if (free || home == "?" || !(private || name ~ /^mereo\//)) {
    if (public && name ~ /[\/.]/ && name !~ /^(mereo\/|stddef\.h$)/) fail("a public header includes <" name ">")
    next
  }
  if (public && private) { fail("a public header includes the private \"" name "\""); next }
  to = owner(name)
  if (to == "?") fail("\"" name "\" lives on no floor of tools/floors.txt")
  else if (floor[to] > floor[home]) fail(home " (floor " floor[home] ") includes \"" name "\" of " to " (floor " floor[to] ")")
  else if (floor[to] == floor[home] && to != home) fail(home " includes \"" name "\" of its stranger " to)
}
END { exit failed }
' tools/floors.txt
