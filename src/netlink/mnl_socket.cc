#include "netlink/mnl_socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace leman {

namespace {
constexpr std::size_t kReceiveBytes = 32768;  // what the kernel fills at most in one dump message
}

Result<MnlSocket> MnlSocket::Open(int bus, std::uint32_t groups) {
  mnl_socket* socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
  if (socket == nullptr) {
    return Fail(ErrnoError(errno, "cannot open a netlink socket"));
  }
  MnlSocket result(socket);
  if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
    return Fail(ErrnoError(errno, "cannot bind a netlink socket"));
  }
  return result;
}

MnlSocket::~MnlSocket() {
  if (socket_ != nullptr) {
    mnl_socket_close(socket_);
  }
}

MnlSocket::MnlSocket(MnlSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)), sequence_(other.sequence_) {}

int MnlSocket::fd() const { return mnl_socket_get_fd(socket_); }

Result<int> MnlSocket::Change(nlmsghdr* request, std::string_view what) {
  request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, request, request->nlmsg_len) < 0) {
    return Fail(ErrnoError(errno, what));
  }
  std::vector<char> buffer(kReceiveBytes);
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (received < 0) {
      if (errno == EINTR) {
        continue;
      }
      return Fail(ErrnoError(errno, what));
    }
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
    if (mnl_nlmsg_ok(header, static_cast<int>(received)) && header->nlmsg_seq == sequence_ &&
        header->nlmsg_type == NLMSG_ERROR) {
      return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header))->error;
    }
  }
}

Status MnlSocket::Dump(nlmsghdr* request, std::string_view what,
                       const std::function<void(const nlmsghdr*)>& message) {
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_, request, request->nlmsg_len) < 0) {
    return Fail(ErrnoError(errno, what));
  }
  std::vector<char> buffer(kReceiveBytes);
  bool interrupted = false;
  for (;;) {
    const ssize_t received = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (received < 0) {
      if (errno == EINTR) {
        continue;
      }
      return Fail(ErrnoError(errno, what));
    }
    int left = static_cast<int>(received);
    for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
         mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_seq != sequence_) {
        continue;  // the rest of a dump that was given up
      }
      interrupted = interrupted || (header->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (header->nlmsg_type == NLMSG_DONE) {
        if (interrupted) {
          return Fail(Code::kUnavailable, std::string(what) + ": changed while it was listed");
        }
        return {};
      }
      if (header->nlmsg_type == NLMSG_ERROR) {
        const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
        return Fail(ErrnoError(-error->error, what));
      }
      message(header);
    }
  }
}

MnlAttributes::MnlAttributes(const nlmsghdr* message, unsigned int offset, std::uint16_t max_type)
    : by_type_(max_type + 1U) {
  mnl_attr_parse(message, offset, &MnlAttributes::Take, this);
}

MnlAttributes::MnlAttributes(const nlattr* nest, std::uint16_t max_type) : by_type_(max_type + 1U) {
  if (nest != nullptr) {
    mnl_attr_parse_nested(nest, &MnlAttributes::Take, this);
  }
}

int MnlAttributes::Take(const nlattr* attribute, void* self) {
  auto& by_type = static_cast<MnlAttributes*>(self)->by_type_;
  const std::uint16_t type = mnl_attr_get_type(attribute);
  if (type < by_type.size()) {
    by_type[type] = attribute;
  }
  return MNL_CB_OK;
}

std::uint32_t MnlAttributes::U32(std::uint16_t type) const {
  const nlattr* attribute = (*this)[type];
  std::uint32_t value = 0;
  if (attribute != nullptr) {
    std::memcpy(&value, mnl_attr_get_payload(attribute),
                std::min<std::size_t>(sizeof(value), mnl_attr_get_payload_len(attribute)));
  }
  return value;
}

std::string_view MnlAttributes::Text(std::uint16_t type) const {
  const nlattr* attribute = (*this)[type];
  if (attribute == nullptr) {
    return {};
  }
  const char* text = mnl_attr_get_str(attribute);
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

}  // namespace leman
