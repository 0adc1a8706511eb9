// Named network namespaces as `ip netns` keeps them (/run/netns), and the processes inside.
//
// Threads:   InNetns runs its function on a thread of its own; the caller stays where it is.
// Ownership: namespaces belong to the machine, not to this process: they outlive it.
// Errors:    kNotFound for a namespace that is not there.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace leman::lab {

[[nodiscard]] Result<Fd> OpenNetns(const std::string& name);
[[nodiscard]] bool NetnsExists(const std::string& name);
// Names in /run/netns that start with `prefix`, sorted.
[[nodiscard]] std::vector<std::string> ListNetns(std::string_view prefix);

// Runs `work` inside the namespace; sockets made there stay there.
[[nodiscard]] Status InNetns(const std::string& name, const std::function<Status()>& work);

// Moves this process for good, with a /sys that shows the namespace's devices and still the host's
// pinned BPF objects.
[[nodiscard]] Status EnterNetnsWithSysfs(int netns_fd);

// Ends every process inside these namespaces: SIGTERM, then SIGKILL. Fails if we are inside one.
[[nodiscard]] Status KillInside(const std::vector<std::string>& names);

// Kills nothing; removes the name. The kernel frees the namespace with its last user.
[[nodiscard]] Status DeleteNetns(const std::string& name);

}  // namespace leman::lab
