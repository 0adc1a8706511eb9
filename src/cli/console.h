// Where a command writes and what the other end can show.
//
// Threads: one thread. Ownership: refers to streams that the caller keeps alive.
// Tests build their own Console with a width and string streams; main uses SystemConsole().
#pragma once

#include <ostream>
#include <string>
#include <string_view>

namespace leman::cli {

enum class Style { kPlain, kGood, kWarn, kBad, kDim, kBold };

struct Console {
  std::ostream& out;
  std::ostream& err;
  int in_fd = 0;
  bool out_tty = false;
  bool err_tty = false;
  bool color = false;  // of `out`
  bool err_color = false;
  bool utf8 = true;  // the locale can show "…" and "·"
  int width = 0;     // columns of `out`; 0: no limit (a pipe or a file)
  int height = 0;    // lines of `out`; 0: no limit

  // The same console with another place for its output.
  [[nodiscard]] Console WithOut(std::ostream& other) const {
    return {other, err, in_fd, out_tty, err_tty, color, err_color, utf8, width, height};
  }
  // `text` with the escape sequence of `style`, or as it is when `out` shows no colours.
  [[nodiscard]] std::string Paint(Style style, std::string_view text) const;
  [[nodiscard]] std::string_view Ellipsis() const { return utf8 ? "…" : "~"; }
  [[nodiscard]] std::string_view Dot() const { return utf8 ? " · " : ", "; }
};

// stdout, stderr and stdin of this process. Colours only on a terminal, never with NO_COLOR set or
// TERM=dumb. The width is the terminal's, or COLUMNS.
[[nodiscard]] Console SystemConsole();

// The escape sequence around a style, used by Console::Paint and for stderr.
[[nodiscard]] std::string PaintAlways(Style style, std::string_view text);

// Control characters shown as '?': what others named must not drive this terminal.
[[nodiscard]] std::string Printable(std::string_view text);

// Columns that `text` takes: code points of UTF-8, one each.
[[nodiscard]] int DisplayWidth(std::string_view text);

}  // namespace leman::cli
