#include "agent/file_watcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <vector>

namespace leman::agent {

namespace {

constexpr std::uint32_t kNameMask =
    IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM;
constexpr std::uint32_t kDirectoryMask = IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

struct Way {
  // Every (directory, name) whose change makes another file of it: symbolic links and the file
  // itself, or the first name that does not exist.
  std::vector<std::pair<std::string, std::string>> names;
  std::set<std::string> directories;  // all that are passed
};

Way WayTo(const std::string& path) {
  Way way;
  std::string directory = path.starts_with('/') ? "/" : ".";
  std::string rest = path;
  for (int links = 0; links < 40 && !rest.empty();) {
    const std::size_t begin = rest.find_first_not_of('/');
    if (begin == std::string::npos) {
      break;
    }
    const std::size_t end = rest.find('/', begin);
    const std::string name = rest.substr(begin, end == std::string::npos ? end : end - begin);
    rest = end == std::string::npos ? std::string() : rest.substr(end);
    const bool last = rest.find_first_not_of('/') == std::string::npos;
    const std::string here = directory == "/" ? "/" + name : directory + "/" + name;
    way.directories.insert(directory);
    struct stat status{};
    if (lstat(here.c_str(), &status) != 0) {
      way.names.emplace_back(directory, name);
      break;
    }
    if (S_ISLNK(status.st_mode)) {
      way.names.emplace_back(directory, name);
      std::array<char, PATH_MAX> target{};
      const ssize_t size = readlink(here.c_str(), target.data(), target.size());
      if (size <= 0) {
        break;
      }
      rest = std::string(target.data(), static_cast<std::size_t>(size)) + rest;
      directory = rest.starts_with('/') ? "/" : directory;
      ++links;
    } else if (last) {
      way.names.emplace_back(directory, name);
      break;
    } else {
      directory = here;
    }
  }
  return way;
}

// A new regular file is told by its closing, half of it is nothing to read; links, hard ones too,
// and directories are there at once.
bool IsWholeAtOnce(const std::string& path) {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 && (!S_ISREG(status.st_mode) || status.st_nlink > 1);
}

}  // namespace

Result<FileWatcher> FileWatcher::Make(const std::string& path) {
  Fd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) {
    return Fail(ErrnoError(errno, "cannot watch the state file"));
  }
  FileWatcher watcher(std::move(inotify), path);
  watcher.Follow();
  if (watcher.watches_.empty()) {
    return Fail(ErrnoError(errno, fmt::format("cannot watch the directory of {}", path)));
  }
  return watcher;
}

void FileWatcher::Follow() {
  std::map<std::pair<int, std::string>, std::string> names;
  std::set<int> watches;
  const Way way = WayTo(path_);
  std::map<std::string, std::uint32_t> masks;
  for (const std::string& directory : way.directories) {
    masks[directory] |= kDirectoryMask;
  }
  for (const auto& [directory, name] : way.names) {
    masks[directory] |= kNameMask;
  }
  std::map<std::string, int> by_directory;
  for (const auto& [directory, mask] : masks) {
    // Two paths may be one directory; then the second must not take away what the first asked for.
    const int watch = inotify_add_watch(inotify_.get(), directory.c_str(), mask | IN_MASK_ADD);
    if (watch >= 0) {
      watches.insert(watch);
      by_directory[directory] = watch;
    }
  }
  for (const auto& [directory, name] : way.names) {
    if (const auto watch = by_directory.find(directory); watch != by_directory.end()) {
      names.emplace(std::pair(watch->second, name), directory + "/" + name);
    }
  }
  for (const int watch : watches_) {
    if (!watches.contains(watch)) {
      inotify_rm_watch(inotify_.get(), watch);
    }
  }
  names_ = std::move(names);
  watches_ = std::move(watches);
}

bool FileWatcher::Drain() {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  bool ours = false;
  for (;;) {
    const ssize_t received = read(inotify_.get(), buffer.data(), buffer.size());
    if (received <= 0) {
      break;
    }
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(received);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      // Bounded by the length: the name is padded with zeros.
      const char* name = buffer.data() + at + sizeof(event);
      const std::string text(name, event.len == 0 ? 0 : strnlen(name, event.len));
      at += sizeof(event) + event.len;
      const bool created = (event.mask & IN_CREATE) != 0;
      if ((event.mask & (IN_Q_OVERFLOW | IN_MOVE_SELF)) != 0 ||
          ((event.mask & IN_IGNORED) != 0 && watches_.contains(event.wd))) {
        ours = true;  // lost events, or a directory that is gone or another: look again
      } else if (names_.contains({event.wd, text})) {
        ours = ours || !created || IsWholeAtOnce(names_.at({event.wd, text}));
      }
    }
  }
  if (ours) {
    Follow();
  }
  return ours;
}

Result<std::string> ReadRegularFile(const std::string& path, std::size_t max_bytes, BusyFile busy) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status{};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return Fail(ErrnoError(errno, fmt::format("cannot read {}", path)));
  }
  if (!S_ISREG(status.st_mode)) {
    return Fail(Code::kInvalidArgument, fmt::format("cannot read {}: it is no regular file", path));
  }
  // A lease is had only while nobody writes; who wants to waits until it goes with the descriptor.
  fcntl(fd.get(), F_SETSIG, SIGURG);  // what tells of waiters: ignored, SIGIO would end us
  if (busy == BusyFile::kRefuse && fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN) {
    return Fail(Code::kFailedPrecondition,
                fmt::format("{} is being written; it is read when the program that writes it has "
                            "closed it",
                            path));
  }
  if (static_cast<std::size_t>(status.st_size) > max_bytes) {
    return Fail(Code::kInvalidArgument, fmt::format("cannot read {}: it has {} bytes, at most {}",
                                                    path, status.st_size, max_bytes));
  }
  std::string text(static_cast<std::size_t>(status.st_size) + 1, '\0');
  std::size_t size = 0;
  while (size <= max_bytes) {
    const ssize_t got = read(fd.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Fail(ErrnoError(errno, fmt::format("cannot read {}", path)));
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
    if (size == text.size()) {
      text.resize(size * 2);  // it grew since fstat
    }
  }
  text.resize(size);
  return text;
}

}  // namespace leman::agent
