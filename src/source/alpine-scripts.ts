/**
 * The program of a command stage that runs the scripts of Alpine packages within their root, as apk would at installation:
 * pre-install, post-install, then triggers such as the one that makes BusyBox's links. Plain POSIX shell under BusyBox.
 *
 * It needs no privilege beyond a user namespace with one user. There is nobody to give files to in there, so chown and chgrp of the
 * scripts are written down, for the stage that comes after. Inputs: root (tar), scripts (tar), order. Outputs: root, owners.
 */
export const ALPINE_SCRIPTS = `set -eu
umask 022
root=/tmp/root
mkdir -p $root/.bootwright/bin
tar -x -f inputs/root -C $root --no-same-owner --preserve-permissions
: >$root/.bootwright/owners
cat >$root/.bootwright/bin/chown <<'CHOWN'
#!/bin/sh
# Words are kept apart as the command line has them; -R goes down, all else that begins with - changes nothing here.
deep= spec= name=\${0##*/}
for word; do
  case $word in
    -*) case $word in *R*|--recursive) deep=1;; esac;;
    *)
      if [ -z "$spec" ]; then spec=$word; [ $name = chown ] || spec=:$spec; continue; fi
      if [ -n "$deep" ]; then find "$word"; else echo "$word"; fi | while read -r path; do
        case $path in /*) ;; *) path=$PWD/$path;; esac
        echo "$spec \${path#/}" >>/.bootwright/owners
      done;;
  esac
done
CHOWN
chmod 755 $root/.bootwright/bin/chown
ln -s chown $root/.bootwright/bin/chgrp
mkdir -p $root/.bootwright/scripts $root/dev $root/proc
tar -x -f inputs/scripts -C $root/.bootwright/scripts --no-same-owner --preserve-permissions
mount --rbind /proc $root/proc
mount --rbind /dev $root/dev
within() {
  env -i PATH=/.bootwright/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TZ=UTC \\
    "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" chroot $root "$@"
}
AS_ROOT_WOULD='chown() { /.bootwright/bin/chown "$@"; }; chgrp() { /.bootwright/bin/chgrp "$@"; }; . /.bootwright/scripts/$0'
while read -r script arguments; do
  echo "$script" >&2
  status=0
  # Arguments are a version, or directories: words of their own.
  read -r first <$root/.bootwright/scripts/$script || :
  flags=
  case $first in '#!/bin/sh -e') flags=-e;; esac
  case $first in
    # Read into a shell with functions: a BusyBox may prefer its own chown to any in PATH.
    '#!/bin/sh' | '#!/bin/sh -e' | '#!/bin/ash' | '#!/bin/busybox sh')
      within /bin/sh $flags -c "$AS_ROOT_WOULD" $script $arguments </dev/null >&2 || status=$?;;
    *) within /.bootwright/scripts/$script $arguments </dev/null >&2 || status=$?;;
  esac
  [ $status = 0 ] || { echo "--- $script ended with exit code $status" >&2; exit 1; }
done <inputs/order
umount -l $root/dev $root/proc
cp $root/.bootwright/owners outputs/owners
rm -rf $root/.bootwright
rm -f $root/etc/passwd- $root/etc/group- $root/etc/shadow- $root/etc/.pwd.lock
find $root/tmp $root/run $root/var/tmp -mindepth 1 ! -type d -delete 2>/dev/null || :
# The day on which accounts were made.
[ ! -e $root/etc/shadow ] || sed -i -E "s/^([^:]*:[^:]*):[0-9]+:/\\\\1:$((SOURCE_DATE_EPOCH / 86400)):/" $root/etc/shadow
tar -c -f outputs/root -C $root --sort=name --format=pax --pax-option=delete=atime,delete=ctime --mtime="@$SOURCE_DATE_EPOCH" \\
  --numeric-owner --owner=0 --group=0 .
`;

/** What the script itself runs outside the root. */
export const ALPINE_SCRIPT_PACKAGES = ["coreutils", "dash", "findutils", "mount", "sed", "tar"];
