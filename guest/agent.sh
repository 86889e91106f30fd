#!/bin/sh
# Bootwright's guest agent: runs commands for the host over virtio-serial. Plain POSIX shell plus base64, dd, mkfifo and
# setsid, so that BusyBox alone is enough. Start it once, in the background, when the virtio_console driver is loaded:
#     /usr/lib/bootwright/agent &
# It ends with code 0 when the machine has no agent port (a machine that Bootwright did not start), so an init may
# always start it. The protocol is described in docs/guides/boot-tests.md and spoken by src/vm/agent-protocol.ts.

port_named() {
  # No udev here: the kernel says each port's name in sysfs.
  for name in /sys/class/virtio-ports/vport*/name; do
    [ -r "$name" ] || continue
    if [ "$(cat "$name")" = "$1" ]; then
      port=${name%/name}
      echo "/dev/${port##*/}"
      return 0
    fi
  done
  return 1
}

# One `echo` of at most 32 KiB is one write to the port, so lines of several writers never mix: hence the block size.
pump() {
  while chunk=$(dd bs=16384 count=1 2>/dev/null | base64 -w 0) && [ -n "$chunk" ]; do
    echo "$1 $2 $chunk"
  done
}

run() {
  dir=$work/$1
  mkdir -p "$dir" && mkfifo "$dir/out" "$dir/err"
  pump out "$1" <"$dir/out" >&3 &
  out=$!
  pump err "$1" <"$dir/err" >&3 &
  err=$!
  # Its own session: `kill` takes the whole group along. The command must not hold the port (fd 3).
  setsid sh -c 'echo $$ >"$0"; exec sh -c "$1"' "$dir/pid" "$2" </dev/null >"$dir/out" 2>"$dir/err" 3>&-
  code=$?
  # A daemon that the command left behind may keep its output open for ever: it gets two seconds.
  (sleep 2; kill $out $err) >/dev/null 2>&1 3>&- &
  late=$!
  wait $out $err
  kill $late 2>/dev/null
  rm -rf "$dir"
  echo "exit $1 $code" >&3
}

agent=
for try in 1 2 3 4 5 6 7 8 9 10; do
  agent=$(port_named org.bootwright.agent) && break
  sleep 0.1 2>/dev/null || sleep 1
done
[ -n "$agent" ] || exit 0

work=/run/bootwright-agent
mkdir -p $work 2>/dev/null || { work=/tmp/bootwright-agent; mkdir -p $work; }
exec 3<>"$agent" || exit 1
echo "hello 1" >&3
events=$(port_named org.bootwright.events) && [ "$1" != --no-ready ] && echo '{"event":"ready"}' >"$events"

while :; do
  while read -r verb id argument <&3; do
    case $verb in
      exec) run "$id" "$(echo "$argument" | base64 -d)" & ;;
      kill) [ -r "$work/$id/pid" ] && kill -9 -- "-$(cat "$work/$id/pid")" 2>/dev/null ;;
      ping) echo "hello 1" >&3 ;;
    esac
  done
  sleep 1 # The host closed its end: wait for the next one.
done
