#!/bin/bash
# Installs what Leman needs from Debian's archive: tools/setup.sh [build|run|lint|qemu]...
# Without arguments: build and run. Does nothing (in a fraction of a second) when all is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# Where the guest kernel of `kind: qemu` machines is unpacked; src/lab/guest_image.cc looks here too.
guest_dir=${LEMAN_GUEST_DIR:-$PWD/build/guest}

# group: packages # what they are for
package_table() {
  cat <<'END'
build: g++ cmake ninja-build ccache make pkg-config git # the C++ build; ccache makes the second one quick
build: clang-19 llvm-19 libclang-rt-19-dev # clang compiles the BPF programs and the fuzzers
build: bpftool libbpf-dev libelf-dev zlib1g-dev # BPF skeletons and their loader
build: linux-libc-dev # kernel UAPI headers for BPF C
build: libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc # the API
build: libmnl-dev libpcap-dev # netlink, captures
build: libspdlog-dev libfmt-dev libcli11-dev # log, command line
build: libyaml-dev libyaml-cpp-dev nlohmann-json3-dev # state files, lab files, JSON output
build: prometheus-cpp-dev # metrics
build: python3 python3-scapy # makes the frames of the packet tests
build: lowdown # man pages
build: libgtest-dev libgmock-dev libbenchmark-dev # unit tests, micro-benchmarks
run: iproute2 ethtool procps # namespaces, links, offloads
run: iputils-ping curl netcat-openbsd # traffic of demo, tests and benchmarks
run: tcpdump tshark # independent packet decoders for the tests
run: openvswitch-switch # another tunnel endpoint, for tests and benchmarks
run: python3-yaml jq # test scripts
lint: clang-format-19 clang-tidy-19 # style and static analysis
lint: shellcheck # shell scripts
qemu: qemu-system-x86 # virtual machines
qemu: busybox-static cpio # their user space, packed as an initramfs
qemu: kmod xz-utils # module dependencies of their kernel, its decompression
END
}

say() { printf '%s\n' "setup: $*"; }
die() {
  printf '%s\n' "setup: $*" >&2
  exit 1
}

# Prints those of the arguments that dpkg does not know as installed.
missing_of() {
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

run_as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "installing packages needs root and there is no sudo; run as root: $0 ${groups[*]}"
  fi
}

groups=("$@")
[[ ${#groups[@]} -gt 0 ]] || groups=(build run)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  die "this script knows Debian 12 (apt) only; install the packages it lists by hand"
fi

missing=()
for group in "${groups[@]}"; do
  table=$(package_table | sed -n "s/^$group: //p")
  [[ -n $table ]] || die "unknown group '$group'; use build, run, lint or qemu"
  while IFS='#' read -r packages purpose; do
    read -ra wanted <<<"$packages"
    mapfile -t absent < <(missing_of "${wanted[@]}")
    [[ ${#absent[@]} -gt 0 ]] || continue
    say "installing ${absent[*]}:$purpose"
    missing+=("${absent[@]}")
  done <<<"$table"
done

if [[ ${#missing[@]} -gt 0 ]]; then
  [[ $EUID -eq 0 ]] || say "this needs root, sudo may ask for your password"
  # tshark asks whether users may capture; nobody is there to answer.
  printf 'wireshark-common wireshark-common/install-setuid boolean false\n' |
    run_as_root debconf-set-selections
  run_as_root apt-get -q -o DPkg::Lock::Timeout=300 update
  run_as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends "${missing[@]}"
  # The tests start their own; this machine asked for none.
  if [[ " ${missing[*]} " == *" openvswitch-switch "* && -d /run/systemd/system ]]; then
    run_as_root systemctl disable --now openvswitch-switch
  fi
fi

# The guest kernel is unpacked, not installed: the host's own boot menu stays as it is. Of its modules
# those are kept that a virtual machine on a network, or a tunnel between two, can need.
fetch_guest_kernel() {
  [[ -e $guest_dir/vmlinuz && -e $guest_dir/modules/kernel/fs/9p ]] && return
  local work package version
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # the directory is known now, not at exit
  trap "rm -rf '$work'" EXIT
  [[ -n $(apt-cache policy linux-image-amd64) ]] || run_as_root apt-get -q update
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)/\1/p' | head -1)
  [[ -n $package ]] || die "apt does not know linux-image-amd64; run apt-get update"
  say "unpacking $package into $guest_dir (kernel of the virtual machines; not installed)"
  (cd "$work" && apt-get -q -o APT::Sandbox::User=root download "$package")
  dpkg -x "$work"/linux-image-*.deb "$work/root"
  version=$(basename "$work"/root/lib/modules/*)
  rm -rf "$guest_dir"
  mkdir -p "$guest_dir/lib/modules/$version"
  (cd "$work/root/lib/modules/$version" &&
    cp --parents -r modules.order modules.builtin* kernel/net kernel/lib kernel/crypto kernel/arch/x86/crypto \
      kernel/drivers/virtio kernel/drivers/net/*.ko kernel/drivers/net/vxlan \
      kernel/fs/9p kernel/fs/netfs kernel/fs/fscache kernel/fs/overlayfs "$guest_dir/lib/modules/$version")
  ln -s "lib/modules/$version" "$guest_dir/modules"
  /sbin/depmod -b "$guest_dir" "$version"
  cp "$work/root/boot/config-$version" "$guest_dir/config"
  cp "$work/root/boot/vmlinuz-$version" "$guest_dir/vmlinuz.part"
  mv "$guest_dir/vmlinuz.part" "$guest_dir/vmlinuz"
}

# What is packed inside vmlinuz. QEMU starts it as well (by its PVH note), and an emulated processor
# is spared two seconds of decompression in each machine. The places: Documentation/arch/x86/boot.rst.
unpack_guest_kernel() {
  [[ -e $guest_dir/vmlinux ]] && return
  local image=$guest_dir/vmlinuz setup_sectors offset bytes
  setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N1 "$image")
  offset=$(od -An -tu4 -j $((0x248)) -N4 "$image")
  bytes=$(od -An -tu4 -j $((0x24c)) -N4 "$image")
  say "decompressing $image"
  dd if="$image" iflag=skip_bytes,count_bytes skip=$(((setup_sectors + 1) * 512 + offset)) \
    count="$bytes" bs=1M status=none | xz --decompress --single-stream >"$guest_dir/vmlinux.part"
  mv "$guest_dir/vmlinux.part" "$guest_dir/vmlinux"
}

for group in "${groups[@]}"; do
  if [[ $group == qemu ]]; then
    fetch_guest_kernel
    unpack_guest_kernel
  fi
done
