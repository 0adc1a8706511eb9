// What the tests of this directory share: running the real command line in process.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"

namespace leman::cli {

struct RunResult {
  int code = 0;
  std::string out;
  std::string err;
};

struct RunSetup {
  int width = 0;
  bool terminal = false;  // colours and a width
  int in_fd = 0;
};

inline RunResult RunCommand(const std::vector<std::string>& arguments, RunSetup setup = {}) {
  std::ostringstream out;
  std::ostringstream err;
  Console console{out, err};
  console.in_fd = setup.in_fd;
  console.width = setup.width;
  console.out_tty = setup.terminal;
  console.color = setup.terminal;
  RunResult result;
  result.code = RunLeman(arguments, console);
  result.out = out.str();
  result.err = err.str();
  return result;
}

// A directory of its own, gone with the object.
class TempDir {
 public:
  TempDir() {
    std::string pattern = "/tmp/leman-cli-test-XXXXXX";
    path_ = mkdtemp(pattern.data()) == nullptr ? "/nonexistent" : pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string TestData(const std::string& name) {
  return std::string(LEMAN_CLI_TESTDATA) + "/" + name;
}

// The output of a shell command, or "\x01" if it failed.
inline std::string Shell(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) {
    return "\x01";
  }
  char chunk[4096];
  while (const std::size_t count = fread(chunk, 1, sizeof(chunk), pipe)) {
    text.append(chunk, count);
  }
  return pclose(pipe) == 0 ? text : "\x01";
}

inline bool HaveTool(const std::string& name) {
  return Shell("command -v " + name + " 2>/dev/null") != "\x01";
}

}  // namespace leman::cli
