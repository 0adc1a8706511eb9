#include "cli/watch.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/Option.hpp>
#include <chrono>
#include <ctime>
#include <sstream>
#include <string>
#include <vector>

#include "cli/usage.h"

namespace leman::cli {

namespace {

std::string ClockNow() { return fmt::format("{:%H:%M:%S}", fmt::localtime(std::time(nullptr))); }

// Over what stands on the screen, each line cleared to its end: no flicker.
void Redraw(Console& console, const std::string& frame) {
  console.out << "\x1b[H";
  int lines = 0;
  std::istringstream input(frame);
  for (std::string line; std::getline(input, line); ++lines) {
    if (console.height > 0 && lines + 1 >= console.height) {
      break;
    }
    console.out << line << "\x1b[K\n";
  }
  console.out << "\x1b[J" << std::flush;
}

}  // namespace

void AddWatchOptions(CLI::App& command, WatchOptions& options) {
  CLI::Option* watch = command
                           .add_option_function<std::vector<double>>(
                               "--watch",
                               [&options](const std::vector<double>& values) {
                                 options.enabled = true;
                                 if (!values.empty()) {
                                   options.seconds = values.front();
                                 }
                               },
                               "Repeat every SECONDS until Ctrl-C (default 2)")
                           ->expected(0, 1)
                           ->default_val(std::vector<double>{2})
                           ->run_callback_for_default(false)
                           ->default_str("")
                           ->check(Seconds(0.01, 86400))
                           ->type_name("[SECONDS]");
  command.add_option("--rounds", options.rounds, "Stop after N rounds")
      ->check(WholeNumber(1, 1'000'000'000))
      ->needs(watch)
      ->type_name("N");
}

Status RunWatched(Session& session, const WatchOptions& options,
                  const std::function<Status(Console&)>& round) {
  Console& console = session.console();
  if (!options.enabled) {
    return round(console);
  }
  const Interrupt interrupt;
  const bool redraw = console.out_tty && !session.globals().machine();
  if (redraw) {
    console.out << "\x1b[2J";
  }
  for (int done = 1;; ++done) {
    std::ostringstream frame;
    Console buffer = console.WithOut(frame);
    if (redraw) {
      buffer.out << console.Paint(Style::kDim, fmt::format("every {:g}s, {}, Ctrl-C ends",
                                                           options.seconds, ClockNow()))
                 << "\n\n";
    }
    Status status = round(buffer);
    if (!status.ok()) {
      if (done == 1) {
        return status;
      }
      if (redraw) {
        buffer.out << console.Paint(Style::kBad, status.error().message()) << "\n";
      } else {
        session.Warn(ClockNow() + " " + status.error().message());
      }
    }
    if (redraw) {
      Redraw(console, frame.str());
    } else {
      console.out << frame.str() << std::flush;
    }
    if (!console.out.good() || done == options.rounds ||
        interrupt.WaitFor(
            std::chrono::milliseconds(static_cast<std::int64_t>(options.seconds * 1000)))) {
      return {};
    }
    if (!redraw && !session.globals().machine()) {
      console.out << '\n';
    }
  }
}

}  // namespace leman::cli
