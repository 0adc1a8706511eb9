// The state file: YAML text → DesiredState, with every fault told by line and key.
// Pure: the caller reads the file. Threads: any, no shared state.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/desired_state.h"

namespace leman::model {

// Parses and validates. On failure the message has one line a fault, at most 20:
//   FILE:LINE: KEY.PATH: what is wrong; what would be right
// Networks that say the same as in `before` (null: none) are shared with it.
[[nodiscard]] Result<DesiredState> ParseStateFile(std::string_view file_name, std::string_view text,
                                                  const DesiredState* before = nullptr);

}  // namespace leman::model
