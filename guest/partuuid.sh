# For scripts of ours that take it in: the initramfs that leads to a root, and the updater.

# partuuid DIR [ROOT]: the number of the partition with this directory in sysfs, out of the table of its disk (UEFI 2.10, table
# 5.7): kernels before 6.6 do not say it in its uevent. ROOT stands before /dev in a test.
partuuid() {
  table=$(readlink -f "$1/..")
  sector=$(cat "$table/queue/logical_block_size")
  at=$((2 * sector + ($(cat "$1/partition") - 1) * 128 + 16))
  dd if="${2:-}/dev/${table##*/}" bs=16 skip=$((at / 16)) count=1 2>/dev/null | od -An -v -tx1 | tr -d ' \n' |
    sed 's/^\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(....\)/\4\3\2\1-\6\5-\8\7-\9-/'
}
