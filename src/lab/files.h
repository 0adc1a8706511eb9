// The few file operations of the lab, with errors as Status.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace leman::lab {

[[nodiscard]] Result<std::string> ReadText(const std::string& path);
// By a temporary file and rename: a reader sees the old or the new, never half.
[[nodiscard]] Status WriteText(const std::string& path, std::string_view text);
[[nodiscard]] Status MakeDirectories(const std::string& path);
// A tree; nothing there is no error. Also for pinned BPF objects.
[[nodiscard]] Status RemoveTree(const std::string& path);
[[nodiscard]] std::vector<std::string> ListSubdirectories(const std::string& path);
// The directory of the running program, without a trailing slash.
[[nodiscard]] std::string ProgramDirectory();

}  // namespace leman::lab
