#include "agent/metrics_server.h"

#include <fmt/format.h>

#include <exception>
#include <vector>

namespace leman::agent {

Result<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                            std::shared_ptr<Metrics> metrics) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, 1);
    exposer->RegisterCollectable(metrics);
    const std::vector<int> ports = exposer->GetListeningPorts();
    const int port = ports.empty() ? 0 : ports.front();
    return std::unique_ptr<MetricsServer>(
        new MetricsServer(std::move(metrics), std::move(exposer), port));
  } catch (const std::exception&) {
    // What the HTTP server says of it names no cause; nearly always it is this one.
    return Fail(
        Code::kAlreadyExists,
        fmt::format("cannot serve metrics on {}: the port is taken or the address is not of "
                    "this host; set --metrics-address ADDRESS:PORT, or off",
                    address));
  }
}

}  // namespace leman::agent
