#include "dataplane/pin_dir.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace leman {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSystemBpffs = "/sys/fs/bpf";
// Stands as the source of our mounts in /proc/self/mountinfo: only these are taken away again.
constexpr const char* kMountSource = "leman";

bool IsBpffs(const std::string& path) {
  struct statfs info{};
  return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

bool LiesIn(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

Status MountBpffs(const std::string& at) {
  if (mount(kMountSource, at.c_str(), "bpf", 0, "mode=0700") != 0) {
    const int err = errno;
    return Fail(
        ErrnoError(err, "cannot mount a bpffs on " + at +
                            (err == ENODEV ? " (the kernel needs CONFIG_BPF_SYSCALL)"
                                           : ", mount one there or set --pin-root to one")));
  }
  return {};
}

// Whether the topmost mount at `path` is ours.
bool IsOurMount(const std::string& path) {
  bool ours = false;
  std::ifstream mounts("/proc/self/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string source;
    std::string at;
    words >> source >> at;
    if (at == path) {
      ours = source == kMountSource;
    }
  }
  return ours;
}

// Nothing but what the kernel itself put there: it alone gives names with a dot (maps.debug).
bool IsUnused(const std::string& bpffs) {
  std::error_code error;
  for (fs::directory_iterator it(bpffs, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().find('.') == std::string::npos) {
      return false;
    }
  }
  return !error;
}

void UnmountOurs(const std::string& path) {
  if (IsOurMount(path) && IsUnused(path)) {
    umount(path.c_str());  // refused when somebody works in it
  }
}

Status MakeDirs(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return Fail(ErrnoError(error.value(), "cannot make directory " + path));
  }
  return {};
}

}  // namespace

std::string PinDir(const std::string& root, int abi_version) {
  return root + "/v" + std::to_string(abi_version);
}

Status MakePinDir(const std::string& root, const std::string& dir) {
  if (LiesIn(root, kSystemBpffs) && !IsBpffs(kSystemBpffs)) {
    LEMAN_TRY(MountBpffs(kSystemBpffs));
  }
  LEMAN_TRY(MakeDirs(root));
  if (!IsBpffs(root)) {
    LEMAN_TRY(MountBpffs(root));
  }
  return MakeDirs(dir);
}

std::vector<std::string> ListPinDirs(const std::string& root) {
  std::vector<std::string> dirs;
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.size() > 1 && name[0] == 'v' &&
        name.find_first_not_of("0123456789", 1) == std::string::npos) {
      dirs.push_back(it->path());
    }
  }
  return dirs;
}

Status RemovePinDir(const std::string& dir) {
  std::error_code error;
  fs::remove_all(dir, error);
  if (error) {
    return Fail(ErrnoError(error.value(), "cannot remove the pins under " + dir));
  }
  return {};
}

void RemovePinRoot(const std::string& root) {
  std::error_code error;
  UnmountOurs(root);
  // Fails when something else lives there, and that is right.
  fs::remove(root, error);
  if (LiesIn(root, kSystemBpffs)) {
    UnmountOurs(kSystemBpffs);
  }
}

}  // namespace leman
