// Traffic of the demo: real programs and real TCP between two machines of a lab.
//
// Threads: TransferTcp uses one thread of its own while it runs. Errors: what did not come through,
// in one sentence.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "lab/lab.h"

namespace leman::lab {

struct Transfer {
  std::uint64_t bytes = 0;
  double seconds = 0;
  std::string checked;  // how the bytes were compared
};

// One TCP connection; every byte that arrives is compared with what was sent.
[[nodiscard]] Result<Transfer> TransferTcp(Lab& lab, const MachinePlan& from,
                                           const MachinePlan& to);

struct HttpAnswer {
  std::string status;  // "200"
  std::uint64_t body_bytes = 0;
  std::string server;
  std::string client;
};

// A web server in `to` and a client in `from`; fails unless the body arrives as it was.
[[nodiscard]] Result<HttpAnswer> FetchHttp(Lab& lab, const MachinePlan& from,
                                           const MachinePlan& to);

struct Pings {
  int sent = 0;
  int received = 0;
  std::string round_trip;  // of the last answer: "0.123 ms"; empty if none
};

// `pattern` (hexadecimal, may be empty) fills the payload where the machine's ping can do that.
[[nodiscard]] Result<Pings> Ping(Lab& lab, const MachinePlan& from, const IpAddress& to, int count,
                                 const std::string& pattern);

}  // namespace leman::lab
