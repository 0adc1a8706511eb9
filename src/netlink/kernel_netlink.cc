#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>
#include <string>
#include <utility>

#include "netlink/mnl_socket.h"
#include "netlink/netlink.h"
#include "netlink/segmenter.h"
#include "netlink/udp_port.h"

namespace leman {

namespace {

// A tunnel device and the UDP port it receives on.
struct Tunnel {
  std::string name;
  std::string kind;
  std::uint16_t port = 0;
};

struct Listing {
  model::HostFacts links;
  std::map<std::uint32_t, std::string> names;  // by ifindex
  std::vector<Tunnel> tunnels;
};

std::uint16_t TunnelPort(std::string_view kind, const nlattr* data) {
  std::uint16_t type = 0;
  if (kind == "geneve") {
    type = IFLA_GENEVE_PORT;
  } else if (kind == "vxlan") {
    type = IFLA_VXLAN_PORT;
  } else if (kind == "bareudp") {
    type = IFLA_BAREUDP_PORT;
  } else {
    return 0;
  }
  const MnlAttributes attributes(data, type);
  return attributes[type] == nullptr ? std::uint16_t{0} : ntohs(mnl_attr_get_u16(attributes[type]));
}

void TakeLink(const nlmsghdr* message, Listing& listing) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  const MnlAttributes attributes(message, sizeof(*info), IFLA_LINK_NETNSID);
  const MnlAttributes link_info(attributes[IFLA_LINKINFO], IFLA_INFO_DATA);
  const std::string_view kind = link_info.Text(IFLA_INFO_KIND);
  const std::string name(attributes.Text(IFLA_IFNAME));
  model::LinkFacts facts;
  facts.ifindex = static_cast<std::uint32_t>(info->ifi_index);
  facts.mtu = attributes.U32(IFLA_MTU);
  facts.up = (info->ifi_flags & IFF_UP) != 0;
  facts.peer_in_other_namespace = kind == "veth" && attributes[IFLA_LINK] != nullptr &&
                                  attributes[IFLA_LINK_NETNSID] != nullptr;
  if (const std::uint16_t port = TunnelPort(kind, link_info[IFLA_INFO_DATA]); port != 0) {
    listing.tunnels.push_back({name, std::string(kind), port});
  }
  listing.names[facts.ifindex] = name;
  listing.links[name] = std::move(facts);
}

void TakeAddress(const nlmsghdr* message, Listing& listing) {
  const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
  const MnlAttributes attributes(message, sizeof(*info), IFA_LOCAL);
  // On a point-to-point link IFA_ADDRESS is the other end's.
  const nlattr* local =
      attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  const auto name = listing.names.find(info->ifa_index);
  if (local == nullptr || name == listing.names.end()) {
    return;
  }
  auto& addresses = listing.links[name->second].addresses;
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(local));
  if (info->ifa_family == AF_INET && mnl_attr_get_payload_len(local) == 4) {
    addresses.push_back(IpAddress::FromV4({bytes[0], bytes[1], bytes[2], bytes[3]}));
  } else if (info->ifa_family == AF_INET6 && mnl_attr_get_payload_len(local) == 16) {
    IpAddress::Bytes v6{};
    std::copy(bytes, bytes + v6.size(), v6.begin());
    addresses.emplace_back(v6);
  }
}

void TakeGone(const char* bytes, int left, LinkEvents& events) {
  for (const auto* header = reinterpret_cast<const nlmsghdr*>(bytes); mnl_nlmsg_ok(header, left);
       header = mnl_nlmsg_next(header, &left)) {
    const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(header));
    // A bridge tells of ports that leave it in the same words, but as of its own family.
    if (header->nlmsg_type == RTM_DELLINK && mnl_nlmsg_get_payload_len(header) >= sizeof(*info) &&
        info->ifi_family == AF_UNSPEC) {
      events.gone.push_back(static_cast<std::uint32_t>(info->ifi_index));
    }
  }
}

class KernelNetlink : public Netlink {
 public:
  KernelNetlink(MnlSocket requests, MnlSocket events)
      : requests_(std::move(requests)), events_(std::move(events)) {}

  Result<model::HostFacts> ListLinks() override {
    LEMAN_ASSIGN_OR_RETURN(Listing listing, List());
    return std::move(listing.links);
  }

  Result<bool> MakeSegmenter() override { return leman::MakeSegmenter(); }
  Status RemoveSegmenter() override { return leman::RemoveSegmenter(); }

  int event_fd() const override { return events_.fd(); }

  Result<LinkEvents> DrainEvents() override {
    alignas(nlmsghdr) std::array<char, 32768> buffer{};
    LinkEvents events;
    for (;;) {
      const ssize_t received =
          recv(events_.fd(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC);
      const bool cut_off = received > static_cast<ssize_t>(buffer.size());
      if (cut_off || (received < 0 && errno == ENOBUFS)) {
        events.changed = events.lost = true;
      } else if (received > 0) {
        events.changed = true;  // the groups joined carry nothing but links and addresses
        TakeGone(buffer.data(), static_cast<int>(received), events);
      } else if (received < 0 && errno == EINTR) {
        continue;
      } else if (received == 0 || errno == EAGAIN) {
        return events;
      } else {
        return Fail(ErrnoError(errno, "cannot read link events"));
      }
    }
  }

  Result<UdpPortClaim> ClaimUdpPort(std::uint16_t port) override {
    std::string owner;
    auto listing = List();
    if (listing.ok()) {
      for (const Tunnel& tunnel : listing.value().tunnels) {
        const auto link = listing.value().links.find(tunnel.name);
        // A tunnel device has its socket only while it is up.
        if (tunnel.port == port && link != listing.value().links.end() && link->second.up) {
          owner = fmt::format("device {} ({})", tunnel.name, tunnel.kind);
        }
      }
    }
    return ClaimPort(port, owner);
  }

 private:
  // Repeats what the kernel says it told incompletely because links changed meanwhile.
  Result<Listing> List() {
    constexpr int kTries = 10;
    for (int attempt = 1;; ++attempt) {
      Listing listing;
      const Status status = ListOnce(listing);
      if (status.ok()) {
        for (auto& [name, link] : listing.links) {
          std::sort(link.addresses.begin(), link.addresses.end());
        }
        return listing;
      }
      if (status.error().code() != Code::kUnavailable || attempt == kTries) {
        return Fail(status.error());
      }
    }
  }

  Status ListOnce(Listing& listing) {
    std::array<char, 256> buffer{};
    nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETLINK;
    static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)))->ifi_family =
        AF_UNSPEC;
    // Statistics are most of a link's message and nothing to us; kernels ignore it before 4.4.
    constexpr std::uint32_t kSkipStatistics = 1U << 3U;  // RTEXT_FILTER_SKIP_STATS
    mnl_attr_put_u32(request, IFLA_EXT_MASK, kSkipStatistics);
    LEMAN_TRY(requests_.Dump(request, "cannot list the links",
                             [&](const nlmsghdr* message) { TakeLink(message, listing); }));
    buffer.fill(0);
    request = mnl_nlmsg_put_header(buffer.data());
    request->nlmsg_type = RTM_GETADDR;
    static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)))->ifa_family =
        AF_UNSPEC;
    return requests_.Dump(request, "cannot list the addresses",
                          [&](const nlmsghdr* message) { TakeAddress(message, listing); });
  }

  MnlSocket requests_;
  MnlSocket events_;
};

}  // namespace

Result<std::unique_ptr<Netlink>> OpenNetlink() {
  LEMAN_ASSIGN_OR_RETURN(MnlSocket requests, MnlSocket::Open(NETLINK_ROUTE, 0));
  // Opened before the first listing, so that no change falls between the two.
  LEMAN_ASSIGN_OR_RETURN(
      MnlSocket events,
      MnlSocket::Open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR));
  return std::unique_ptr<Netlink>(
      std::make_unique<KernelNetlink>(std::move(requests), std::move(events)));
}

}  // namespace leman
