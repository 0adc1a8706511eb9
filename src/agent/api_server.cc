#include "agent/api_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/fd.h"

namespace leman::agent {

namespace {

// Removes the socket that an agent left that was killed. One that answers stays.
Status RemoveStale(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Fail(
        Code::kFailedPrecondition,
        fmt::format("the path of the API socket {} has {} bytes, a unix socket takes {}; set "
                    "a shorter --socket or --run-dir",
                    path, path.size(), sizeof(address.sun_path) - 1));
  }
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) {
    return {};
  }
  if (!S_ISSOCK(status.st_mode)) {
    return Fail(Code::kAlreadyExists,
                fmt::format("{} is there and no socket; remove it or set another --socket", path));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) {
    return Fail(ErrnoError(errno, fmt::format("cannot try whether somebody listens on {}", path)));
  }
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return Fail(
        Code::kAlreadyExists,
        fmt::format("another process listens on {}; stop it or set another --socket", path));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Fail(ErrnoError(errno, fmt::format("cannot remove the stale socket {}", path)));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::Start(const std::string& path,
                                                    grpc::Service& service) {
  LEMAN_TRY(RemoveStale(path));
  // A local door for a few clients: few threads, bounded whatever comes.
  grpc::ResourceQuota quota("leman-agent");
  quota.SetMaxThreads(16);
  quota.Resize(32U << 20U);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  // From its first moment only owner and group may connect.
  const mode_t before = umask(0117);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  umask(before);
  if (server == nullptr) {
    return Fail(Code::kUnavailable,
                fmt::format("cannot listen on {}; is its directory there and writable?", path));
  }
  if (chmod(path.c_str(), 0660) != 0) {
    return Fail(ErrnoError(errno, fmt::format("cannot set the mode of {}", path)));
  }
  return std::unique_ptr<ApiServer>(new ApiServer(path, std::move(server)));
}

ApiServer::~ApiServer() {
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  server_->Wait();
  unlink(path_.c_str());
}

}  // namespace leman::agent
