// Serves the metrics over HTTP on a loopback port. Threads: its own, one. Ownership: the server;
// the collectable is shared with it, as prometheus-cpp wants. Errors: a busy or wrong address.
#pragma once

#include <prometheus/exposer.h>

#include <memory>
#include <string>

#include "agent/metrics.h"
#include "base/result.h"

namespace leman::agent {

class MetricsServer {
 public:
  // `address`: ADDRESS:PORT; port 0 takes a free one.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> Start(
      const std::string& address, std::shared_ptr<Metrics> metrics);

  [[nodiscard]] int port() const { return port_; }

 private:
  MetricsServer(std::shared_ptr<Metrics> metrics, std::unique_ptr<prometheus::Exposer> exposer,
                int port)
      : metrics_(std::move(metrics)), exposer_(std::move(exposer)), port_(port) {}

  std::shared_ptr<Metrics> metrics_;  // before the exposer: it is the last to go
  std::unique_ptr<prometheus::Exposer> exposer_;
  int port_;
};

}  // namespace leman::agent
