#include "cli/app.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/commands.h"

namespace leman::cli {

namespace {

constexpr const char* kFooter =
    "Exit status: 0 done, 1 failure, 2 wrong usage, 3 no agent answers.\n"
    "More: leman COMMAND --help, man leman";

void RegisterVersion(CLI::App& app, Session& session) {
  app.add_subcommand("version", "Version of this program")->callback([&session] {
    Console& console = session.console();
    if (session.globals().machine()) {
      ShowTree(console, session.globals(),
               {{"version", LEMAN_VERSION}, {"libpcap", pcap_lib_version()}}, false);
    } else {
      console.out << "leman " << LEMAN_VERSION << " (" << pcap_lib_version() << ")\n";
    }
    session.Finish({});
  });
}

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

int UsageError(const CLI::App& app, Console& console, const CLI::ParseError& error) {
  const CLI::App& at = Deepest(app);
  std::string text = error.what();
  if (const std::vector<std::string> extra = app.remaining(true); !extra.empty()) {
    const std::string& word = extra.front();
    const bool command = !word.starts_with('-') && &at == &app;
    std::vector<std::string> known;
    if (command) {
      known = CommandNames(app);
    } else {
      for (const CLI::App* level = &at; level != nullptr; level = level->get_parent()) {
        for (const CLI::Option* option : level->get_options()) {
          for (const std::string& name : option->get_lnames()) {
            known.push_back("--" + name);
          }
        }
      }
    }
    text = fmt::format("{} '{}'{}",
                       command                 ? "no command"
                       : word.starts_with('-') ? "no option"
                                               : "unexpected argument",
                       word, Suggest(word, known));
  }
  console.err << (console.err_color ? PaintAlways(Style::kBad, "leman:") : std::string("leman:"))
              << " " << text << "\nsee: " << FullName(at) << " --help\n";
  return kExitUsage;
}

}  // namespace

std::unique_ptr<CLI::App> BuildApp(Session& session) {
  auto app = std::make_unique<CLI::App>(
      "Virtual networks over GENEVE: what this host's agent does, "
      "and what is in the packets",
      "leman");
  app->require_subcommand(1);
  app->footer(kFooter);
  app->get_formatter()->column_width(32);
  GlobalOptions& globals = session.globals();
  app->add_option("--socket", globals.socket, "Unix socket of the agent")
      ->envname("LEMAN_SOCKET")
      ->default_str(kDefaultSocket)
      ->type_name("PATH");
  app->add_option("-o,--output", globals.output,
                  "Form of the output; wide: all columns, exact numbers")
      ->check(CLI::IsMember({"table", "wide", "json", "yaml"}).description(""))
      ->default_str("table")
      ->type_name("table|wide|json|yaml");
  app->add_flag("--no-headers", globals.no_headers, "Tables without their first line");
  app->set_version_flag("--version", std::string("leman ") + LEMAN_VERSION, "Show the version");

  RegisterStatus(*app, session);
  RegisterShow(*app, session);
  RegisterCounters(*app, session);
  RegisterDecode(*app, session);
  RegisterCapture(*app, session);
#ifdef LEMAN_HAVE_LAB
  RegisterLab(*app, session);
#endif
  RegisterCompletion(*app, session);
  RegisterVersion(*app, session);
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) {
    command->fallthrough();  // `leman ports -o json` reads better than `leman -o json ports`
  }
  return app;
}

int RunLeman(const std::vector<std::string>& arguments, Console& console) {
  Session session(console);
  const std::unique_ptr<CLI::App> app = BuildApp(session);
  if (arguments.empty()) {
    console.err << app->help();
    return kExitUsage;
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app->parse(std::move(reversed));  // CLI11 takes them last first
  } catch (const CLI::CallForHelp&) {
    const CLI::App& at = Deepest(*app);
    console.out << at.help(at.get_parent() == nullptr ? "" : FullName(*at.get_parent()));
    return kExitOk;
  } catch (const CLI::CallForVersion& version) {
    console.out << version.what() << '\n';
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return UsageError(*app, console, error);
  }
  return session.exit_code();
}

}  // namespace leman::cli
