// MakeGuestImage: kernel and initramfs of virtual machines.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "lab/files.h"
#include "lab/vm.h"

namespace leman::lab {
namespace {

constexpr std::string_view kHowToInstall =
    "tools/setup.sh qemu installs QEMU and unpacks a guest kernel";

// The first process of the guest. Addresses and names are on the kernel's command line.
constexpr std::string_view kInit = R"SH(#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /tmp
for module in $(cat /modules.list); do insmod "/modules/$module"; done
for place in all eth0; do echo 0 > /proc/sys/net/ipv6/conf/$place/accept_dad; done
echo 1 > /proc/sys/net/ipv6/conf/eth0/addr_gen_mode
ip link set lo up
for word in $(cat /proc/cmdline); do
  value=${word#*=}
  case $word in
    leman.name=*) hostname "$value" ;;
    leman.mtu=*) ip link set eth0 mtu "$value" ;;
    leman.address=*) ip address add "$value" dev eth0 ;;
  esac
done
ip link set eth0 up
until [ "$(cat /sys/class/net/eth0/operstate)" = up ]; do usleep 10000; done
while :; do setsid -c sh /shell </dev/ttyS1 >/dev/ttyS1 2>&1; done
)SH";

// One line a command: a word to know the answer by, and the command in base64. The answer is \001,
// the word and a line break, then the output, then \001, the word and the exit status. Byte 3 ends
// the command, and what came before it is forgotten.
constexpr std::string_view kShell = R"SH(stty raw -echo isig intr ^C
trap : INT
while :; do
  read -r word code || continue
  [ -n "$code" ] || continue
  printf '\001%s\n' "$word"
  echo "$code" | base64 -d > /tmp/command && sh /tmp/command </dev/null
  printf '\001%s %d\n' "$word" $?
done
)SH";

struct GuestKernel {
  std::string kernel;
  std::string modules;
};

Result<GuestKernel> FindGuestKernel() {
  std::vector<std::string> places;
  // Environment variables are read before any thread starts.
  if (const char* wanted = std::getenv("LEMAN_GUEST_DIR")) {  // NOLINT(concurrency-mt-unsafe)
    places.emplace_back(wanted);
  }
  // In a build tree: build/guest, some directories above build/release/src/cli.
  std::string above = ProgramDirectory();
  while (above.size() > 1) {
    places.push_back(above + "/guest");
    places.push_back(above + "/build/guest");
    above.erase(std::max<std::size_t>(above.rfind('/'), 1));
  }
  places.emplace_back("/var/lib/leman/guest");
  for (const std::string& place : places) {
    // Best is the kernel as it is in memory: decompressing it takes an emulated processor seconds.
    for (const char* name : {"/vmlinux", "/vmlinuz"}) {
      if (access((place + name).c_str(), R_OK) == 0) {
        return GuestKernel{place + name, place + "/modules"};
      }
    }
  }
  utsname about{};
  uname(&about);
  const std::string release = static_cast<const char*>(about.release);
  GuestKernel own{"/boot/vmlinuz-" + release, "/lib/modules/" + release};
  if (access(own.kernel.c_str(), R_OK) != 0 ||
      access((own.modules + "/modules.dep").c_str(), R_OK) != 0) {
    return Fail(Code::kFailedPrecondition, "no guest kernel found; " + std::string(kHowToInstall));
  }
  return own;
}

// The files to load for the virtio network card, in order, as paths under the modules directory.
std::vector<std::string> ModulesToLoad(const std::string& modules_dep) {
  std::vector<std::string> order;
  for (const std::string_view wanted : {"/virtio_pci.ko", "/virtio_net.ko"}) {
    std::istringstream lines(modules_dep);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos ||
          !std::string_view(line).substr(0, colon).ends_with(wanted)) {
        continue;
      }
      std::istringstream words(line.substr(colon + 1));
      std::vector<std::string> chain;
      for (std::string word; words >> word;) {
        chain.push_back(word);
      }
      // depmod lists what is needed first last.
      std::reverse(chain.begin(), chain.end());
      chain.push_back(line.substr(0, colon));
      for (const std::string& module : chain) {
        if (std::find(order.begin(), order.end(), module) == order.end()) {
          order.push_back(module);
        }
      }
    }
  }
  return order;
}

// A /dev/kvm that opens may still not run a processor (nested virtualization): QEMU is asked to set
// one up and quit.
std::string ChooseAccelerator() {
  const auto tried = Run(
      {.argv = {"qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", "pc,accel=kvm", "-cpu", "max", "-m", "16", "-S", "-monitor", "stdio"},
       .netns = {},
       .input = "quit\n",
       .timeout = Milliseconds(5000)});
  return tried.ok() && tried->exit_status == 0 ? "kvm" : "tcg";
}

}  // namespace

Result<GuestImage> MakeGuestImage(const std::string& directory) {
  for (const char* program : {"qemu-system-x86_64", "busybox", "cpio"}) {
    if (FindProgram(program).empty()) {
      return Fail(Code::kFailedPrecondition,
                  std::string(program) + " is missing; " + std::string(kHowToInstall));
    }
  }
  LEMAN_ASSIGN_OR_RETURN(const GuestKernel kernel, FindGuestKernel());
  LEMAN_ASSIGN_OR_RETURN(const std::string modules_dep, ReadText(kernel.modules + "/modules.dep"));
  const std::string root = directory + "/root";
  LEMAN_TRY(RemoveTree(root));
  for (const char* name : {"/bin", "/proc", "/sys", "/dev", "/modules"}) {
    LEMAN_TRY(MakeDirectories(root + name));
  }
  std::string list;
  std::string copies =
      "set -e\ncp " + QuoteForShell({FindProgram("busybox")}) + " root/bin/busybox\n";
  for (const std::string& module : ModulesToLoad(modules_dep)) {
    const std::string name = module.substr(module.rfind('/') + 1);
    list += name + "\n";
    copies += "cp " + QuoteForShell({kernel.modules + "/" + module}) + " root/modules/\n";
  }
  LEMAN_TRY(WriteText(root + "/modules.list", list));
  LEMAN_TRY(WriteText(root + "/init", kInit));
  LEMAN_TRY(WriteText(root + "/shell", kShell));
  copies +=
      "chmod +x root/init\n"
      "cd root\n"
      "mknod dev/console c 5 1\n"
      "find . | cpio -o -H newc --quiet > ../initramfs\n";
  LEMAN_TRY(RunOk({.argv = {"sh", "-c", "cd " + QuoteForShell({directory}) + "\n" + copies},
                   .netns = {},
                   .input = {}}));
  LEMAN_TRY(RemoveTree(root));
  const std::string accelerator = ChooseAccelerator();
  // Emulated, the largest processor costs more than it brings: five levels of page tables, AVX.
  return GuestImage{kernel.kernel, directory + "/initramfs", accelerator,
                    accelerator == "kvm" ? "max" : "qemu64"};
}

}  // namespace leman::lab
