// `leman demo`: brings a lab up and shows, station by station, how one packet goes from a machine
// on one host to a machine on another, and that a third machine in another network hears nothing.
//
// Threads: runs on the caller's thread. Ownership: removes the lab at the end, also after a failure
// or Ctrl-C, unless `keep` is set.
#pragma once

#include <optional>
#include <string>

#include "lab/lab_file.h"

namespace leman::lab {

struct DemoOptions {
  std::string file;  // empty: the two hosts of the examples
  std::optional<Kind> kind;
  bool keep = false;
};

// 0, or 1 with the failed step told, or 128 and the signal that interrupted it.
[[nodiscard]] int RunDemo(const DemoOptions& options);

}  // namespace leman::lab
