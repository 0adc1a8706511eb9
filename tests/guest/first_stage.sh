#!/bin/busybox sh
# First process of the guest: mounts the machine's files over 9p and goes on there.
/bin/busybox --install -s /bin
mount -t proc proc /proc
for module in $(cat /modules.list); do insmod "/modules/$module"; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 root /host ||
  { echo "guest: the machine's files cannot be mounted"; poweroff -f; }
for word in $(cat /proc/cmdline); do
  case $word in leman.stage=*) stage=${word#*=} ;; esac
done
umount /proc
exec switch_root /host /bin/bash "$stage"
