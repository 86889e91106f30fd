#!/bin/sh
# Updates a machine with two slots. Each slot has an EFI system partition (esp-a, esp-b) and read-only images (NAME-a,
# NAME-b) that its signed EFI file knows by their hashes. The other slot is written while this one runs, and the firmware is
# told to try it once (BootNext). Only a healthy start makes it the first choice (BootOrder): whatever hangs, panics or loses
# power before that comes back in the old slot, since nobody has told the firmware otherwise.
#
#   status          which slot runs, and what the firmware will start next
#   apply SOURCE    verify the update in a directory or at an http address, write it, try it at the next start
#   confirm         at each start: run the health checks, then keep this slot, or else go back
#   rollback        make the other slot the first choice again
set -u
export LC_ALL=C
# A test may put all that is the machine's elsewhere.
root=${BOOTWRIGHT_UPDATE_ROOT:-}
library=$root/usr/lib/bootwright
conf=$library/update.conf
efivars=$root/sys/firmware/efi/efivars
blocks=$root/sys/class/block
GLOBAL=8be4df61-93ca-11d2-aa0d-00e098032b8c
LOADER=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f

say() { echo "update: $*"; }
fail() {
  echo "update: $*" >&2
  exit 1
}

# NAME, RELEASE, VERSION, FLOOR, WATCHDOG, HEALTH (one command a line) of the system that runs.
[ -r "$conf" ] || fail "there is no $conf: this system was built without \`update\`"
. "$conf"
. "$library/partuuid.sh"

# partition NAME: its directory below /sys/class/block.
partition() {
  for uevent in "$blocks"/*/uevent; do
    grep -q -x "PARTNAME=$1" "$uevent" 2>/dev/null && echo "${uevent%/uevent}" && return
  done
  return 1
}

device() { echo "$root/dev/${1##*/}"; }

current_slot() {
  file=$efivars/LoaderDevicePartUUID-$LOADER
  [ -f "$file" ] || fail "the firmware does not say where this system was started from"
  uuid=$(tail -c +5 "$file" | tr -d '\000' | tr A-F a-f)
  for slot in a b; do
    dir=$(partition "esp-$slot") && [ "$(partuuid "$dir" "$root")" = "$uuid" ] && echo $slot && return
  done
  fail "this system was not started from esp-a or esp-b"
}

other_slot() { [ "$1" = a ] && echo b || echo a; }

# Bytes without a process each: a number of N bytes, the lowest first; hex digits; text as UTF-16; a GUID as EFI has it.
byte() { printf "\\$(($1 >> 6))$((($1 >> 3) & 7))$(($1 & 7))"; }
le() {
  value=$1 left=$2
  while [ "$left" -gt 0 ]; do
    byte $((value & 255))
    value=$((value >> 8)) left=$((left - 1))
  done
}
hex() {
  digits=$1
  while [ -n "$digits" ]; do
    tail=${digits#??}
    byte $((0x${digits%"$tail"}))
    digits=$tail
  done
}
utf16() {
  text=$1
  while [ -n "$text" ]; do
    tail=${text#?}
    printf '%s\000' "${text%"$tail"}"
    text=$tail
  done
}
guid() {
  echo "$1" | tr -d - | sed 's/^\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\4\3\2\1\6\5\8\7/' | {
    read -r digits
    hex "$digits"
  }
}

# A variable's content without its attributes, as hex digits.
get_variable() { tail -c +5 "$efivars/$1-$GLOBAL" 2>/dev/null | od -An -v -tx1 | tr -d ' \n'; }

# set_variable NAME < content: efivarfs wants attributes and content in one write.
set_variable() {
  temporary=$(mktemp)
  { le 7 4 && cat; } >"$temporary"
  dd if="$temporary" of="$efivars/$1-$GLOBAL" bs=65536 count=1 2>/dev/null || fail "cannot set the EFI variable $1"
  rm -f "$temporary"
}

# EFI_LOAD_OPTION (UEFI 2.10 3.1.3): the boot file on the slot's partition.
load_option() {
  dir=$(partition "esp-$1") || fail "there is no partition esp-$1"
  number=$(cat "$dir/partition") start=$(cat "$dir/start") size=$(cat "$dir/size")
  uuid=$(partuuid "$dir" "$root")
  # sysfs counts in 512 bytes, the device path in the disk's own sectors.
  sector=$(cat "$dir/../queue/logical_block_size" 2>/dev/null || echo 512)
  file='\EFI\BOOT\'$BOOT_FILE
  node=$((4 + 2 * ${#file} + 2))
  le 1 4 && le $((42 + node + 4)) 2
  utf16 "$NAME $1" && le 0 2
  hex 04012a00 && le "$number" 4 && le $((start * 512 / sector)) 8 && le $((size * 512 / sector)) 8 && guid "$uuid" && hex 0202
  hex 0404 && le "$node" 2 && utf16 "$file" && le 0 2
  hex 7fff0400
}

# The number (four hex digits) of the slot's boot entry, which is made when it is not there or not right.
entry() {
  wanted=$(load_option "$1" | od -An -v -tx1 | tr -d ' \n')
  free=
  for n in 0 1 2 3 4 5 6 7 8 9 A B C D E F; do
    number=00B$n
    found=$(get_variable "Boot$number")
    [ "$found" = "$wanted" ] && echo "$number" && return
    [ -z "$found" ] && [ -z "$free" ] && free=$number
  done
  [ -n "$free" ] || fail "the firmware has no room for another boot entry"
  load_option "$1" | set_variable "Boot$free"
  echo "$free"
}

little() { echo "$1" | sed 's/\(..\)\(..\)/\2\1/' | tr A-F a-f; }

# first SLOT OTHER: this order, then whatever else the firmware had.
set_order() {
  first=$(little "$(entry "$1")") second=$(little "$(entry "$2")")
  rest=$(get_variable BootOrder | sed 's/..../& /g')
  order=$first$second
  for number in $rest; do
    [ "$number" = "$first" ] || [ "$number" = "$second" ] || order=$order$number
  done
  [ "$order" = "$(get_variable BootOrder)" ] || hex "$order" | set_variable BootOrder
}

# is_first SLOT OTHER: which of the two comes first; firmware may have put others before both.
is_first() {
  mine=$(little "$(entry "$1")") theirs=$(little "$(entry "$2")")
  for number in $(get_variable BootOrder | sed 's/..../& /g'); do
    [ "$number" = "$mine" ] && return 0
    [ "$number" = "$theirs" ] && return 1
  done
  return 1
}

need_efivars() {
  [ -n "$root" ] && return
  mount -o remount,rw "$efivars" 2>/dev/null || mount -t efivarfs efivarfs "$efivars" 2>/dev/null
  [ -d "$efivars" ] && ls "$efivars" | grep -q . || fail "the firmware's variables are not there: is efivarfs in the kernel?"
}

# ---- apply

fetch() {
  case $source in
    http://* | https://*) wget -q -O - "$source/$1" ;;
    *) cat "$source/$1" ;;
  esac
}

# verify_manifest SOURCE: its text in $work/update, signed by the key of the system that runs.
verify_manifest() {
  fetch update >"$work/update" && fetch update.minisig >"$work/update.minisig" || fail "$source holds no update"
  minisign -V -q -p "$library/update.pub" -m "$work/update" -x "$work/update.minisig" ||
    fail "the update is not signed by the key that this system trusts"
  field() { sed -n "s/^$1 //p" "$work/update"; }
  [ "$(field bootwright-update)" = 1 ] || fail "the update is of a kind that this system does not know"
  [ "$(field name)" = "$NAME" ] || fail "the update is for $(field name), this is $NAME"
  release=$(field release)
  case $release in '' | *[!0-9]*) fail "the update has no release number" ;; esac
  [ "$release" -ge "$FLOOR" ] || fail "refused: the update is release $release, older than $FLOOR, the oldest that this system takes"
}

# write_image PARTITION SIZE SHA256 FILE
write_image() {
  dir=$(partition "$1") || fail "there is no partition $1"
  [ $(($(cat "$dir/size") * 512)) -ge "$2" ] || fail "$4 needs $2 bytes, the partition $1 has $(($(cat "$dir/size") * 512))"
  target=$(device "$dir")
  say "writing $4 to $1"
  fetch "$4" | dd of="$target" bs=1048576 iflag=fullblock conv=fsync,notrunc 2>/dev/null || fail "cannot write $1"
  # Read back from the disk, not from memory.
  [ -n "$root" ] || echo 3 >/proc/sys/vm/drop_caches
  [ "$(head -c "$2" "$target" | sha256sum | cut -d' ' -f1)" = "$3" ] || fail "$1 does not hold what was written to it"
}

apply() {
  source=$1
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  need_efivars
  verify_manifest
  slot=$(current_slot) && other=$(other_slot "$slot") || exit 1
  say "release $release of $NAME, version $(field version), into slot $other"
  # While it is half written, nothing starts it.
  esp=$(partition "esp-$other") || fail "there is no partition esp-$other"
  dd if=/dev/zero of="$(device "$esp")" bs=1048576 count=1 conv=fsync,notrunc 2>/dev/null || fail "cannot write esp-$other"
  # The EFI file comes last: it is what makes the slot a system.
  for last in no yes; do
    sed -n 's/^image //p' "$work/update" | while read -r name size sha256 file; do
      [ "$name" = esp ] && is_esp=yes || is_esp=no
      [ "$is_esp" = "$last" ] || continue
      write_image "$name-$other" "$size" "$sha256" "$file" || exit 1
    done || exit 1
  done
  # The firmware itself may have chosen this slot, as at a first start: say so before it is told of another.
  set_order "$slot" "$other"
  hex "$(little "$(entry "$other")")" | set_variable BootNext
  sync
  say "written; the next start tries slot $other, once"
}

# ---- confirm

disarm() { if [ -c "$root/dev/watchdog" ]; then printf V >"$root/dev/watchdog"; fi; }

confirm() {
  need_efivars
  slot=$(current_slot) && other=$(other_slot "$slot") || exit 1
  if [ -n "$(get_variable "Boot00B0")" ] && ! is_first "$slot" "$other"; then
    say "slot $slot is on trial"
    printf '%s\n' "$HEALTH" | while IFS= read -r check; do
      [ -z "$check" ] && continue
      sh -c "$check" || fail "not healthy: $check ended with $?"
    done || { say "going back to slot $other" && sync && go_back; }
    set_order "$slot" "$other"
    say "slot $slot is healthy and stays: $NAME $VERSION, release $RELEASE"
  else
    set_order "$slot" "$other"
    say "slot $slot runs: $NAME $VERSION, release $RELEASE"
  fi
  disarm
}

go_back() {
  [ -n "$root" ] && exit 1
  reboot -f
}

status() {
  need_efivars
  slot=$(current_slot) || exit 1
  say "slot $slot runs: $NAME $VERSION, release $RELEASE; updates from release $FLOOR on are taken"
  next=$(get_variable BootNext)
  [ -n "$next" ] && say "the next start tries slot $(other_slot "$slot"), once"
  is_first "$slot" "$(other_slot "$slot")" && say "slot $slot is the first choice" || say "slot $(other_slot "$slot") is the first choice"
}

rollback() {
  need_efivars
  slot=$(current_slot) && other=$(other_slot "$slot") || exit 1
  set_order "$other" "$slot"
  say "slot $other is the first choice"
}

case ${1:-} in
  status | confirm | rollback) "$1" ;;
  apply) [ $# -eq 2 ] || fail "apply what? a directory or an http address"; apply "$2" ;;
  *) fail "usage: bootwright-update status | apply SOURCE | confirm | rollback" ;;
esac
