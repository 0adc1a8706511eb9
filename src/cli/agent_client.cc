#include "cli/agent_client.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/fd.h"
#include "cli/session.h"

namespace leman::cli {

namespace {

constexpr std::chrono::seconds kDeadline{10};
constexpr std::chrono::seconds kReloadDeadline{120};  // a large state takes its time
constexpr std::chrono::seconds kListDeadline{60};     // 100,000 entries take a second

constexpr const char* kWayOut =
    "start one with: leman-agent --state FILE, or name its socket with --socket";

Status Probe(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof(address.sun_path)) {
    return Fail(Code::kInvalidArgument,
                fmt::format("--socket {}: a socket's path has at most {} characters", socket,
                            sizeof(address.sun_path) - 1));
  }
  // An empty path would name a socket of another kind, and connect() says "refused" of every file.
  struct stat file{};
  if (socket.empty() || (stat(socket.c_str(), &file) == 0 && !S_ISSOCK(file.st_mode))) {
    return Fail(Code::kInvalidArgument,
                fmt::format("--socket '{}': is no socket; an agent's is {} unless it was started "
                            "with another",
                            socket, kDefaultSocket));
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    return Fail(ErrnoError(errno, "socket"));
  }
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return {};
  }
  switch (const int err = errno; err) {
    case ENOENT:
    case ENOTDIR:
      return Fail(Code::kUnavailable, fmt::format("no agent answers on {}; {}", socket, kWayOut));
    case ECONNREFUSED:
      return Fail(Code::kUnavailable,
                  fmt::format("no agent answers on {}: the socket is left from one that is gone; "
                              "{}",
                              socket, kWayOut));
    case EACCES:
    case EPERM:
      return Fail(Code::kUnavailable,
                  fmt::format("{} may not be opened by this user; run this with sudo", socket));
    default:
      return Fail(Code::kUnavailable, ErrnoError(err, socket).message() + "; " + kWayOut);
  }
}

}  // namespace

Result<AgentClient> AgentClient::Connect(const std::string& socket, const Console& console) {
  LEMAN_TRY(Probe(socket));
  auto channel = grpc::CreateChannel("unix:" + socket, grpc::InsecureChannelCredentials());
  return AgentClient(socket, v1::AgentService::NewStub(channel), console);
}

Error AgentClient::ToError(const grpc::Status& status) const {
  const std::string& text = status.error_message();
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return {Code::kUnavailable, fmt::format("the agent on {} went away ({}); see its log, or {}",
                                              socket_, text, kWayOut)};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Code::kUnavailable,
              fmt::format("the agent on {} is there but does not answer in time; see its log",
                          socket_)};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Code::kFailedPrecondition,
              fmt::format("the agent on {} does not know this command; it is older than this "
                          "leman: upgrade it",
                          socket_)};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {Code::kInvalidArgument, text};
    case grpc::StatusCode::NOT_FOUND:
      return {Code::kNotFound, text};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {Code::kAlreadyExists, text};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {Code::kPermissionDenied, text};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {Code::kResourceExhausted, text};
    case grpc::StatusCode::FAILED_PRECONDITION:
      return {Code::kFailedPrecondition, text};
    default:
      return {Code::kInternal, fmt::format("the agent on {}: {}", socket_, text)};
  }
}

template <class Request, class Response>
Result<Response> AgentClient::Call(
    grpc::Status (v1::AgentService::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
    std::chrono::seconds deadline, const char* what) {
  const Progress progress(*console_, what);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + deadline);
  Response response;
  const grpc::Status status = (stub_.get()->*method)(&context, Request(), &response);
  if (!status.ok()) {
    return Fail(ToError(status));
  }
  return response;
}

template <class Entry, class Page, class Request>
Result<std::vector<Entry>> AgentClient::List(
    std::unique_ptr<grpc::ClientReader<Page>> (v1::AgentService::Stub::*method)(
        grpc::ClientContext*, const Request&),
    std::optional<std::uint32_t> vni, const char* what) {
  Progress progress(*console_, what);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kListDeadline);
  Request request;
  if (vni.has_value()) {
    request.set_vni(*vni);
    request.set_filter_vni(true);
  }
  const auto reader = (stub_.get()->*method)(&context, request);
  std::vector<Entry> entries;
  Page page;
  while (reader->Read(&page)) {
    std::move(page.mutable_entries()->begin(), page.mutable_entries()->end(),
              std::back_inserter(entries));
    progress.Count(entries.size());
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    return Fail(ToError(status));
  }
  return entries;
}

Result<v1::Status> AgentClient::GetStatus() {
  return Call<v1::GetStatusRequest>(&v1::AgentService::Stub::GetStatus, kDeadline,
                                    "waiting for the agent");
}

Result<v1::ListPortsResponse> AgentClient::ListPorts() {
  return Call<v1::ListPortsRequest>(&v1::AgentService::Stub::ListPorts, kDeadline, "reading ports");
}

Result<v1::ListNetworksResponse> AgentClient::ListNetworks() {
  return Call<v1::ListNetworksRequest>(&v1::AgentService::Stub::ListNetworks, kDeadline,
                                       "reading networks");
}

Result<v1::ListPeersResponse> AgentClient::ListPeers() {
  return Call<v1::ListPeersRequest>(&v1::AgentService::Stub::ListPeers, kDeadline, "reading peers");
}

Result<std::vector<v1::FdbEntry>> AgentClient::ListFdb(std::optional<std::uint32_t> vni) {
  return List<v1::FdbEntry>(&v1::AgentService::Stub::ListFdb, vni, "reading forwarding entries");
}

Result<std::vector<v1::NeighbourEntry>> AgentClient::ListNeighbours(
    std::optional<std::uint32_t> vni) {
  return List<v1::NeighbourEntry>(&v1::AgentService::Stub::ListNeighbours, vni,
                                  "reading neighbours");
}

Result<v1::Drops> AgentClient::GetDrops() {
  return Call<v1::GetDropsRequest>(&v1::AgentService::Stub::GetDrops, kDeadline,
                                   "reading counters");
}

Result<v1::Counters> AgentClient::GetCounters() {
  return Call<v1::GetCountersRequest>(&v1::AgentService::Stub::GetCounters, kDeadline,
                                      "reading counters");
}

Result<v1::ReloadResponse> AgentClient::Reload() {
  return Call<v1::ReloadRequest>(&v1::AgentService::Stub::Reload, kReloadDeadline, "reloading");
}

}  // namespace leman::cli
