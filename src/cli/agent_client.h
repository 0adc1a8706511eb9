// The agent of this host, asked over its unix socket.
//
// Threads: one thread. Ownership: holds the channel.
// Errors:  kUnavailable when no agent answers, with what was found at the socket and the way out;
//          every other code as the agent gave it.
#pragma once

#include <leman/v1/agent.grpc.pb.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/console.h"

namespace leman::cli {

class AgentClient {
 public:
  // Checks that somebody listens, so that the usual mistakes get a better answer than a timeout.
  [[nodiscard]] static Result<AgentClient> Connect(const std::string& socket,
                                                   const Console& console);

  [[nodiscard]] Result<v1::Status> GetStatus();
  [[nodiscard]] Result<v1::ListPortsResponse> ListPorts();
  [[nodiscard]] Result<v1::ListNetworksResponse> ListNetworks();
  [[nodiscard]] Result<v1::ListPeersResponse> ListPeers();
  [[nodiscard]] Result<std::vector<v1::FdbEntry>> ListFdb(std::optional<std::uint32_t> vni);
  [[nodiscard]] Result<std::vector<v1::NeighbourEntry>> ListNeighbours(
      std::optional<std::uint32_t> vni);
  [[nodiscard]] Result<v1::Drops> GetDrops();
  [[nodiscard]] Result<v1::Counters> GetCounters();
  [[nodiscard]] Result<v1::ReloadResponse> Reload();

 private:
  AgentClient(std::string socket, std::unique_ptr<v1::AgentService::Stub> stub,
              const Console& console)
      : socket_(std::move(socket)), stub_(std::move(stub)), console_(&console) {}

  template <class Request, class Response>
  Result<Response> Call(grpc::Status (v1::AgentService::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&, Response*),
                        std::chrono::seconds deadline, const char* what);
  template <class Entry, class Page, class Request>
  Result<std::vector<Entry>> List(std::unique_ptr<grpc::ClientReader<Page>> (
                                      v1::AgentService::Stub::*method)(grpc::ClientContext*,
                                                                       const Request&),
                                  std::optional<std::uint32_t> vni, const char* what);
  [[nodiscard]] Error ToError(const grpc::Status& status) const;

  std::string socket_;
  std::unique_ptr<v1::AgentService::Stub> stub_;
  const Console* console_;  // for progress; outlives the client
};

}  // namespace leman::cli
