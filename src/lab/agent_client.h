// What the lab asks a host's agent on its unix socket.
//
// Threads: one at a time. Ownership: owns its channel. Errors: the agent's status as our Code.
#pragma once

#include <leman/v1/agent.pb.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "lab/process.h"

namespace leman::lab {

class AgentClient {
 public:
  explicit AgentClient(const std::string& socket_path);
  ~AgentClient();
  AgentClient(const AgentClient&) = delete;
  AgentClient& operator=(const AgentClient&) = delete;

  [[nodiscard]] Result<v1::Status> GetStatus(Milliseconds timeout);
  [[nodiscard]] Result<v1::ListPortsResponse> ListPorts();
  [[nodiscard]] Result<v1::ListNetworksResponse> ListNetworks();
  [[nodiscard]] Result<v1::ListPeersResponse> ListPeers();
  [[nodiscard]] Result<v1::Drops> GetDrops();

 private:
  struct Wire;  // keeps gRPC's headers, which compile slowly, out of this one
  std::unique_ptr<Wire> wire_;
};

// Waits until the agent says READY, it ends, or the time is over; the error quotes its log.
[[nodiscard]] Status WaitReady(const std::string& host, const std::string& socket_path,
                               const std::string& log_path, const Process& agent,
                               Milliseconds timeout);

// The last lines of a log file, each indented.
[[nodiscard]] std::string TailOf(const std::string& path, int lines);

}  // namespace leman::lab
