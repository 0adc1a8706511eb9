#include "netlink/segmenter.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/fd.h"
#include "model/compile.h"
#include "netlink/mnl_socket.h"

namespace leman {
namespace {

using model::kSegmenterRx;
using model::kSegmenterTx;

constexpr std::size_t kRequestBytes = 2048;
// Larger than any packet: what passes here was measured against the network's MTU before.
constexpr std::uint32_t kMtu = 65535;

struct LinkRequest {
  explicit LinkRequest(std::uint16_t type) {
    header = mnl_nlmsg_put_header(bytes.data());
    header->nlmsg_type = type;
    info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
    info->ifi_family = AF_UNSPEC;
  }
  alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
  nlmsghdr* header;
  ifinfomsg* info;
};

// Link-local IPv6 addresses would only make noise in here.
void PutWithoutIpv6(nlmsghdr* header) {
  nlattr* spec = mnl_attr_nest_start(header, IFLA_AF_SPEC);
  nlattr* inet6 = mnl_attr_nest_start(header, AF_INET6);
  mnl_attr_put_u8(header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
  mnl_attr_nest_end(header, inet6);
  mnl_attr_nest_end(header, spec);
}

// True: it was not there.
Result<bool> Create(MnlSocket& socket) {
  LinkRequest request(RTM_NEWLINK);
  nlmsghdr* header = request.header;
  header->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
  mnl_attr_put_strz(header, IFLA_IFNAME, kSegmenterTx);
  mnl_attr_put_u32(header, IFLA_MTU, kMtu);
  nlattr* linkinfo = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  nlattr* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  nlattr* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
  mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg));
  mnl_attr_put_strz(header, IFLA_IFNAME, kSegmenterRx);
  mnl_attr_put_u32(header, IFLA_MTU, kMtu);
  mnl_attr_nest_end(header, peer);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, linkinfo);
  LEMAN_ASSIGN_OR_RETURN(const int err, socket.Change(header, "cannot make the segmenter"));
  if (err != 0 && err != EEXIST) {
    return Fail(ErrnoError(err, std::string("cannot make the veth ") + kSegmenterTx +
                                    " (the kernel needs CONFIG_VETH)"));
  }
  return err == 0;
}

Status SetUp(MnlSocket& socket, const char* name) {
  const unsigned int ifindex = if_nametoindex(name);
  if (ifindex == 0) {
    return Fail(ErrnoError(errno, std::string("cannot find the device ") + name));
  }
  LinkRequest silence(RTM_NEWLINK);
  silence.info->ifi_index = static_cast<int>(ifindex);
  PutWithoutIpv6(silence.header);
  // A host without IPv6 refuses this; it has nothing to silence.
  LEMAN_TRY(socket.Change(silence.header, "cannot silence IPv6 on the segmenter"));

  LinkRequest up(RTM_NEWLINK);
  up.info->ifi_index = static_cast<int>(ifindex);
  up.info->ifi_flags = IFF_UP;
  up.info->ifi_change = IFF_UP;
  LEMAN_ASSIGN_OR_RETURN(const int err, socket.Change(up.header, "cannot set the segmenter up"));
  if (err != 0) {
    return Fail(ErrnoError(err, std::string("cannot set the device ") + name + " up"));
  }
  return {};
}

// Without transmit checksums the kernel takes all segmentation offloads away too.
Status OffloadsOff(const char* name) {
  const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value value{};
  value.cmd = ETHTOOL_STXCSUM;
  value.data = 0;
  ifreq request{};
  std::strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (!fd.valid() || ioctl(fd.get(), SIOCETHTOOL, &request) != 0) {
    return Fail(ErrnoError(errno, std::string("cannot switch off the offloads of ") + name));
  }
  return {};
}

// The kernel answers a program's questions about routes only from the view of a device that
// forwards (bpf/lib/next_hop.h). Nothing is forwarded by the receiving end: the program there takes
// all that comes in. (A router also reports its multicast groups: here to the end that nobody
// listens at.) Where this cannot be set (a /proc/sys that is read-only), every packet is routed
// anew, which is slower.
void AnswerRouteQuestions(const char* name) {
  for (const char* family : {"ipv4", "ipv6"}) {
    const std::string path =
        std::string("/proc/sys/net/") + family + "/conf/" + name + "/forwarding";
    const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.valid()) {
      [[maybe_unused]] const ssize_t written = write(fd.get(), "1", 1);
    }
  }
}

Status SetUpBoth(MnlSocket& socket) {
  LEMAN_TRY(OffloadsOff(kSegmenterTx));
  LEMAN_TRY(SetUp(socket, kSegmenterRx));
  LEMAN_TRY(SetUp(socket, kSegmenterTx));
  AnswerRouteQuestions(kSegmenterRx);
  return {};
}

}  // namespace

Result<bool> MakeSegmenter() {
  LEMAN_ASSIGN_OR_RETURN(MnlSocket socket, MnlSocket::Open(NETLINK_ROUTE, 0));
  LEMAN_ASSIGN_OR_RETURN(const bool made, Create(socket));
  if (const Status set_up = SetUpBoth(socket); !set_up.ok()) {
    if (made) {
      static_cast<void>(RemoveSegmenter().ok());
    }
    return Fail(set_up.error());
  }
  return made;
}

Status RemoveSegmenter() {
  const unsigned int ifindex = if_nametoindex(kSegmenterTx);
  if (ifindex == 0) {
    return {};
  }
  LEMAN_ASSIGN_OR_RETURN(MnlSocket socket, MnlSocket::Open(NETLINK_ROUTE, 0));
  LinkRequest request(RTM_DELLINK);
  request.info->ifi_index = static_cast<int>(ifindex);
  LEMAN_ASSIGN_OR_RETURN(const int err,
                         socket.Change(request.header, "cannot remove the segmenter"));
  if (err != 0 && err != ENODEV) {
    return Fail(ErrnoError(err, std::string("cannot remove the device ") + kSegmenterTx));
  }
  return {};
}

}  // namespace leman
