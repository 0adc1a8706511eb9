// What the tests of this directory share: running the real command line in process.
#pragma once

#include <stdlib.h>
#include <yaml.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "cli/tree.h"

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

// Every key and value of a tree in order, as text.
inline std::vector<std::string> Scalars(const Tree& tree) {
  std::vector<std::string> scalars;
  const auto append = [&](const Tree& part) {
    const std::vector<std::string> more = Scalars(part);
    scalars.insert(scalars.end(), more.begin(), more.end());
  };
  if (tree.is_object()) {
    for (const auto& [key, value] : tree.items()) {
      scalars.push_back(key);
      append(value);
    }
  } else if (tree.is_array()) {
    for (const Tree& value : tree) {
      append(value);
    }
  } else {
    scalars.push_back(tree.is_string() ? tree.get<std::string>() : tree.dump());
  }
  return scalars;
}

// The same of YAML as libyaml reads it; ends with what libyaml says against it, if anything.
inline std::vector<std::string> YamlScalars(const std::string& text) {
  std::vector<std::string> scalars;
  yaml_parser_t parser;
  if (yaml_parser_initialize(&parser) != 1) {
    return {"no memory"};
  }
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  for (bool end = false; !end;) {
    yaml_event_t event;
    if (yaml_parser_parse(&parser, &event) != 1) {
      scalars.emplace_back(parser.problem);
      break;
    }
    end = event.type == YAML_STREAM_END_EVENT;
    if (event.type == YAML_SCALAR_EVENT) {
      scalars.emplace_back(reinterpret_cast<const char*>(event.data.scalar.value),
                           event.data.scalar.length);
    }
    yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return scalars;
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
