#!/bin/busybox sh
# shellcheck shell=dash
# First process of the guest: mounts the machine's files over 9p and goes on there.
/bin/busybox --install -s /bin
mount -t proc proc /proc
while read -r module; do insmod "/modules/$module"; done </modules.list
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 root /host ||
  { echo "guest: the machine's files cannot be mounted"; poweroff -f; }
stage=$(sed -n 's/.*leman\.stage=\([^ ]*\).*/\1/p' /proc/cmdline)
umount /proc
exec switch_root /host /bin/bash "$stage"
