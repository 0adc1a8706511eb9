// The directory of the pins: ROOT/v<ABI>/ holds maps and programs of one ABI version. Internal to
// dataplane/.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace leman {

// ROOT/v<abi>.
[[nodiscard]] std::string PinDir(const std::string& root, int abi_version);

// Makes sure that `root` lies on a bpffs (mounting one if there is none) and `dir` in it exists.
[[nodiscard]] Status MakePinDir(const std::string& root, const std::string& dir);

// Every ROOT/v* there is.
[[nodiscard]] std::vector<std::string> ListPinDirs(const std::string& root);

// Removes all pins of one version and its directory.
[[nodiscard]] Status RemovePinDir(const std::string& dir);

// Removes `root` if it is empty, and the bpffs that MakePinDir mounted if nobody uses it.
void RemovePinRoot(const std::string& root);

}  // namespace leman
