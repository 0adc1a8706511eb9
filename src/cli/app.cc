#include "cli/app.h"

#include <pcap/pcap.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/usage.h"

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

}  // namespace

std::unique_ptr<CLI::App> BuildApp(Session& session) {
  auto app = std::make_unique<CLI::App>(
      "Virtual networks over GENEVE: what this host's agent does, "
      "and what is in the packets",
      "leman");
  UseNarrowHelp(*app);
  app->require_subcommand(1);
  app->footer(kFooter);
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
  RegisterLab(*app, session);
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
    console.out << Help(*app);
    return kExitOk;
  } catch (const CLI::CallForVersion& version) {
    console.out << version.what() << '\n';
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    console.err << (console.err_color ? PaintAlways(Style::kBad, "leman:") : std::string("leman:"))
                << ' ' << UsageText(*app, error) << '\n';
    return kExitUsage;
  }
  return session.exit_code();
}

}  // namespace leman::cli
