#include "dataplane/pin_dir.h"

#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace leman {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSystemBpffs = "/sys/fs/bpf";

bool IsBpffs(const std::string& path) {
  struct statfs info{};
  return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

Status MountBpffs(const std::string& at) {
  if (mount("bpf", at.c_str(), "bpf", 0, "mode=0700") != 0) {
    return Fail(ErrnoError(errno, "cannot mount a bpffs on " + at));
  }
  return {};
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

Result<std::string> MakePinDir(const std::string& root, int abi_version) {
  if (root.starts_with(kSystemBpffs) && !IsBpffs(std::string(kSystemBpffs))) {
    LEMAN_TRY(MountBpffs(std::string(kSystemBpffs)));
  }
  LEMAN_TRY(MakeDirs(root));
  if (!IsBpffs(root)) {
    LEMAN_TRY(MountBpffs(root));
  }
  std::string dir = root + "/v" + std::to_string(abi_version);
  LEMAN_TRY(MakeDirs(dir));
  return dir;
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
  if (!root.starts_with(kSystemBpffs) && IsBpffs(root) && fs::is_empty(root, error) && !error) {
    umount(root.c_str());
  }
  // Fails when something else lives there, and that is right.
  fs::remove(root, error);
}

}  // namespace leman
