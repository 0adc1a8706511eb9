// The calls of api/leman/v1/agent.proto: snapshots and counters turned into messages.
//
// Threads: gRPC's; reads the Board, the reading side of the dataplane, and asks the gate for
// reloads. Ownership: refers to all three, which must outlive the server. Errors: gRPC statuses
// that carry our sentence; UNAVAILABLE before the maps are open.
#pragma once

#include <leman/v1/agent.grpc.pb.h>

#include <chrono>
#include <string>

#include "agent/reload_gate.h"
#include "agent/snapshot.h"

namespace leman::agent {

struct AgentInfo {
  std::string version;
  std::uint32_t abi_version = 0;
  std::string state_file;
  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

class ApiService final : public v1::AgentService::Service {
 public:
  ApiService(AgentInfo info, const Board& board, ReloadGate& gate)
      : info_(std::move(info)), board_(board), gate_(gate) {}

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest* request,
                         v1::Status* response) override;
  grpc::Status ListPorts(grpc::ServerContext* context, const v1::ListPortsRequest* request,
                         v1::ListPortsResponse* response) override;
  grpc::Status ListNetworks(grpc::ServerContext* context, const v1::ListNetworksRequest* request,
                            v1::ListNetworksResponse* response) override;
  grpc::Status ListPeers(grpc::ServerContext* context, const v1::ListPeersRequest* request,
                         v1::ListPeersResponse* response) override;
  grpc::Status ListFdb(grpc::ServerContext* context, const v1::ListFdbRequest* request,
                       grpc::ServerWriter<v1::FdbPage>* writer) override;
  grpc::Status ListNeighbours(grpc::ServerContext* context,
                              const v1::ListNeighboursRequest* request,
                              grpc::ServerWriter<v1::NeighbourPage>* writer) override;
  grpc::Status GetDrops(grpc::ServerContext* context, const v1::GetDropsRequest* request,
                        v1::Drops* response) override;
  grpc::Status GetCounters(grpc::ServerContext* context, const v1::GetCountersRequest* request,
                           v1::Counters* response) override;
  grpc::Status Reload(grpc::ServerContext* context, const v1::ReloadRequest* request,
                      v1::ReloadResponse* response) override;

 private:
  AgentInfo info_;
  const Board& board_;
  ReloadGate& gate_;
};

[[nodiscard]] grpc::StatusCode ToGrpc(Code code);

// Resident memory of this process, bytes.
[[nodiscard]] std::uint64_t ResidentBytes();

}  // namespace leman::agent
