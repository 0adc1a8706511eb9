// What a person sees while a lab or the demo runs: steps with their time, and how they ended.
//
// Threads: one. On a terminal the current step is one line that is rewritten; colours only there
// and never with NO_COLOR set or TERM=dumb. Elsewhere a step is one line when it ends.
#pragma once

#include <string>
#include <string_view>

#include "lab/process.h"

namespace leman::lab {

enum class Paint { kGood, kBad, kDim, kBold, kMark };

class Report {
 public:
  Report();

  void Title(const std::string& text);
  // An indented line that belongs to the step before.
  void Note(const std::string& text);
  void Text(const std::string& text);

  void Begin(const std::string& step);
  void Doing(const std::string& detail);  // of the step begun
  void Good(const std::string& outcome);
  void Bad(const std::string& outcome);

  [[nodiscard]] std::string Color(Paint paint, std::string_view text) const;
  [[nodiscard]] double ElapsedSeconds() const;

 private:
  void End(Paint paint, const std::string& mark, const std::string& outcome);
  void ClearLine() const;

  bool terminal_ = false;
  bool color_ = false;
  bool begun_ = false;
  std::string step_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point step_start_ = Clock::now();
};

}  // namespace leman::lab
