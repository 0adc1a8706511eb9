// Tells when the file behind a path may be another one: written and closed, replaced by rename,
// removed, made readable, or reached through a symbolic link that was swapped (as Kubernetes swaps
// a ConfigMap) or a directory that was replaced. A file that is being written in place is not told
// before it is closed.
//
// Threads: one. Ownership: the inotify descriptor. Errors: kInternal with the errno; a path that
// does not exist is no error, its coming is what is waited for.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace leman::agent {

class FileWatcher {
 public:
  [[nodiscard]] static Result<FileWatcher> Make(const std::string& path);

  [[nodiscard]] int fd() const { return inotify_.get(); }
  // Takes what waits. True: read the file again.
  [[nodiscard]] bool Drain();

 private:
  FileWatcher(Fd inotify, std::string path)
      : inotify_(std::move(inotify)), path_(std::move(path)) {}
  void Follow();

  Fd inotify_;
  std::string path_;
  std::map<std::pair<int, std::string>, std::string> names_;  // watch and name → path
  std::set<int> watches_;
};

// What to do with a file that somebody has open for writing: half of it may be missing.
enum class BusyFile { kRefuse, kRead };

// Reads a regular file of at most `max_bytes`. kFailedPrecondition: it is busy and to be refused
// (not told on file systems without leases).
[[nodiscard]] Result<std::string> ReadRegularFile(const std::string& path, std::size_t max_bytes,
                                                  BusyFile busy);

}  // namespace leman::agent
