#include "cli/table.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace leman::cli {

namespace {

constexpr int kGap = 2;

struct Shown {
  std::size_t index;
  int width;
};

int Total(const std::vector<Shown>& shown) {
  const int gaps = shown.empty() ? 0 : kGap * static_cast<int>(shown.size() - 1);
  return std::accumulate(shown.begin(), shown.end(), gaps,
                         [](int sum, const Shown& column) { return sum + column.width; });
}

// The first `width` columns of `text`, the last of them an ellipsis if something was cut.
std::string Fit(const std::string& text, int width, std::string_view ellipsis) {
  if (DisplayWidth(text) <= width) {
    return text;
  }
  std::string cut;
  int used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80U;
    if (starts && ++used > width - 1) {
      break;
    }
    cut += text[i];
  }
  return cut.append(ellipsis);
}

// Takes columns from the widest shrinkable one until the table fits or none can give more.
void Shrink(const std::vector<Column>& columns, std::vector<Shown>& shown, int limit) {
  while (Total(shown) > limit) {
    Shown* widest = nullptr;
    for (Shown& column : shown) {
      const Column& spec = columns[column.index];
      const int floor = std::max(spec.min_width, DisplayWidth(spec.title));
      if (spec.shrink && column.width > floor &&
          (widest == nullptr || column.width > widest->width)) {
        widest = &column;
      }
    }
    if (widest == nullptr) {
      return;
    }
    --widest->width;
  }
}

// What the table would be at least, all shrinkable columns at their floor.
int Floor(const std::vector<Column>& columns, std::vector<Shown> shown) {
  Shrink(columns, shown, 0);
  return Total(shown);
}

}  // namespace

void Table::Add(std::vector<Cell> row) {
  row.resize(columns_.size());
  for (Cell& cell : row) {
    cell.text = Printable(cell.text);
  }
  rows_.push_back(std::move(row));
}

std::vector<std::string> Table::Print(const Console& console, const TableOptions& options) const {
  std::vector<Shown> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].wide_only && !options.wide) {
      continue;
    }
    int width = options.headers ? DisplayWidth(columns_[i].title) : 0;
    for (const auto& row : rows_) {
      width = std::max(width, DisplayWidth(row[i].text));
    }
    shown.push_back({i, width});
  }
  std::vector<std::string> dropped;
  const int limit = console.width - options.indent;
  if (console.width > 0 && !options.wide) {
    while (Floor(columns_, shown) > limit) {
      auto last = std::max_element(shown.begin(), shown.end(), [&](const Shown& a, const Shown& b) {
        return columns_[a.index].drop_order <= columns_[b.index].drop_order;
      });
      if (last == shown.end() || columns_[last->index].drop_order == 0) {
        break;
      }
      dropped.push_back(columns_[last->index].title);
      shown.erase(last);
    }
    Shrink(columns_, shown, limit);
  }
  const auto print_line = [&](const std::vector<Cell>* row) {
    std::string line(static_cast<std::size_t>(options.indent), ' ');
    std::string blanks;  // held back, so that no line ends in spaces
    for (std::size_t i = 0; i < shown.size(); ++i) {
      const Column& spec = columns_[shown[i].index];
      const std::string text = Fit(row == nullptr ? spec.title : (*row)[shown[i].index].text,
                                   shown[i].width, console.Ellipsis());
      const auto pad = static_cast<std::size_t>(std::max(0, shown[i].width - DisplayWidth(text)));
      if (spec.right) {
        blanks.append(pad, ' ');
      }
      if (!text.empty()) {
        line += blanks;
        blanks.clear();
        line += console.Paint(row == nullptr ? Style::kBold : (*row)[shown[i].index].style, text);
      }
      if (!spec.right) {
        blanks.append(pad, ' ');
      }
      blanks.append(kGap, ' ');
    }
    console.out << line << '\n';
  };
  if (options.headers) {
    print_line(nullptr);
  }
  for (const auto& row : rows_) {
    print_line(&row);
  }
  return dropped;
}

}  // namespace leman::cli
