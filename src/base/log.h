// Logging: spdlog behind one header. InitLog once in main; everything else calls spdlog::info and
// friends. Threads: any. One line an event, "key=value" words at the end so that it can be
// searched.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

namespace leman {

// To stderr; `level` is one of trace, debug, info, warn, error. False if it is none of these.
[[nodiscard]] bool InitLog(const std::string& program, const std::string& level);

}  // namespace leman
