#include "cli/session.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <numeric>

#include "cli/units.h"

namespace leman::cli {

namespace {

// Written by the signal handler only; both ends live as long as the process.
std::array<int, 2> interrupt_pipe = {-1, -1};
std::atomic<bool> interrupted = false;
std::array<struct sigaction, 2> previous_actions;

extern "C" void OnInterrupt(int) {
  const int saved = errno;
  interrupted.store(true, std::memory_order_relaxed);
  const char byte = 0;
  static_cast<void>(!write(interrupt_pipe[1], &byte, 1));
  errno = saved;
}

// Levenshtein distance: a typo is one or two of these steps away.
std::size_t Distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

}  // namespace

Output GlobalOptions::format() const {
  if (output == "json") {
    return Output::kJson;
  }
  if (output == "yaml") {
    return Output::kYaml;
  }
  return output == "wide" ? Output::kWide : Output::kTable;
}

void Session::Finish(const Status& status) {
  console_.out.flush();
  if (!status.ok()) {
    exit_code_ = status.error().code() == Code::kUnavailable ? kExitNoAgent : kExitFailure;
    const std::string_view label = "leman:";
    console_.err << (console_.err_color ? PaintAlways(Style::kBad, label) : std::string(label))
                 << ' ' << status.error().message() << '\n';
  } else if (!console_.out.good()) {
    exit_code_ = kExitFailure;
    console_.err << "leman: cannot write the output: is the disk full?\n";
  }
}

void Session::Warn(const std::string& text) {
  console_.err << (console_.err_color ? PaintAlways(Style::kWarn, "warning:")
                                      : std::string("warning:"))
               << ' ' << text << '\n';
}

void ShowTree(Console& console, const GlobalOptions& globals, const Tree& tree, bool one_line) {
  if (globals.format() == Output::kYaml) {
    console.out << (one_line ? "---\n" : "") << ToYaml(tree);
  } else {
    console.out << (one_line ? ToJsonLine(tree) : ToJson(tree));
  }
}

void Show(Console& console, const GlobalOptions& globals, const Tree& tree, const Table& table,
          bool one_line) {
  if (globals.machine()) {
    ShowTree(console, globals, tree, one_line);
    return;
  }
  TableOptions options;
  options.wide = globals.format() == Output::kWide;
  options.headers = !globals.no_headers;
  const std::vector<std::string> dropped = table.Print(console, options);
  if (!dropped.empty() && console.out_tty && console.err_tty) {
    std::string names;
    for (const std::string& name : dropped) {
      names += (names.empty() ? "" : ", ") + name;
    }
    console.err << PaintAlways(console.err_color ? Style::kDim : Style::kPlain,
                               "no room for " + names + "; -o wide shows all")
                << '\n';
  }
}

std::string Suggest(const std::string& word, const std::vector<std::string>& known) {
  const auto best =
      std::min_element(known.begin(), known.end(), [&](const std::string& a, const std::string& b) {
        return Distance(word, a) < Distance(word, b);
      });
  if (best == known.end() || Distance(word, *best) > std::max<std::size_t>(1, word.size() / 3)) {
    return {};
  }
  return "; did you mean '" + *best + "'?";
}

Interrupt::Interrupt() {
  if (interrupt_pipe[0] < 0 && pipe2(interrupt_pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return;  // without a pipe the signals keep ending the process, which is safe
  }
  char drop = 0;
  while (read(interrupt_pipe[0], &drop, 1) == 1) {
  }
  interrupted = false;
  struct sigaction action{};
  action.sa_handler = OnInterrupt;
  sigaction(SIGINT, &action, &previous_actions[0]);
  sigaction(SIGTERM, &action, &previous_actions[1]);
}

Interrupt::~Interrupt() {
  if (interrupt_pipe[0] >= 0) {
    sigaction(SIGINT, &previous_actions[0], nullptr);
    sigaction(SIGTERM, &previous_actions[1], nullptr);
  }
}

bool Interrupt::Raised() { return interrupted; }

int Interrupt::fd() const { return interrupt_pipe[0]; }

bool Interrupt::WaitFor(std::chrono::milliseconds duration) const {
  const auto end = std::chrono::steady_clock::now() + duration;
  while (!Raised()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return false;
    }
    pollfd watched{.fd = interrupt_pipe[0], .events = POLLIN, .revents = 0};
    static_cast<void>(
        poll(&watched, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))));
  }
  return true;
}

Progress::Progress(const Console& console, std::string what)
    : console_(console), what_(std::move(what)) {
  if (console_.err_tty) {
    thread_ = std::thread([this] { Draw(); });
  }
}

Progress::~Progress() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
}

void Progress::Draw() {
  const auto start = std::chrono::steady_clock::now();
  bool drawn = false;
  std::unique_lock lock(mutex_);
  auto wait = std::chrono::milliseconds(1000);
  while (!wake_.wait_for(lock, wait, [this] { return over_; })) {
    wait = std::chrono::milliseconds(200);
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    const std::uint64_t done = done_;
    const std::uint64_t total = total_;
    std::string line = "\r" + what_ + " ";
    if (total > 0) {
      line += Percent(done, total) + " ";
    } else if (done > 0) {
      line += Grouped(done) + " ";
    }
    console_.err << line << "(" << static_cast<int>(passed.count()) << "s)\x1b[K" << std::flush;
    drawn = true;
  }
  if (drawn) {
    console_.err << "\r\x1b[K" << std::flush;
  }
}

}  // namespace leman::cli
