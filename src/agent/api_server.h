// The unix socket of the API. Threads: Start and destruction on one thread. Ownership: the gRPC
// server and the socket's file, removed at the end; the service must outlive it.
// Errors: a path that cannot be a socket, or that a living process listens on.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace leman::agent {

class ApiServer {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ApiServer>> Start(const std::string& path,
                                                                grpc::Service& service);
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

 private:
  ApiServer(std::string path, std::unique_ptr<grpc::Server> server)
      : path_(std::move(path)), server_(std::move(server)) {}

  std::string path_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace leman::agent
