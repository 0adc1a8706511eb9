#include "cli/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace leman::cli {

namespace {

// Shell commands that list what is there now; all print one word a line and fail silently.
constexpr const char* kListNetworks = "leman networks --no-headers 2>/dev/null | awk '{print $1}'";
constexpr const char* kListDevices = "ls /sys/class/net 2>/dev/null";
constexpr const char* kListNamespaces = "ls /run/netns 2>/dev/null";

struct Value {
  enum class Kind { kNone, kAny, kWords, kFiles, kCommand } kind = Kind::kNone;
  std::string text;  // words with blanks between, or the command
};

struct Opt {
  std::vector<std::string> shorts;  // without dash
  std::vector<std::string> longs;
  std::string description;
  Value value;
  bool optional_value = false;
};

struct Command {
  std::string path;  // "" for leman itself, "lab up"
  std::string name;
  std::string description;
  std::vector<Opt> options;
  std::vector<Value> positionals;
  std::vector<Command> commands;
};

Value ValueOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto command = [](const char* text) { return Value{Value::Kind::kCommand, text}; };
  if (type.find('|') != std::string::npos) {
    std::string words = type;
    std::replace(words.begin(), words.end(), '|', ' ');
    return {Value::Kind::kWords, words};
  }
  if (type == "NETWORK") {
    return command(kListNetworks);
  }
  if (type == "DEV") {
    return command(kListDevices);
  }
  if (type == "NETNS") {
    return command(kListNamespaces);
  }
  if (type == "FILE" || type == "PATH" || option.get_name() == "FILE") {
    return {Value::Kind::kFiles, ""};
  }
  return {Value::Kind::kAny, ""};
}

Command Read(const CLI::App& app, const std::string& path) {
  Command command{path, app.get_name(), app.get_description(), {}, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) {
      continue;  // hidden
    }
    if (option->get_positional()) {
      command.positionals.push_back(ValueOf(*option));
      continue;
    }
    Opt opt;
    opt.shorts = option->get_snames();
    opt.longs = option->get_lnames();
    opt.description = option->get_description();
    opt.optional_value = option->get_items_expected_min() == 0;
    if (option->get_items_expected_max() > 0) {
      opt.value = ValueOf(*option);
    }
    command.options.push_back(std::move(opt));
  }
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_group().empty()) {
      command.commands.push_back(
          Read(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name()));
    }
  }
  return command;
}

template <class Visit>
void Walk(const Command& command, const Visit& visit) {
  visit(command);
  for (const Command& sub : command.commands) {
    Walk(sub, visit);
  }
}

std::vector<std::string> Spelled(const Opt& option) {
  std::vector<std::string> names;
  names.reserve(option.shorts.size() + option.longs.size());
  for (const std::string& name : option.shorts) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.longs) {
    names.push_back("--" + name);
  }
  return names;
}

std::string Join(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : separator) + word;
  }
  return text;
}

std::string Quoted(std::string_view text) {  // for all three shells, inside '…'
  std::string quoted;
  for (const char c : text) {
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return quoted;
}

std::string BashReply(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNone:
    case Value::Kind::kAny:
      return ":";
    case Value::Kind::kWords:
      return fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", value.text);
    case Value::Kind::kFiles:
      return "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))";
    case Value::Kind::kCommand:
      return fmt::format("COMPREPLY=($(compgen -W \"$({})\" -- \"$cur\"))", value.text);
  }
  return ":";
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  const Command root = Read(app, "");
  std::string paths;     // how words lead from command to command
  std::string values;    // what follows an option
  std::string switches;  // words of each command
  Walk(root, [&](const Command& command) {
    std::vector<std::string> words;
    for (const Command& sub : command.commands) {
      words.push_back(sub.name);
      paths += fmt::format("      '{}/{}') path='{}' ;;\n", command.path, sub.name, sub.path);
    }
    std::vector<std::string> options;
    for (const Opt& option : command.options) {
      for (const std::string& name : Spelled(option)) {
        options.push_back(name);
      }
      if (option.value.kind != Value::Kind::kNone && !option.optional_value) {
        std::vector<std::string> patterns;
        for (const std::string& name : Spelled(option)) {
          // Options of leman itself may stand behind every command.
          patterns.push_back(command.path.empty() ? fmt::format("*'/{}'", name)
                                                  : fmt::format("'{}/{}'", command.path, name));
        }
        values +=
            fmt::format("    {}) {}; return ;;\n", Join(patterns, "|"), BashReply(option.value));
      }
    }
    std::string arguments = ":";
    if (!words.empty()) {
      arguments = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", Join(words, " "));
    } else if (!command.positionals.empty()) {
      arguments = BashReply(command.positionals.front());
    }
    switches += fmt::format("    '{}') options='{}'; [[ $cur == -* ]] || {{ {}; }} ;;\n",
                            command.path, Join(options, " "), arguments);
  });
  std::string globals;
  for (const Opt& option : root.options) {
    globals += Join(Spelled(option), " ") + " ";
  }
  return fmt::format(R"(# bash completion for leman, made by: leman completion bash
_leman() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} path='' options='' i
  COMPREPLY=()
  # bash parts "--option=value" into three words.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $prev == = ]]; then
    prev=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path/${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$path/$prev" in
{}  esac
  case "$path" in
{}  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options {}" -- "$cur"))
  fi
}}
complete -F _leman leman
)",
                     paths, values, switches, globals);
}

namespace {

std::string ZshText(std::string_view text) {  // inside an _arguments specification
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') {
      escaped += '\\';
    }
    escaped += c;
  }
  return Quoted(escaped);
}

std::string ZshAction(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNone:
      return "";
    case Value::Kind::kAny:
      return ":value: ";
    case Value::Kind::kWords:
      return fmt::format(":value:({})", value.text);
    case Value::Kind::kFiles:
      return ":file:_files";
    case Value::Kind::kCommand:
      return fmt::format(":name:{{compadd -- ${{(f)\"$({})\"}}}}", Quoted(value.text));
  }
  return "";
}

std::string ZshOption(const Opt& option) {
  const std::vector<std::string> names = Spelled(option);
  std::string text;
  for (const std::string& name : names) {
    const bool is_long = name.starts_with("--");
    std::string action = ZshAction(option.value);
    if (option.optional_value && !action.empty()) {
      action = ":" + action;
    }
    text += fmt::format("    '({}){}{}[{}]{}' \\\n", Join(names, " "), name,
                        option.value.kind != Value::Kind::kNone && is_long
                            ? (option.optional_value ? "=-" : "=")
                            : "",
                        ZshText(option.description), action);
  }
  return text;
}

std::string ZshFunction(const Command& command) {
  std::string name = "_leman" + (command.path.empty() ? "" : "_" + command.path);
  std::replace(name.begin(), name.end(), ' ', '_');
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

}  // namespace

std::string ZshCompletion(const CLI::App& app) {
  const Command root = Read(app, "");
  std::string text = "#compdef leman\n# zsh completion for leman, made by: leman completion zsh\n";
  Walk(root, [&](const Command& command) {
    text += "\n" + ZshFunction(command) +
            "() {\n  local curcontext=\"$curcontext\" state line\n"
            "  _arguments -C \\\n";
    for (const Opt& option : command.options) {
      text += ZshOption(option);
    }
    if (!command.path.empty()) {
      for (const Opt& option : root.options) {
        if (std::find(option.longs.begin(), option.longs.end(), "help") == option.longs.end()) {
          text += ZshOption(option);
        }
      }
    }
    if (command.commands.empty()) {
      for (std::size_t i = 0; i < command.positionals.size(); ++i) {
        text += fmt::format("    '{}{}' \\\n", i + 1, ZshAction(command.positionals[i]));
      }
      text += "    && return\n}\n";
      return;
    }
    text +=
        "    '1:command:->command' '*::argument:->argument' && return\n  case $state in\n"
        "    command)\n      local -a commands=(\n";
    std::string branches;
    for (const Command& sub : command.commands) {
      text += fmt::format("        '{}:{}'\n", sub.name, Quoted(sub.description));
      branches += fmt::format("        {}) {} ;;\n", sub.name, ZshFunction(sub));
    }
    text +=
        "      )\n      _describe -t commands command commands ;;\n    argument)\n"
        "      case $words[1] in\n" +
        branches + "      esac ;;\n  esac\n}\n";
  });
  return text + "\n_leman \"$@\"\n";
}

std::string FishCompletion(const CLI::App& app) {
  const Command root = Read(app, "");
  std::string text =
      "# fish completion for leman, made by: leman completion fish\ncomplete -c leman -f\n";
  const auto value_text = [](const Value& value) -> std::string {
    switch (value.kind) {
      case Value::Kind::kNone:
        return "";
      case Value::Kind::kAny:
        return " -x";
      case Value::Kind::kWords:
        return fmt::format(" -x -a '{}'", value.text);
      case Value::Kind::kFiles:
        return " -r -F";
      case Value::Kind::kCommand:
        return fmt::format(" -x -a '({})'", Quoted(value.text));
    }
    return "";
  };
  Walk(root, [&](const Command& command) {
    // True when exactly this command has been typed: every word of its path, no deeper one.
    std::string here;
    std::string_view rest = command.path;
    while (!rest.empty()) {
      const std::size_t blank = std::min(rest.find(' '), rest.size());
      here += fmt::format("{}__fish_seen_subcommand_from {}", here.empty() ? "" : "; and ",
                          rest.substr(0, blank));
      rest.remove_prefix(std::min(blank + 1, rest.size()));
    }
    std::vector<std::string> deeper;
    deeper.reserve(command.commands.size());
    for (const Command& sub : command.commands) {
      deeper.push_back(sub.name);
    }
    std::string choose = here;
    if (!deeper.empty()) {
      choose += fmt::format("{}not __fish_seen_subcommand_from {}", here.empty() ? "" : "; and ",
                            Join(deeper, " "));
    }
    for (const Command& sub : command.commands) {
      text += fmt::format("complete -c leman -n '{}' -a {} -d '{}'\n", choose, sub.name,
                          Quoted(sub.description));
    }
    for (const Value& value : command.positionals) {
      if (value.kind != Value::Kind::kAny && value.kind != Value::Kind::kNone) {
        text += fmt::format("complete -c leman -n '{}'{}\n", here, value_text(value));
      }
    }
    for (const Opt& option : command.options) {
      text += "complete -c leman";
      if (!here.empty()) {
        text += fmt::format(" -n '{}'", here);
      }
      for (const std::string& name : option.shorts) {
        text += " -s " + name;
      }
      for (const std::string& name : option.longs) {
        text += " -l " + name;
      }
      text += option.optional_value ? "" : value_text(option.value);
      text += fmt::format(" -d '{}'\n", Quoted(option.description));
    }
  });
  return text;
}

}  // namespace leman::cli
