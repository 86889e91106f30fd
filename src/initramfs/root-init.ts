/**
 * The init of an initramfs that only leads to the real root: it loads the modules, finds the device that `root=` names,
 * mounts it and hands over with switch_root(8). The kernel would read the same words itself if it had the drivers
 * (kernel Documentation/admin-guide/kernel-parameters.txt: root, rootfstype, rootflags, rootdelay, ro, rw, init).
 *
 * `bootwright.live=PATH` is the one word of ours: what `root=` names is then a medium, a CD or a stick, and the root lies on
 * it as the image PATH; changes go to memory.
 */
import { type BusyboxInitOptions, COLDPLUG, type InitFile, quote } from "./busybox-init.ts";
import { VERITY_TABLE } from "./verity-table.ts";

export function rootInitFiles({
  modules,
  laterModules,
  coldplug,
  run,
  console,
  verify = false,
  watchdog,
  partuuid,
}: Pick<BusyboxInitOptions, "modules" | "laterModules" | "coldplug" | "run" | "console"> & {
  /** Open what the table of verity-table.ts lists, and start nothing else. */
  readonly verify?: boolean;
  /** Seconds after which a machine whose system has not come up starts again. */
  readonly watchdog?: number | undefined;
  /** The text of guest/partuuid.sh. */
  readonly partuuid: string;
}): Record<string, InitFile> {
  const load = (module: string) => `insmod ${quote(module)} || say ${quote(`cannot load ${module}`)}`;
  const first = [...modules.map(load), ...(coldplug ? [COLDPLUG] : [])];
  return {
    "/init": {
      content: [
        ...PROLOGUE,
        ...first,
        ...(watchdog === undefined ? [] : [armed(watchdog)]),
        ...run.map(quote),
        ...laterModules.map(load),
        partuuid.trimEnd(),
        SEARCH,
        // A shell in front of a verified root would be a way around it.
        console === "none" || verify ? "" : SHELL,
        FAIL,
        verify ? VERIFIED : MOUNTED,
        HANDOVER,
      ]
        .filter(Boolean)
        .join("\n"),
      mode: 0o755,
    },
  };
}

const PROLOGUE = [
  "#!/bin/sh",
  "# Leads to the root file system that the kernel command line names.",
  'say() { echo "bootwright: $1" >/dev/console; }',
  "mount -t proc -o nosuid,nodev,noexec proc /proc",
  "mount -t sysfs -o nosuid,nodev,noexec sysfs /sys",
  "mount -t devtmpfs -o nosuid devtmpfs /dev 2>/dev/null",
  "mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run",
];

/** Partition names come from the kernel's own uevent files: there is no udev here. */
const SEARCH = `root= type= flags= mode=ro init=/sbin/init wait=30 live=
for word in $(cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    rootfstype=*) type=\${word#rootfstype=} ;;
    rootflags=*) flags=\${word#rootflags=} ;;
    rootdelay=*) wait=\${word#rootdelay=} ;;
    init=*) init=\${word#init=} ;;
    bootwright.live=*) live=\${word#bootwright.live=} ;;
    ro | rw) mode=$word ;;
  esac
done
partition() {
  for uevent in /sys/class/block/*/uevent; do
    grep -q -i -x "$1" "$uevent" 2>/dev/null || continue
    device=\${uevent%/uevent}
    echo "/dev/\${device##*/}"
    return
  done
}
partition_of_uuid() {
  wanted=$(echo "$1" | tr A-F a-f)
  for number in /sys/class/block/*/partition; do
    [ "$(partuuid "\${number%/partition}")" = "$wanted" ] || continue
    found=\${number%/partition}
    echo "/dev/\${found##*/}"
    return
  done
}
find_root() {
  case $root in
    PARTLABEL=*) partition "PARTNAME=\${root#PARTLABEL=}" ;;
    PARTUUID=*) partition_of_uuid "\${root#PARTUUID=}" ;;
    LABEL=* | UUID=*) findfs "$root" 2>/dev/null ;;
    /dev/*) [ -b "$root" ] && echo "$root" ;;
  esac
}`;

/**
 * Whoever opened the watchdog and went away without the letter V has not stopped it (kernel
 * Documentation/watchdog/watchdog-api.rst, "Magic Close"): it runs on until the system has come up and stops it.
 */
const armed = (seconds: number): string => `if [ -c /dev/watchdog ]; then
  watchdog -F -T ${seconds} -t ${seconds} /dev/watchdog &
  sleep 0.2
  kill -KILL $!
else
  say "there is no watchdog: a system that hangs stays as it is"
fi`;

const SHELL = `rescue() { say "a shell for looking around follows"; exec setsid cttyhack sh; }`;

const FAIL = `fail() {
  say "$1"
  say "block devices: $(ls /sys/class/block | tr '\\n' ' ')"
  type rescue >/dev/null 2>&1 && rescue
  exit 1
}`;

const MOUNTED = `[ -n "$root" ] || fail "no root= on the kernel command line"
tries=0
until device=$(find_root) && [ -n "$device" ]; do
  tries=$((tries + 1))
  [ $tries -le $((wait * 10)) ] || fail "cannot find the root device $root"
  sleep 0.1
done
if [ -z "$live" ]; then
  mount \${type:+-t "$type"} -o "$mode\${flags:+,$flags}" "$device" /sysroot || fail "cannot mount $device as root"
else
  # What stays mounted below the root goes along with /run, and can be looked at there.
  live_dir=/run/bootwright
  mkdir -p $live_dir/medium $live_dir/image $live_dir/changes
  mount \${type:+-t "$type"} -o "ro\${flags:+,$flags}" "$device" $live_dir/medium || fail "cannot mount the medium $device"
  [ -f "$live_dir/medium/\${live#/}" ] || fail "the medium $root has no $live"
  mount -o loop,ro "$live_dir/medium/\${live#/}" $live_dir/image || fail "cannot mount $live of the medium $root"
  mount -t tmpfs -o mode=755 tmpfs $live_dir/changes || fail "cannot make room for changes in memory"
  mkdir $live_dir/changes/upper $live_dir/changes/work
  layers=lowerdir=$live_dir/image,upperdir=$live_dir/changes/upper,workdir=$live_dir/changes/work
  mount -t overlay -o $layers overlay /sysroot || fail "cannot lay $live below its changes: has the initramfs the module overlay?"
fi`;

/**
 * Which of two slots this is, is told by the partition that the firmware started from (systemd's stub writes it down:
 * systemd-stub(7), LoaderDevicePartUUID): "esp-b" makes {slot} b.
 */
const VERIFIED = `slot=
efivars=/sys/firmware/efi/efivars
mount -t efivarfs -o ro efivarfs $efivars 2>/dev/null
loader=$efivars/LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
if [ -f $loader ]; then
  tries=0
  until esp=$(partition_of_uuid "$(tail -c +5 $loader | tr -d '\\000')") && [ -n "$esp" ]; do
    tries=$((tries + 1))
    [ $tries -le $((wait * 10)) ] || break
    sleep 0.1
  done
  slot=$(sed -n 's/^PARTNAME=.*-//p' "/sys/class/block/\${esp##*/}/uevent")
fi
export DM_DISABLE_UDEV=1
mark='{slot}'
# The device that $root names, once it is there.
locate() {
  case $root in *"$mark"*)
    [ -n "$slot" ] || fail "verity: cannot tell the slot of $name: the firmware does not say where it started from"
    root=\${root%%"$mark"*}$slot\${root#*"$mark"} ;;
  esac
  tries=0
  until device=$(find_root) && [ -n "$device" ]; do
    tries=$((tries + 1))
    [ $tries -le $((wait * 10)) ] || fail "verity: cannot find $root for $name"
    sleep 0.1
  done
}
while read -r name data offset hash mount apart; do
  hashes=
  [ -z "$apart" ] || { root=$apart && locate && hashes=$device; }
  root=$data
  locate
  veritysetup open "$device" "$name" "\${hashes:-$device}" "$hash" --hash-offset="$offset" --panic-on-corruption ||
    fail "verity: $name on $device is not what was signed"
  mount -o ro "/dev/mapper/$name" "/sysroot\${mount%/}" || fail "verity: cannot mount $name on $mount: it is not what was signed"
  say "verity: $name on $device is opened by its root hash\${slot:+ (slot $slot)}"
done </${VERITY_TABLE}`;

const HANDOVER = `[ -e "/sysroot$init" ] || [ -L "/sysroot$init" ] || fail "the root file system $root has no $init"
for dir in dev proc sys run; do
  [ -d "/sysroot/$dir" ] && mount --move "/$dir" "/sysroot/$dir"
done
exec switch_root /sysroot "$init"
`;
