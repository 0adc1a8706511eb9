// Usage errors, help, completion, and the manual against the command tree.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "cli/completion.h"
#include "cli/test_support.h"

namespace leman::cli {
namespace {

TEST(UsageTest, NothingTypedShowsTheHelp) {
  const RunResult result = RunCommand({});
  EXPECT_EQ(result.code, kExitUsage);
  EXPECT_NE(result.err.find("decode"), std::string::npos);
  EXPECT_EQ(result.out, "");
}

TEST(UsageTest, HelpGoesToStdout) {
  const RunResult top = RunCommand({"--help"});
  EXPECT_EQ(top.code, kExitOk);
  EXPECT_NE(top.out.find("Exit status: 0 done"), std::string::npos);
  const RunResult decode = RunCommand({"decode", "--help"});
  EXPECT_EQ(decode.code, kExitOk);
  EXPECT_NE(decode.out.find("--strict-exit"), std::string::npos) << decode.out;
}

TEST(UsageTest, TyposGetASuggestion) {
  const RunResult command = RunCommand({"statsu"});
  EXPECT_EQ(command.code, kExitUsage);
  EXPECT_EQ(command.err, "leman: no command 'statsu'; did you mean 'status'?\nsee: leman --help\n");
  const RunResult option = RunCommand({"decode", "-", "--sumary"});
  EXPECT_EQ(option.code, kExitUsage);
  EXPECT_EQ(option.err,
            "leman: no option '--sumary'; did you mean '--summary'?\nsee: leman decode --help\n");
}

TEST(UsageTest, CommandsOfCommandsGetOneToo) {
  EXPECT_EQ(RunCommand({"lab", "upp"}).err,
            "leman: no command 'upp'; did you mean 'up'?\nsee: leman lab --help\n");
  const RunResult none = RunCommand({"lab"});
  EXPECT_EQ(none.code, kExitUsage);
  EXPECT_TRUE(none.err.starts_with("leman: a command is missing; there are: up, ")) << none.err;
  EXPECT_EQ(RunCommand({"ports", "extra"}).err,
            "leman: unexpected argument 'extra'\nsee: leman ports --help\n");
}

TEST(UsageTest, NumbersSayWhatTheyMayBe) {
  const auto told = [](const std::vector<std::string>& arguments) {
    const std::string err = RunCommand(arguments).err;
    return err.substr(0, err.find('\n'));
  };
  EXPECT_EQ(told({"fdb", "--vni", "blue"}),
            "leman: --vni: 'blue' is no whole number from 0 to 16777215");
  EXPECT_EQ(told({"fdb", "--vni", "16777216"}),
            "leman: --vni: '16777216' is no whole number from 0 to 16777215");
  EXPECT_EQ(told({"fdb", "--vni", "010"}),
            "leman: --vni: '010' is no whole number from 0 to 16777215");
  EXPECT_EQ(told({"capture", "-i", "lo", "--count", "0"}),
            "leman: --count: '0' is no whole number from 1 to 1000000000");
  EXPECT_EQ(told({"capture", "-i", "lo", "--duration", "-1"}),
            "leman: --duration: '-1' is no time from 0.001 to 1000000000 seconds");
  EXPECT_EQ(told({"drops", "--watch=soon"}),
            "leman: --watch: 'soon' is no time from 0.01 to 86400 seconds");
  EXPECT_EQ(told({"drops", "--rounds", "3"}), "leman: --rounds requires --watch");
  // Both spellings of a number reach the agent, which is not there.
  EXPECT_EQ(RunCommand({"fdb", "--vni", "0x2711", "--socket", "/nonexistent/s"}).code,
            kExitNoAgent);
  EXPECT_EQ(RunCommand({"fdb", "--vni", "10001", "--socket", "/nonexistent/s"}).code, kExitNoAgent);
}

void CheckHelp(const CLI::App& app, std::vector<std::string> path) {
  std::vector<std::string> arguments = path;
  arguments.emplace_back("--help");
  const RunResult result = RunCommand(arguments);
  EXPECT_EQ(result.code, kExitOk);
  EXPECT_NE(result.out.find("\nUsage: leman"), std::string::npos) << result.out;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    path.push_back(command->get_name());
    CheckHelp(*command, path);
    path.pop_back();
  }
}

TEST(UsageTest, HelpOfEveryCommandFitsEightyColumns) {
  std::ostringstream sink;
  Console console{sink, sink};
  Session session(console);
  CheckHelp(*BuildApp(session), {});
}

TEST(UsageTest, WrongValuesAreRefused) {
  EXPECT_EQ(RunCommand({"ports", "-o", "xml"}).code, kExitUsage);
  EXPECT_EQ(RunCommand({"fdb", "--vni", "16777216"}).code, kExitUsage);
  EXPECT_EQ(RunCommand({"fdb", "--vni", "1", "--network", "blue"}).code, kExitUsage);
  EXPECT_EQ(RunCommand({"decode"}).code, kExitUsage);
  EXPECT_EQ(RunCommand({"drops", "--watch=0"}).code, kExitUsage);
  EXPECT_EQ(RunCommand({"capture"}).code, kExitUsage);
}

TEST(UsageTest, VersionBothWays) {
  EXPECT_NE(RunCommand({"version"}).out.find(std::string("leman ") + LEMAN_VERSION),
            std::string::npos);
  EXPECT_EQ(RunCommand({"--version"}).out, std::string("leman ") + LEMAN_VERSION + "\n");
  EXPECT_EQ(Tree::parse(RunCommand({"version", "-o", "json"}).out)["version"], LEMAN_VERSION);
}

TEST(CaptureTest, WrongPlacesAreNamed) {
  const RunResult device = RunCommand({"capture", "-i", "l0"});
  EXPECT_EQ(device.code, kExitFailure);
  EXPECT_NE(device.err.find("no device 'l0'; did you mean 'lo'?"), std::string::npos) << device.err;
  EXPECT_NE(RunCommand({"capture", "-i", "lo", "--netns", "../x"}).err.find("not a path"),
            std::string::npos);
  EXPECT_NE(RunCommand({"capture", "-i", "lo", "--netns", "no-such-space"})
                .err.find("no network namespace 'no-such-space'"),
            std::string::npos);
}

// A real capture in a network namespace of its own, which needs no root where users may make one.
TEST(CaptureTest, WritesWhatTsharkReads) {
  if (Shell("unshare -rn true 2>/dev/null") == "\x01") {
    GTEST_SKIP() << "no network namespace may be made here";
  }
  if (!HaveTool("tshark") || !HaveTool("ip")) {
    GTEST_SKIP() << "tshark or ip is not installed";
  }
  const TempDir dir;
  const std::string file = dir.File("lo.pcapng");
  // The first line says that the capture has begun. VNI 10001, then 10002, which is filtered out.
  WriteFile(dir.File("script"),
            "ip link set lo up\n"
            "exec 3< <(" LEMAN_PROGRAM " capture -i lo --vni 10001 -c 2 -w " +
                file +
                " 2>&1)\n"
                "read -r line <&3\n"
                "for vni in 11 12 11; do\n"
                "  printf '\\x00\\x00\\x65\\x58\\x00\\x27\\x'$vni'\\x00' "
                ">/dev/udp/127.0.0.1/6081\n"
                "done\n"
                "cat <&3\n");
  const std::string told = Shell("timeout 20 unshare -rn bash " + dir.File("script"));
  EXPECT_NE(told.find("2 packets written to " + file), std::string::npos) << told;
  EXPECT_EQ(Shell("tshark -r " + file + " -T fields -e udp.dstport -e geneve.vni 2>/dev/null"),
            "6081\t0x002711\n6081\t0x002711\n");
  EXPECT_NE(RunCommand({"decode", file, "--lenient"}).out.find("VNI 10001"), std::string::npos);
}

std::string Completed(const std::string& script, const std::string& words, int at) {
  TempDir dir;
  WriteFile(dir.File("completion"), script);
  return Shell("bash -c 'source " + dir.File("completion") + "; COMP_WORDS=(" + words +
               "); COMP_CWORD=" + std::to_string(at) +
               "; _leman; printf \"%s \" \"${COMPREPLY[@]}\"'");
}

TEST(CompletionTest, BashParsesAndCompletes) {
  const std::string script = RunCommand({"completion", "bash"}).out;
  TempDir dir;
  WriteFile(dir.File("completion"), script);
  ASSERT_EQ(Shell("bash -n " + dir.File("completion") + " 2>&1"), "") << script;
  EXPECT_EQ(Completed(script, "leman sta", 1), "status ");
  EXPECT_EQ(Completed(script, "leman p", 1), "ports peers ");
  EXPECT_EQ(Completed(script, "leman drops --al", 2), "--all ");
  EXPECT_EQ(Completed(script, "leman decode --strict", 2), "--strict-exit ");
  EXPECT_EQ(Completed(script, "leman -o j", 2), "json ");
  EXPECT_EQ(Completed(script, "leman ports -o y", 3), "yaml ");
  EXPECT_EQ(Completed(script, "leman ports --output = y", 4), "yaml ");
  EXPECT_EQ(Completed(script, "leman decode --from u", 3), "udp ");
  EXPECT_EQ(Completed(script, "leman completion f", 2), "fish ");
  EXPECT_EQ(Completed(script, "leman capture -i l", 3).substr(0, 2), "lo");
  EXPECT_NE(Completed(script, "leman decode /etc/pass", 2).find("/etc/passwd"), std::string::npos);
}

TEST(CompletionTest, EveryCommandAndOptionIsThere) {
  const std::string bash = RunCommand({"completion", "bash"}).out;
  const std::string zsh = RunCommand({"completion", "zsh"}).out;
  const std::string fish = RunCommand({"completion", "fish"}).out;
  for (const char* word : {"neighbours", "capture", "reload"}) {
    for (const std::string* script : {&bash, &zsh, &fish}) {
      EXPECT_NE(script->find(word), std::string::npos) << word;
    }
  }
  EXPECT_NE(fish.find("-l strict-exit"), std::string::npos);
  EXPECT_NE(zsh.find("--strict-exit"), std::string::npos);
}

TEST(CompletionTest, ZshParses) {
  if (!HaveTool("zsh")) {
    GTEST_SKIP() << "zsh is not installed";
  }
  TempDir dir;
  WriteFile(dir.File("completion"), RunCommand({"completion", "zsh"}).out);
  EXPECT_EQ(Shell("zsh -n " + dir.File("completion") + " 2>&1"), "");
}

TEST(CompletionTest, FishParsesAndCompletes) {
  if (!HaveTool("fish")) {
    GTEST_SKIP() << "fish is not installed";
  }
  TempDir dir;
  WriteFile(dir.File("completion"), RunCommand({"completion", "fish"}).out);
  EXPECT_EQ(Shell("fish -n " + dir.File("completion") + " 2>&1"), "");
  const std::string words =
      Shell("fish -c 'source " + dir.File("completion") + "; complete -C \"leman sta\"' 2>&1");
  EXPECT_EQ(words.substr(0, 7), "status\t") << words;
}

void CheckManual(const CLI::App& app, const std::string& section) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      const bool common = name == "help" && app.get_parent() != nullptr;
      EXPECT_TRUE(common || section.find("**--" + name + "**") != std::string::npos)
          << app.get_name() << " --" << name << " is not in docs/man/leman.1.md";
    }
    for (const std::string& name : option->get_snames()) {
      EXPECT_TRUE(name == "h" || section.find("**-" + name + "**") != std::string::npos)
          << app.get_name() << " -" << name << " is not in docs/man/leman.1.md";
    }
  }
}

// Everything --help shows is in the manual, under the heading of its command.
TEST(ManualTest, NamesEveryCommandAndOption) {
  const std::string manual = ReadFile(LEMAN_MAN_PAGE);
  ASSERT_FALSE(manual.empty()) << LEMAN_MAN_PAGE;
  std::ostringstream sink;
  Console console{sink, sink};
  Session session(console);
  const std::unique_ptr<CLI::App> app = BuildApp(session);
  CheckManual(*app, manual);
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    const std::string heading = "\n## leman " + command->get_name();
    const std::size_t begin = manual.find(heading);
    ASSERT_NE(begin, std::string::npos) << command->get_name() << " has no section";
    // The lab has a manual of its own.
    if (command->get_name() == "lab" || command->get_name() == "demo") {
      continue;
    }
    const std::string section =
        manual.substr(begin, manual.find("\n#", begin + heading.size()) - begin);
    EXPECT_NE(section.find("\n    $ leman "), std::string::npos)
        << command->get_name() << " has no example";
    CheckManual(*command, section);
  }
}

// The other way round: nothing in the manual that is gone from the program.
TEST(ManualTest, NamesNothingElse) {
  const std::string manual = ReadFile(LEMAN_MAN_PAGE);
  std::ostringstream sink;
  Console console{sink, sink};
  Session session(console);
  const std::unique_ptr<CLI::App> app = BuildApp(session);
  std::string known;
  const auto add = [&](const CLI::App& level) {
    for (const CLI::Option* option : level.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        known += " --" + name + " ";
      }
    }
  };
  add(*app);
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    add(*command);
  }
  const std::regex option("\\*\\*(--[a-z-]+)\\*\\*");
  for (std::sregex_iterator it(manual.begin(), manual.end(), option), end; it != end; ++it) {
    EXPECT_NE(known.find(" " + (*it)[1].str() + " "), std::string::npos)
        << (*it)[1].str() << " is in the manual only";
  }
}

}  // namespace
}  // namespace leman::cli
