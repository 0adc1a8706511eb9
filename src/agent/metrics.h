// The metrics of the agent in Prometheus' text form, made at each scrape from the board and the
// dataplane's counters. docs/man/leman-agent.8.md lists them.
//
// Threads: the HTTP server's. Ownership: refers to board and dataplane. prometheus-cpp and its HTTP
// server, which throw, stay inside metrics.cc and metrics_server.cc.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "agent/snapshot.h"

namespace leman::agent {

class Metrics final : public prometheus::Collectable {
 public:
  Metrics(std::string version, const Board& board) : version_(std::move(version)), board_(board) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  std::string version_;
  const Board& board_;
};

}  // namespace leman::agent
