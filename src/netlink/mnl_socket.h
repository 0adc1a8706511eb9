// One netlink socket and its request-reply exchange over libmnl. Inside of the module.
// Threads: one. Ownership: the socket. Errors: kInternal with the errno.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leman {

class MnlSocket {
 public:
  // `groups`: bits of RTMGRP_*; `bus`: NETLINK_ROUTE, NETLINK_SOCK_DIAG.
  [[nodiscard]] static Result<MnlSocket> Open(int bus, std::uint32_t groups);
  ~MnlSocket();
  MnlSocket(MnlSocket&& other) noexcept;
  MnlSocket& operator=(MnlSocket&&) = delete;
  MnlSocket(const MnlSocket&) = delete;
  MnlSocket& operator=(const MnlSocket&) = delete;

  [[nodiscard]] int fd() const;
  [[nodiscard]] mnl_socket* get() const { return socket_; }

  // Sends `request` and calls `message` for every message of the dump. kUnavailable: the kernel's
  // tables changed meanwhile, ask again.
  [[nodiscard]] Status Dump(nlmsghdr* request, std::string_view what,
                            const std::function<void(const nlmsghdr*)>& message);

  // Sends a request that changes something and waits for the kernel's word: 0, or its errno.
  [[nodiscard]] Result<int> Change(nlmsghdr* request, std::string_view what);

 private:
  explicit MnlSocket(mnl_socket* socket) : socket_(socket) {}

  mnl_socket* socket_;
  std::uint32_t sequence_ = 0;
};

// The attributes of one message or nest by type; null: not there. Types beyond are skipped.
class MnlAttributes {
 public:
  MnlAttributes(const nlmsghdr* message, unsigned int offset, std::uint16_t max_type);
  MnlAttributes(const nlattr* nest, std::uint16_t max_type);

  [[nodiscard]] const nlattr* operator[](std::uint16_t type) const {
    return type < by_type_.size() ? by_type_[type] : nullptr;
  }
  [[nodiscard]] std::uint32_t U32(std::uint16_t type) const;
  [[nodiscard]] std::string_view Text(std::uint16_t type) const;

 private:
  static int Take(const nlattr* attribute, void* self);

  std::vector<const nlattr*> by_type_;
};

}  // namespace leman
