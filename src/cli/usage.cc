#include "cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string_view>
#include <vector>

#include "cli/session.h"

namespace leman::cli {

namespace {

constexpr std::size_t kHelpColumns = 80;
constexpr std::size_t kNameColumns = 32;  // options and commands; what they are stands behind

// Line breaks instead of the blanks where `columns` are full.
std::string Wrapped(const std::string& text, std::size_t columns) {
  std::string wrapped;
  std::size_t used = 0;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (used > 0) {
      const bool fits = used + 1 + word.size() <= columns;
      wrapped += fits ? ' ' : '\n';
      used = fits ? used + 1 : 0;
    }
    wrapped += word;
    used += word.size();
  }
  return wrapped;
}

class NarrowFormatter : public CLI::Formatter {
 public:
  NarrowFormatter() { column_width(kNameColumns); }

  std::string make_option_desc(const CLI::Option* option) const override {
    return Wrapped(CLI::Formatter::make_option_desc(option), kHelpColumns - kNameColumns);
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::stringstream out;
    CLI::detail::format_help(out, command->get_display_name(true),
                             Wrapped(command->get_description(), kHelpColumns - kNameColumns),
                             kNameColumns);
    return out.str();
  }
  std::string make_description(const CLI::App* app) const override {
    return Wrapped(CLI::Formatter::make_description(app), kHelpColumns) + "\n";
  }
};

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// The deepest subcommand that was recognised: its help is the one to point to.
const CLI::App& Deepest(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : Deepest(*parsed.front());
}

std::string FullName(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : FullName(*parent) + " " + app.get_name();
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
  }
  return names;
}

std::string Fault(const CLI::App& app, const CLI::App& at, const CLI::ParseError& error) {
  const std::vector<std::string> commands = CommandNames(at);
  if (const std::vector<std::string> extra = app.remaining(true); !extra.empty()) {
    const std::string& word = extra.front();
    if (word.starts_with('-')) {
      return fmt::format("no option '{}'{}", word, Suggest(word, OptionNames(at)));
    }
    if (commands.empty()) {
      return fmt::format("unexpected argument '{}'", word);
    }
    return fmt::format("no command '{}'{}", word, Suggest(word, commands));
  }
  if (!commands.empty() && at.get_subcommands().empty() && error.get_name() == "RequiredError") {
    return fmt::format("a command is missing; there are: {}", fmt::join(commands, ", "));
  }
  return error.what();
}

}  // namespace

CLI::Validator WholeNumber(std::uint64_t low, std::uint64_t high) {
  return {[low, high](const std::string& text) -> std::string {
            std::string_view digits = text;
            int base = 10;
            if (digits.starts_with("0x") || digits.starts_with("0X")) {
              digits.remove_prefix(2);
              base = 16;
            }
            // 010 is ten to people and eight to CLI11.
            const bool octal = base == 10 && digits.size() > 1 && digits.front() == '0';
            std::uint64_t value = 0;
            const char* end = digits.data() + digits.size();
            const auto [at, error] = std::from_chars(digits.data(), end, value, base);
            if (!octal && error == std::errc{} && at == end && value >= low && value <= high) {
              return {};
            }
            return fmt::format("'{}' is no whole number from {} to {}", text, low, high);
          },
          ""};
}

CLI::Validator Seconds(double low, double high) {
  return {[low, high](const std::string& text) -> std::string {
            double value = NAN;
            const char* end = text.data() + text.size();
            const auto [at, error] = std::from_chars(text.data(), end, value);
            if (error == std::errc{} && at == end && value >= low && value <= high) {
              return {};
            }
            return fmt::format("'{}' is no time from {} to {} seconds", text, low, high);
          },
          ""};
}

void UseNarrowHelp(CLI::App& app) { app.formatter(std::make_shared<NarrowFormatter>()); }

std::string Help(const CLI::App& app) {
  const CLI::App& at = Deepest(app);
  return at.help(at.get_parent() == nullptr ? "" : FullName(*at.get_parent()));
}

std::string UsageText(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& at = Deepest(app);
  return fmt::format("{}\nsee: {} --help", Fault(app, at, error), FullName(at));
}

}  // namespace leman::cli
