#include "dataplane/tc_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "base/fd.h"

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

// A request about traffic control; `take` is called with every answer. False: refused, or not
// answered to its end.
bool Ask(std::uint16_t type, std::uint16_t flags, std::uint32_t ifindex, std::uint32_t parent,
         mnl_cb_t take, void* data) {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) {
    return false;
  }
  alignas(nlmsghdr) std::array<char, 32768> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = static_cast<__u16>(NLM_F_REQUEST | flags);
  request->nlmsg_seq = 1;
  auto* tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
  tc->tcm_family = AF_UNSPEC;
  tc->tcm_ifindex = static_cast<int>(ifindex);
  tc->tcm_parent = parent;
  int more = MNL_CB_ERROR;
  if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
      mnl_socket_sendto(socket, request, request->nlmsg_len) >= 0) {
    const unsigned int port = mnl_socket_get_portid(socket);
    do {
      const ssize_t bytes = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
      more = bytes <= 0
                 ? MNL_CB_ERROR
                 : mnl_cb_run(buffer.data(), static_cast<std::size_t>(bytes), 1, port, take, data);
    } while (more > MNL_CB_STOP);
  }
  const int err = errno;
  mnl_socket_close(socket);
  errno = err;
  return more == MNL_CB_STOP;
}

// Whether the device has any filter at its clsact hooks. On doubt: yes.
bool HasFilters(std::uint32_t ifindex, std::uint32_t parent) {
  bool seen = false;
  const auto take = [](const nlmsghdr* message, void* data) {
    *static_cast<bool*>(data) |= message->nlmsg_type == RTM_NEWTFILTER;
    return MNL_CB_OK;
  };
  return !Ask(RTM_GETTFILTER, NLM_F_DUMP, ifindex, parent, take, &seen) || seen;
}

// By the names that the programs have had in every version.
bool IsOurs(std::uint32_t program_id) {
  const Fd program(bpf_prog_get_fd_by_id(program_id));
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) {
    return false;
  }
  const std::string_view name = info.name;
  return name == "port_rx" || name == "underlay_rx";
}

}  // namespace

bool TcHasHook(std::uint32_t ifindex) {
  bool seen = false;
  const auto take = [](const nlmsghdr* message, void* data) {
    *static_cast<bool*>(data) |= message->nlmsg_type == RTM_NEWQDISC;
    return MNL_CB_OK;
  };
  // Without ECHO the answer goes to everybody but us. A device that had one answers with nothing.
  if (Ask(RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO, ifindex, TC_H_CLSACT, take, &seen)) {
    return seen;
  }
  return errno != ENOENT && errno != EINVAL;
}

Status TcAttach(std::uint32_t ifindex, int program_fd) {
  bpf_tc_hook hook = IngressHook(ifindex);
  if (const int err = bpf_tc_hook_create(&hook); err != 0 && err != -EEXIST) {
    return Fail(ErrnoError(-err, "cannot make the clsact qdisc of " + DeviceName(ifindex) +
                                     " (the kernel needs CONFIG_NET_SCH_INGRESS)"));
  }
  bpf_tc_opts opts = OurPlace();
  opts.prog_fd = program_fd;
  opts.flags = BPF_TC_F_REPLACE;
  if (const int err = bpf_tc_attach(&hook, &opts); err != 0) {
    return Fail(
        ErrnoError(-err, "cannot attach to " + DeviceName(ifindex) +
                             (err == -ENOENT ? " (the kernel needs CONFIG_NET_CLS_BPF)" : "")));
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

Result<std::vector<std::uint32_t>> TcDevicesWithOurs() {
  std::vector<std::uint32_t> devices;
  const auto take = [](const nlmsghdr* message, void* data) {
    const auto* tc = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type == RTM_NEWQDISC && tc->tcm_handle == TC_H_MAKE(TC_H_CLSACT, 0)) {
      static_cast<std::vector<std::uint32_t>*>(data)->push_back(
          static_cast<std::uint32_t>(tc->tcm_ifindex));
    }
    return MNL_CB_OK;
  };
  if (!Ask(RTM_GETQDISC, NLM_F_DUMP, 0, 0, take, &devices)) {
    return Fail(ErrnoError(errno, "cannot list the qdiscs"));
  }
  std::erase_if(devices, [](std::uint32_t ifindex) {
    const std::uint32_t program = TcAttachedProgram(ifindex);
    return program == 0 || !IsOurs(program);
  });
  return devices;
}

}  // namespace leman
