#include "dataplane/tc_attach.h"

#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <string>

namespace leman {
namespace {

// Our place among the filters of a device: one handle and priority, so that replacing is atomic.
constexpr std::uint32_t kHandle = 1;
constexpr std::uint32_t kPriority = 0x1ea;

bpf_tc_hook IngressHook(std::uint32_t ifindex) {
  bpf_tc_hook hook{};
  hook.sz = sizeof(hook);
  hook.ifindex = static_cast<int>(ifindex);
  hook.attach_point = BPF_TC_INGRESS;
  return hook;
}

bpf_tc_opts OurPlace() {
  bpf_tc_opts opts{};
  opts.sz = sizeof(opts);
  opts.handle = kHandle;
  opts.priority = kPriority;
  return opts;
}

std::string DeviceName(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  if (if_indextoname(ifindex, name.data()) == nullptr) {
    return "device " + std::to_string(ifindex);
  }
  return name.data();
}

bool DeviceExists(std::uint32_t ifindex) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(ifindex, name.data()) != nullptr;
}

int CountFilter(const nlmsghdr* message, void* seen) {
  if (message->nlmsg_type == RTM_NEWTFILTER) {
    *static_cast<bool*>(seen) = true;
  }
  return MNL_CB_OK;
}

// Whether the device has any filter at its clsact hooks. On doubt: yes.
bool HasFilters(std::uint32_t ifindex, std::uint32_t parent) {
  mnl_socket* socket = mnl_socket_open(NETLINK_ROUTE);
  if (socket == nullptr) {
    return true;
  }
  bool seen = false;
  bool complete = false;
  std::array<char, 32768> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETTFILTER;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = 1;
  auto* tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
  tc->tcm_family = AF_UNSPEC;
  tc->tcm_ifindex = static_cast<int>(ifindex);
  tc->tcm_parent = parent;
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
      mnl_socket_sendto(socket, request, request->nlmsg_len) >= 0) {
    const unsigned int port = mnl_socket_get_portid(socket);
    while (true) {
      const ssize_t bytes = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
      if (bytes <= 0) {
        break;
      }
      const int more =
          mnl_cb_run(buffer.data(), static_cast<std::size_t>(bytes), 1, port, CountFilter, &seen);
      if (more <= MNL_CB_STOP) {
        complete = more == MNL_CB_STOP;
        break;
      }
    }
  }
  mnl_socket_close(socket);
  return seen || !complete;
}

}  // namespace

Status TcMakeHook(std::uint32_t ifindex, bool* made) {
  bpf_tc_hook hook = IngressHook(ifindex);
  const int created = bpf_tc_hook_create(&hook);
  if (created != 0 && created != -EEXIST) {
    return Fail(ErrnoError(-created, "cannot make the clsact qdisc of " + DeviceName(ifindex) +
                                         " (the kernel needs CONFIG_NET_SCH_INGRESS)"));
  }
  *made = created == 0;
  return {};
}

Status TcAttach(std::uint32_t ifindex, int program_fd) {
  bpf_tc_hook hook = IngressHook(ifindex);
  bpf_tc_opts opts = OurPlace();
  opts.prog_fd = program_fd;
  opts.flags = BPF_TC_F_REPLACE;
  if (const int err = bpf_tc_attach(&hook, &opts); err != 0) {
    return Fail(ErrnoError(-err, "cannot attach to " + DeviceName(ifindex)));
  }
  return {};
}

Status TcDetach(std::uint32_t ifindex, bool remove_hook) {
  if (!DeviceExists(ifindex)) {
    return {};
  }
  bpf_tc_hook hook = IngressHook(ifindex);
  const bpf_tc_opts opts = OurPlace();
  const int err = bpf_tc_detach(&hook, &opts);
  if (err != 0 && err != -ENOENT && err != -EINVAL && err != -ENODEV) {
    return Fail(ErrnoError(-err, "cannot detach from " + DeviceName(ifindex)));
  }
  if (remove_hook && !HasFilters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
      !HasFilters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS))) {
    // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): libbpf takes flags here
    hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
    const int destroyed = bpf_tc_hook_destroy(&hook);
    if (destroyed != 0 && destroyed != -ENOENT && destroyed != -EINVAL && destroyed != -ENODEV) {
      return Fail(
          ErrnoError(-destroyed, "cannot remove the clsact qdisc of " + DeviceName(ifindex)));
    }
  }
  return {};
}

std::uint32_t TcAttachedProgram(std::uint32_t ifindex) {
  bpf_tc_hook hook = IngressHook(ifindex);
  bpf_tc_opts opts = OurPlace();
  return bpf_tc_query(&hook, &opts) == 0 ? opts.prog_id : 0;
}

}  // namespace leman
