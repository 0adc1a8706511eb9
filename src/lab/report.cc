#include "lab/report.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace leman::lab {
namespace {

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string Seconds(double seconds) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.1f s", seconds);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

Report::Report() {
  // Environment variables are read before any thread starts.
  const char* no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const char* term = std::getenv("TERM");          // NOLINT(concurrency-mt-unsafe)
  terminal_ = isatty(STDOUT_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
  color_ = terminal_ && (no_color == nullptr || *no_color == '\0');
}

std::string Report::Color(Paint paint, std::string_view text) const {
  if (!color_) {
    return std::string(text);
  }
  std::string_view code = "0";
  switch (paint) {
    case Paint::kGood:
      code = "32";
      break;
    case Paint::kBad:
      code = "31;1";
      break;
    case Paint::kDim:
      code = "2";
      break;
    case Paint::kBold:
      code = "1";
      break;
    case Paint::kMark:
      code = "33;1";
      break;
  }
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

double Report::ElapsedSeconds() const { return SecondsSince(start_); }

void Report::ClearLine() const {
  if (terminal_) {
    std::cout << "\r\033[K";
  }
}

void Report::Title(const std::string& text) {
  std::cout << "\n" << Color(Paint::kBold, text) << "\n" << std::flush;
}

void Report::Note(const std::string& text) {
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    std::cout << "    " << text.substr(start, end - start) << "\n";
    start = end + 1;
  }
  std::cout << std::flush;
}

void Report::Text(const std::string& text) { std::cout << text << "\n" << std::flush; }

void Report::Begin(const std::string& step) {
  step_ = step;
  step_start_ = Clock::now();
  begun_ = true;
  if (terminal_) {
    std::cout << "  … " << step << std::flush;
  }
}

void Report::Doing(const std::string& detail) {
  if (begun_ && terminal_) {
    ClearLine();
    std::cout << "  … " << step_ << Color(Paint::kDim, ": " + detail) << std::flush;
  }
}

void Report::Good(const std::string& outcome) { End(Paint::kGood, "✓", outcome); }
void Report::Bad(const std::string& outcome) { End(Paint::kBad, "✗", outcome); }

void Report::End(Paint paint, const std::string& mark, const std::string& outcome) {
  if (!begun_) {
    return;
  }
  ClearLine();
  std::cout << "  " << Color(paint, mark) << " " << step_ << (outcome.empty() ? "" : ": ")
            << outcome << Color(Paint::kDim, "  (" + Seconds(SecondsSince(step_start_)) + ")")
            << "\n"
            << std::flush;
  begun_ = false;
}

}  // namespace leman::lab
