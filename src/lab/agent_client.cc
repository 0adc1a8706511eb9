#include "lab/agent_client.h"

#include <grpcpp/grpcpp.h>
#include <leman/v1/agent.grpc.pb.h>

#include <deque>
#include <fstream>

namespace leman::lab {
namespace {

constexpr Milliseconds kTimeout{3000};

Unexpected FromGrpc(const grpc::Status& status) {
  Code code = Code::kInternal;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Fail(Code::kUnavailable, "the agent does not answer (" + status.error_message() + ")");
    case grpc::StatusCode::INVALID_ARGUMENT:
      code = Code::kInvalidArgument;
      break;
    default:
      break;
  }
  return Fail(code, "agent: " + status.error_message());
}

template <class Response, class Request>
Result<Response> Call(v1::AgentService::Stub& stub,
                      grpc::Status (v1::AgentService::Stub::*method)(grpc::ClientContext*,
                                                                     const Request&, Response*),
                      Milliseconds timeout) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  // Also makes the call drive the connection attempt; a call that fails at once leaves that to
  // gRPC's backup poller, which looks every five seconds.
  context.set_wait_for_ready(true);
  Response response;
  const grpc::Status status = (stub.*method)(&context, Request(), &response);
  if (!status.ok()) {
    return FromGrpc(status);
  }
  return response;
}

std::shared_ptr<grpc::Channel> Connect(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  // The agent is on this machine and about to listen: ask again soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 20);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 50);
  // A proxy of the environment has no business here.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(),
                                   arguments);
}

}  // namespace

struct AgentClient::Wire {
  std::unique_ptr<v1::AgentService::Stub> stub;
};

AgentClient::AgentClient(const std::string& socket_path)
    : wire_(std::make_unique<Wire>(Wire{v1::AgentService::NewStub(Connect(socket_path))})) {}
AgentClient::~AgentClient() = default;

Result<v1::Status> AgentClient::GetStatus(Milliseconds timeout) {
  return Call(*wire_->stub, &v1::AgentService::Stub::GetStatus, timeout);
}
Result<v1::ListPortsResponse> AgentClient::ListPorts() {
  return Call(*wire_->stub, &v1::AgentService::Stub::ListPorts, kTimeout);
}
Result<v1::ListNetworksResponse> AgentClient::ListNetworks() {
  return Call(*wire_->stub, &v1::AgentService::Stub::ListNetworks, kTimeout);
}
Result<v1::ListPeersResponse> AgentClient::ListPeers() {
  return Call(*wire_->stub, &v1::AgentService::Stub::ListPeers, kTimeout);
}
Result<v1::Drops> AgentClient::GetDrops() {
  return Call(*wire_->stub, &v1::AgentService::Stub::GetDrops, kTimeout);
}

Status WaitReady(const std::string& host, const std::string& socket_path,
                 const std::string& log_path, const Process& agent, Milliseconds timeout) {
  AgentClient client(socket_path);
  const auto deadline = Clock::now() + timeout;
  std::string last = "no answer yet";
  while (Clock::now() < deadline) {
    const auto status = client.GetStatus(Milliseconds(200));
    if (status.ok() && status->state() == v1::AGENT_STATE_READY) {
      if (!status->problems().empty()) {
        const v1::Problem& problem = status->problems(0);
        return Fail(Code::kFailedPrecondition,
                    host + ": agent is degraded: " + problem.where() + ": " + problem.what());
      }
      return {};
    }
    last = status.ok() ? "state " + v1::AgentState_Name(status->state()) : status.error().message();
    if (WaitEnd(agent, Milliseconds(10))) {
      return Fail(Code::kUnavailable,
                  host + ": agent ended at once; its log says\n" + TailOf(log_path, 8));
    }
    if (Interrupted()) {
      return FailInterrupted();
    }
  }
  return Fail(Code::kUnavailable, host + ": agent not ready after " +
                                      std::to_string(timeout.count() / 1000) + " s (" + last +
                                      "); its log says\n" + TailOf(log_path, 8));
}

std::string TailOf(const std::string& path, int lines) {
  std::ifstream file(path);
  std::deque<std::string> tail;
  for (std::string line; std::getline(file, line);) {
    tail.push_back("    " + line);
    if (tail.size() > static_cast<std::size_t>(lines)) {
      tail.pop_front();
    }
  }
  std::string text;
  for (const std::string& line : tail) {
    text += (text.empty() ? "" : "\n") + line;
  }
  return text.empty() ? "    (nothing)" : text;
}

}  // namespace leman::lab
