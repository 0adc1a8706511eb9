// What every command shares: the console, the global options, and how a command ends.
//
// Threads: one thread, but Progress draws from its own. Ownership: refers to the console.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "cli/table.h"
#include "cli/tree.h"

namespace leman::cli {

inline constexpr const char* kDefaultSocket = "/run/leman/agent.sock";

// The exit status of `leman`; documented in leman(1).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoAgent = 3;

enum class Output { kTable, kWide, kJson, kYaml };

struct GlobalOptions {
  std::string socket = kDefaultSocket;
  std::string output = "table";
  bool no_headers = false;

  [[nodiscard]] Output format() const;
  [[nodiscard]] bool machine() const {
    return format() == Output::kJson || format() == Output::kYaml;
  }
};

class Session {
 public:
  explicit Session(Console& console) : console_(console) {}

  [[nodiscard]] Console& console() { return console_; }
  [[nodiscard]] GlobalOptions& globals() { return globals_; }
  [[nodiscard]] const GlobalOptions& globals() const { return globals_; }
  [[nodiscard]] int& exit_code() { return exit_code_; }

  // Takes the result of a command: an error is told on stderr and decides the exit code.
  void Finish(const Status& status);
  void Warn(const std::string& text);

 private:
  Console& console_;
  GlobalOptions globals_;
  int exit_code_ = kExitOk;
};

// Writes `tree` or `table`, as the user asked. `one_line`: JSON without line breaks, for streams.
void Show(Console& console, const GlobalOptions& globals, const Tree& tree, const Table& table,
          bool one_line = false);
// The machine-readable half of Show alone.
void ShowTree(Console& console, const GlobalOptions& globals, const Tree& tree, bool one_line);

// " · did you mean 'ports'?" for the nearest of `known`, or nothing when none is near.
[[nodiscard]] std::string Suggest(const std::string& word, const std::vector<std::string>& known);

// SIGINT and SIGTERM while it lives: they end a wait instead of the process. One at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] static bool Raised();
  // True when interrupted before `duration` has passed.
  [[nodiscard]] bool WaitFor(std::chrono::milliseconds duration) const;
  // Becomes readable when interrupted; for poll(2).
  [[nodiscard]] int fd() const;
};

// Tells on stderr, if that is a terminal, what takes longer than a second; gone when it is over.
class Progress {
 public:
  Progress(const Console& console, std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Count(std::uint64_t done) { done_.store(done, std::memory_order_relaxed); }
  // With a known end the line shows a percentage.
  void Total(std::uint64_t total) { total_.store(total, std::memory_order_relaxed); }

 private:
  void Draw();

  const Console& console_;
  std::string what_;
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> total_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace leman::cli
