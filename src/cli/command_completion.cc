// leman completion SHELL.
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/completion.h"

namespace leman::cli {

void RegisterCompletion(CLI::App& app, Session& session) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand(
      "completion", "Completion script; for bash: source <(leman completion bash)");
  completion->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->type_name("bash|zsh|fish");
  completion->callback([&app, &session, shell] {
    session.console().out << (*shell == "bash"  ? BashCompletion(app)
                              : *shell == "zsh" ? ZshCompletion(app)
                                                : FishCompletion(app));
    session.Finish({});
  });
}

}  // namespace leman::cli
