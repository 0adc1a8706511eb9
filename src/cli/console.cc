#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace leman::cli {

namespace {

int TerminalWidth(const winsize& size) {
  if (size.ws_col > 0) {
    return size.ws_col;
  }
  if (const char* columns = std::getenv("COLUMNS"); columns != nullptr) {
    int width = 0;
    const char* end = columns + std::strlen(columns);
    if (std::from_chars(columns, end, width).ptr == end && width > 0) {
      return width;
    }
  }
  return 80;
}

bool Utf8Locale() {
  // The first one set wins, as setlocale(3) has it.
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      return strcasestr(value, "utf-8") != nullptr || strcasestr(value, "utf8") != nullptr;
    }
  }
  return false;
}

bool ColorsWanted() {
  const char* no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') {
    return false;
  }
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

std::string PaintAlways(Style style, std::string_view text) {
  std::string_view code;
  switch (style) {
    case Style::kPlain:
      return std::string(text);
    case Style::kGood:
      code = "32";
      break;
    case Style::kWarn:
      code = "33";
      break;
    case Style::kBad:
      code = "31";
      break;
    case Style::kDim:
      code = "2";
      break;
    case Style::kBold:
      code = "1";
      break;
  }
  std::string painted = "\x1b[";
  painted.append(code).append("m").append(text).append("\x1b[0m");
  return painted;
}

std::string Console::Paint(Style style, std::string_view text) const {
  return color ? PaintAlways(style, text) : std::string(text);
}

Console SystemConsole() {
  Console console{std::cout, std::cerr};
  console.in_fd = STDIN_FILENO;
  console.out_tty = isatty(STDOUT_FILENO) == 1;
  console.err_tty = isatty(STDERR_FILENO) == 1;
  console.color = console.out_tty && ColorsWanted();
  console.err_color = console.err_tty && ColorsWanted();
  console.utf8 = Utf8Locale();
  winsize size{};
  if (console.out_tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    console.width = TerminalWidth(size);
    console.height = size.ws_row;
  }
  return console;
}

std::string Printable(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      c = '?';
    }
  }
  return clean;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) {
      ++width;
    }
  }
  return width;
}

}  // namespace leman::cli
