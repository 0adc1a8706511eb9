#!/bin/bash
# The guest on the machine's root: fresh places to write, the kernel's own modules, then the command.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/shm /dev/pts /dev/net
mknod /dev/net/tun c 10 200 # opening it loads the module
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/root /mnt/out
mount --bind / /mnt/root
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=262144 out /mnt/out
for place in /tmp /run /dev/shm /var/log /var/tmp; do mount -t tmpfs tmpfs "$place"; done
# What the command needs may stand in a place that is fresh now.
while read -r kept; do
  [[ -e $kept ]] || { mkdir -p "$kept" && mount --bind "/mnt/root$kept" "$kept"; }
done </mnt/out/.kept
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mkdir -p /run/lock /run/netns
guest=$(sed -n 's/.*leman\.guest=\([^ ]*\).*/\1/p' /proc/cmdline)

# Modules that the kernel asks for by itself come from the guest kernel's tree.
printf '#!/bin/sh\nexec /sbin/modprobe -d %s "$@"\n' "$guest" >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
echo guest >/proc/sys/kernel/hostname
ip link set lo up

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp TERM=dumb OUT=/mnt/out
export LEMAN_GUEST=1 MODPROBE=/run/modprobe
dmesg -n 1
bash /mnt/out/.command
echo $? >/mnt/out/.status
sync
echo o >/proc/sysrq-trigger
sleep 10
