// Rows and columns that fit the terminal.
//
// When the natural width is too large: columns marked `wide_only` are never there to begin with,
// then `shrink` columns are cut down to `min_width` with "…", then columns with the highest
// `drop_order` go. Without a width limit everything is shown as it is.
// Threads: one thread. Ownership: owns its cells. Errors: none; a row shorter than the header is
// filled with empty cells.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/console.h"

namespace leman::cli {

struct Column {
  std::string title;
  bool right = false;  // numbers
  bool shrink = false;
  int min_width = 6;       // of a shrunk column
  int drop_order = 0;      // 0: never dropped; the largest number goes first
  bool wide_only = false;  // shown with `-o wide` only
};

struct Cell {
  std::string text;
  Style style = Style::kPlain;

  Cell() = default;
  Cell(std::string value, Style look = Style::kPlain)  // NOLINT(google-explicit-constructor)
      : text(std::move(value)), style(look) {}
  Cell(const char* value) : text(value) {}  // NOLINT(google-explicit-constructor)
};

struct TableOptions {
  bool wide = false;  // every column, nothing cut
  bool headers = true;
  int indent = 0;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void Add(std::vector<Cell> row);
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

  // Writes to console.out. Returns the titles of columns left out for want of room.
  std::vector<std::string> Print(const Console& console, const TableOptions& options) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace leman::cli
