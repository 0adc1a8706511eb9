// Virtual machines of a lab: a real QEMU with a Debian kernel and a busybox user space.
//
// Purpose:   a tenant whose network stack is not this kernel's. The root file system is an
// initramfs
//            made here; the machine's addresses come by kernel command line; commands go through a
//            root shell on its second serial port, a unix socket on this side.
// Threads:   any. Commands of one machine run one after the other, those of other processes too.
// Ownership: the QEMU process runs in its host's namespace and ends with it.
// Errors:    kFailedPrecondition when QEMU or the guest kernel is missing, with the way to get
// them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/plan.h"
#include "lab/process.h"

namespace leman::lab {

struct GuestImage {
  std::string kernel;
  std::string initramfs;
  std::string accelerator;  // "kvm" where it works, else "tcg"
  std::string processor;    // QEMU's name of it
};

// Builds the initramfs in `directory` from the kernel that tools/setup.sh unpacked, or this host's.
[[nodiscard]] Result<GuestImage> MakeGuestImage(const std::string& directory);

// Starts the machine; WaitVm() tells when its shell answers. `dump_path`, if not empty, gets every
// frame at the machine's network card (first 256 bytes of each) as a pcap file.
[[nodiscard]] Result<Process> StartVm(const MachinePlan& machine, const GuestImage& image,
                                      const std::string& dump_path);
[[nodiscard]] Status WaitVm(const MachinePlan& machine, const Process& process,
                            Milliseconds timeout);

// Runs a command line in the machine's shell, with nothing on stdin. stdout and stderr come as one;
// with `echo` they go to our stdout while they come, not into the Output.
[[nodiscard]] Result<Output> RunInVm(const MachinePlan& machine, const std::string& command_line,
                                     Milliseconds timeout, bool echo);

// Words → one line for a POSIX shell.
[[nodiscard]] std::string QuoteForShell(const std::vector<std::string>& argv);

}  // namespace leman::lab
