#include "lab/netns.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "lab/process.h"

namespace leman::lab {
namespace {

constexpr std::string_view kNetnsDirectory = "/run/netns";
// After this SIGTERM becomes SIGKILL; after that it is given up.
constexpr Milliseconds kTermPatience{2000};
constexpr Milliseconds kKillPatience{10'000};

std::string PathOf(const std::string& name) { return std::string(kNetnsDirectory) + "/" + name; }

std::vector<std::string> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) {
    return names;
  }
  // readdir is safe here: the stream is this function's own.
  while (const dirent* entry = readdir(directory.get())) {  // NOLINT(concurrency-mt-unsafe)
    names.emplace_back(static_cast<const char*>(entry->d_name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

using FileId = std::pair<dev_t, ino_t>;

// Every process whose network namespace is one of `ids`, as a pidfd: no pid can be reused under it.
std::vector<Fd> ProcessesInside(const std::set<FileId>& ids) {
  std::vector<Fd> found;
  for (const std::string& entry : ListDirectory("/proc")) {
    pid_t pid = 0;
    const auto [rest, error] = std::from_chars(entry.data(), entry.data() + entry.size(), pid);
    if (error != std::errc() || rest != entry.data() + entry.size()) {
      continue;
    }
    const std::string link = "/proc/" + entry + "/ns/net";
    struct stat about{};
    Fd pidfd = OpenPidfd(pid);
    if (pidfd.valid() && stat(link.c_str(), &about) == 0 &&
        ids.contains({about.st_dev, about.st_ino})) {
      found.push_back(std::move(pidfd));
    }
  }
  return found;
}

// Until all have ended, or the deadline.
void WaitAll(const std::vector<Fd>& processes, Clock::time_point deadline) {
  for (const Fd& process : processes) {
    int ended = 0;
    while (ended == 0 && Clock::now() < deadline) {
      const auto left = std::chrono::duration_cast<Milliseconds>(deadline - Clock::now()).count();
      pollfd wait{process.get(), POLLIN, 0};
      ended = std::max(poll(&wait, 1, static_cast<int>(left) + 1), 0);  // a signal is no end
    }
  }
}

}  // namespace

Result<Fd> OpenNetns(const std::string& name) {
  Fd fd(open(PathOf(name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return Fail(ErrnoError(errno, "network namespace " + name));
  }
  return fd;
}

bool NetnsExists(const std::string& name) { return access(PathOf(name).c_str(), F_OK) == 0; }

std::vector<std::string> ListNetns(std::string_view prefix) {
  std::vector<std::string> names = ListDirectory(std::string(kNetnsDirectory));
  std::erase_if(names, [&](const std::string& name) { return !name.starts_with(prefix); });
  return names;
}

Status InNetns(const std::string& name, const std::function<Status()>& work) {
  LEMAN_ASSIGN_OR_RETURN(const Fd netns, OpenNetns(name));
  Status result;
  std::thread worker([&] {
    result = setns(netns.get(), CLONE_NEWNET) == 0
                 ? work()
                 : Status(Fail(ErrnoError(errno, "enter network namespace " + name)));
  });
  worker.join();
  return result;
}

Status EnterNetnsWithSysfs(int netns_fd) {
  if (setns(netns_fd, CLONE_NEWNET) != 0) {
    return Fail(ErrnoError(errno, "enter network namespace"));
  }
  if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "none", MS_SLAVE | MS_REC, nullptr) != 0) {
    return Fail(ErrnoError(errno, "make a mount namespace"));
  }
  const Fd bpf(open("/sys/fs/bpf", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (mount("sysfs", "/sys", "sysfs", 0, nullptr) != 0) {
    return {};  // a locked-down container: the old /sys is still of use
  }
  if (bpf.valid()) {
    const std::string source = "/proc/self/fd/" + std::to_string(bpf.get());
    if (mount(source.c_str(), "/sys/fs/bpf", nullptr, MS_BIND, nullptr) != 0) {
      return Fail(ErrnoError(errno, "bind /sys/fs/bpf"));
    }
  }
  return {};
}

Status KillInside(const std::vector<std::string>& names) {
  std::set<FileId> ids;
  struct stat about{};
  for (const std::string& name : names) {
    if (stat(PathOf(name).c_str(), &about) == 0) {
      ids.insert({about.st_dev, about.st_ino});
    }
  }
  // A name left by a creation that was cut short is an ordinary file: nobody is inside, and our own
  // namespace is never meant.
  struct stat own{};
  if (stat("/proc/self/ns/net", &own) == 0 && ids.contains({own.st_dev, own.st_ino})) {
    return Fail(Code::kFailedPrecondition,
                "this shell is inside the lab; leave it (exit) and try again");
  }
  // Looks again until nobody is there: whoever ended may have started another before.
  const auto start = Clock::now();
  for (auto now = start; now < start + kKillPatience; now = Clock::now()) {
    const std::vector<Fd> processes = ProcessesInside(ids);
    if (processes.empty()) {
      return {};
    }
    const bool kill = now >= start + kTermPatience;
    for (const Fd& process : processes) {
      SendSignal(process, kill ? SIGKILL : SIGTERM);
    }
    WaitAll(processes, start + (kill ? kKillPatience : kTermPatience));
  }
  return Fail(Code::kInternal, "a process of the lab does not end, not even on SIGKILL");
}

Status DeleteNetns(const std::string& name) {
  const std::string path = PathOf(name);
  // EINVAL: a plain file of a creation that was cut short.
  if (umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return Fail(ErrnoError(errno, path));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Fail(ErrnoError(errno, path));
  }
  return {};
}

}  // namespace leman::lab
