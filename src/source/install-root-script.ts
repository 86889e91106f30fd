/**
 * The program of a command stage that installs Debian packages into an empty root, as debootstrap and mmdebstrap do: the
 * essential packages are unpacked so that scripts can run at all, then dpkg unpacks and configures everything within the
 * root. Plain POSIX shell; docs/decisions/0012-debian-roots.md says why it is made so.
 *
 * It needs no privilege beyond a user namespace with one user. Owners, devices and capabilities are kept by fakeroot, and
 * stand in the tar that comes out. The root lies on a tmpfs: there an inode number is not used again, which fakeroot relies
 * on, and dpkg's many calls of fsync cost nothing.
 *
 * Inputs: PACKAGE.deb each; order ("LEVEL PACKAGE" a line); libfakeroot.so, for the root's architecture. Output: root.
 */
export const INSTALL_ROOT_SCRIPT = `set -eu
umask 022

# Whatever is mounted here goes when this ends.
if [ "\${1-}" != inside ]; then exec unshare --mount dash "$0" inside; fi

root=/tmp/root
mkdir $root
mount -t tmpfs -o mode=755,size=80%,nr_inodes=0 root $root
touch -d "@$(($(date +%s) - 2))" /tmp/began

# faked says "KEY:PROCESS" and stays behind; it goes with the sandbox.
FAKEROOTKEY=$(faked-sysv)
FAKEROOTKEY=\${FAKEROOTKEY%%:*}
# In this namespace there is nobody to give files to, so fakeroot need not try.
export FAKEROOTKEY FAKEROOTDONTTRYCHOWN=1
for library in /usr/lib/*/libfakeroot/libfakeroot-sysv.so; do :; done
fake() { LD_PRELOAD=$library "$@"; }

# Packages of a level: those to unpack, as files; those to configure.
to_unpack() { while read -r unpack configure name; do [ "$unpack" != "$1" ] || echo "$name"; done <inputs/order; }
to_configure() { while read -r unpack configure name; do [ "$configure" != "$1" ] || echo "$name"; done <inputs/order; }
files() { for name in $(to_unpack "$1"); do echo "/.bootwright/inputs/$name.deb"; done; }

# Merged /usr from the start, as Debian's own installer has it.
for dir in $MERGED; do
  fake mkdir -p "$root/usr/$dir"
  fake ln -s "usr/$dir" "$root/$dir"
done
for name in $(to_unpack 0); do
  dpkg-deb --fsys-tarfile "inputs/$name.deb" |
    fake tar --extract --directory $root --preserve-permissions --numeric-owner --keep-directory-symlink
done
if [ -n "$(find $root -type f -newer /tmp/began)" ]; then
  echo "the packages are newer than this host's clock, $(date)" >&2
  exit 1
fi
[ -e $root/usr/bin/awk ] || fake ln -s mawk $root/usr/bin/awk # Until mawk's own script sets the alternative.
fake mkdir -p $root/var/lib/dpkg/info $root/var/lib/dpkg/updates
fake touch $root/var/lib/dpkg/status $root/var/lib/dpkg/available

# A /dev for whoever starts without devtmpfs. What the scripts see is the sandbox's own.
device() { fake mknod -m "$2" "$root/dev/$1" c "$3" "$4"; }
[ -e $root/dev/null ] || {
  device console 600 5 1
  device full 666 1 7
  device null 666 1 3
  device ptmx 666 5 2
  device random 666 1 8
  device tty 666 5 0
  device urandom 666 1 9
  device zero 666 1 5
  fake mkdir -p $root/dev/pts $root/dev/shm
  fake chmod 1777 $root/dev/shm
  fake ln -s /proc/self/fd $root/dev/fd
  fake ln -s /proc/self/fd/0 $root/dev/stdin
  fake ln -s /proc/self/fd/1 $root/dev/stdout
  fake ln -s /proc/self/fd/2 $root/dev/stderr
}
fake mkdir -p $root/.bootwright/inputs $root/proc $root/sys
cp inputs/libfakeroot.so $root/.bootwright/libfakeroot.so
mount --rbind /proc $root/proc
mount --rbind /dev $root/dev
mount --bind inputs $root/.bootwright/inputs
# No service may start (invoke-rc.d(8)).
printf '#!/bin/sh\\nexit 101\\n' >$root/usr/sbin/policy-rc.d
chmod 755 $root/usr/sbin/policy-rc.d

within() {
  chroot $root /usr/bin/env -i \\
    HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC PYTHONHASHSEED=0 \\
    DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true DEBCONF_NOWARNINGS=yes \\
    SYSTEMD_OFFLINE=1 "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \\
    "FAKEROOTKEY=$FAKEROOTKEY" FAKEROOTDONTTRYCHOWN=1 LD_PRELOAD=/.bootwright/libfakeroot.so "$@"
}

# On failure, what dpkg said around its first error, and nothing else: that is what is shown.
dpkg_within() {
  {
    status=0
    within dpkg --force-unsafe-io --abort-after=1 "$@" 2>&1 || status=$?
    echo $status >/tmp/status
  } | tee /tmp/log >&2
  read -r status </tmp/status
  [ "$status" = 0 ] && return
  line=$(grep -n -m 1 '^dpkg: \\(error\\|dependency problems\\|unrecoverable\\)' /tmp/log | cut -d: -f1)
  [ -n "$line" ] || line=$(wc -l </tmp/log)
  echo "--- what failed" >&2
  head -n $((line + 3)) /tmp/log | tail -n 24 >&2
  exit 1
}

dpkg_within --force-depends --install /.bootwright/inputs/base-passwd.deb
dpkg_within --force-depends --unpack $(files 0)
dpkg_within --configure $(to_configure 0)
last=$(cut -d' ' -f1 inputs/order | sort -n | tail -n 1)
for i in $(seq 1 "$last"); do
  dpkg_within --unpack $(files "$i")
  dpkg_within --configure $(to_configure "$i")
done
# What a trigger has left undone.
dpkg_within --configure --pending
[ -z "$(within dpkg --audit)" ] || { within dpkg --audit >&2; exit 1; }

within sh -eu <<'CLEAN'
# What belongs to one machine: the first boot makes it.
[ ! -e /etc/machine-id ] || : >/etc/machine-id
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
rm -f /etc/ssh/ssh_host_*key /etc/ssh/ssh_host_*key.pub /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/urandom/random-seed
# What tells of the installation, and of its day.
rm -f /usr/sbin/policy-rc.d /etc/.pwd.lock /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -f /var/lib/dpkg/*-old /var/lib/dpkg/available /var/lib/dpkg/lock /var/lib/dpkg/lock-frontend /var/lib/dpkg/triggers/Lock /var/cache/debconf/*-old
rm -f /var/log/alternatives.log /var/log/dpkg.log /var/log/bootstrap.log /var/log/fontconfig.log /var/log/apt/*.log*
rm -f /var/cache/ldconfig/aux-cache /var/cache/apt/*.bin
rm -rf /var/cache/man/* /var/lib/apt/lists/*
find /run -mindepth 1 ! -path /run/lock -delete
find /tmp /var/tmp -mindepth 1 -delete
# The day on which accounts were made.
for file in /etc/shadow; do
  [ ! -e $file ] || sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\\1:$((SOURCE_DATE_EPOCH / 86400)):/" $file
done
# Keys of its own for each machine's ssh.
if [ -x /usr/sbin/sshd ] && [ -d /usr/lib/systemd/system ] && [ ! -e /usr/lib/systemd/system/ssh-host-keys.service ]; then
  cat >/usr/lib/systemd/system/ssh-host-keys.service <<'UNIT'
[Unit]
Description=Make the host keys of ssh
Before=ssh.service
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
UNIT
  mkdir -p /usr/lib/systemd/system/ssh.service.wants
  ln -s ../ssh-host-keys.service /usr/lib/systemd/system/ssh.service.wants/
fi
CLEAN

umount --lazy $root/.bootwright/inputs $root/dev $root/proc
fake rm -r $root/.bootwright
fake find $root -xdev -newer /tmp/began -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
fake tar --create --file outputs/root --directory $root --sort=name --format=pax --numeric-owner \\
  --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \\
  --xattrs --xattrs-include=security.capability --xattrs-include='user.*' .
`;
