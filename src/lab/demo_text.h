// The demo's words: the way of a packet, a transfer, counters. Pure functions of what was measured.
// Threads: any. Errors: CheckWay tells what is wrong with the way.
#pragma once

#include <leman/v1/agent.pb.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "lab/lab_file.h"
#include "lab/report.h"
#include "lab/stations.h"
#include "lab/traffic.h"

namespace leman::lab {

// A drawing of the lab in three lines: who is where.
[[nodiscard]] std::string DescribeCast(const LabFile& lab, const Machine& sender,
                                       const Machine& receiver, const Machine& stranger);

// The way is right when both ends hold the same bytes and the tunnel's packets are accepted by
// libgeneve, with this VNI. The text on success is a summary.
[[nodiscard]] Result<std::string> CheckWay(const std::vector<Station>& way, Vni vni);

// Every station with its packet decoded and what changed since the one before.
[[nodiscard]] std::string DescribeWay(const std::vector<Station>& way, const Report& report);

[[nodiscard]] std::string DescribeTransfer(const Transfer& transfer);

[[nodiscard]] std::string DescribeCounters(const std::string& host,
                                           const v1::ListNetworksResponse& networks,
                                           const v1::Drops& drops, const Report& report);

}  // namespace leman::lab
