// The directory of the pins: ROOT/v<ABI>/ holds maps and programs of one ABI version. Internal to
// dataplane/.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace leman {

// Makes sure that `root` lies on a bpffs (mounting one if there is none) and ROOT/v<abi> exists.
[[nodiscard]] Result<std::string> MakePinDir(const std::string& root, int abi_version);

// Every ROOT/v* there is.
[[nodiscard]] std::vector<std::string> ListPinDirs(const std::string& root);

// Removes all pins of one version and its directory.
[[nodiscard]] Status RemovePinDir(const std::string& dir);

// Removes `root` if it is empty, and its mount if MakePinDir made it there.
void RemovePinRoot(const std::string& root);

}  // namespace leman
