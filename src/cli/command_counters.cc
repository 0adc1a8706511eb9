// leman drops, leman counters.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/agent_client.h"
#include "cli/commands.h"
#include "cli/units.h"
#include "cli/watch.h"

namespace leman::cli {

namespace {

struct CounterOptions {
  bool all = false;
  WatchOptions watch;
};

// What a counter gained since the last round, a second.
class Rates {
 public:
  // Begins a round.
  void Tick() {
    const auto now = std::chrono::steady_clock::now();
    seconds_ = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    ++rounds_;
  }
  // "-" in the first round, and when the counter went back because the agent began anew.
  [[nodiscard]] std::string Of(const std::string& key, std::uint64_t value) {
    const auto [place, fresh] = values_.try_emplace(key, value);
    const std::uint64_t before = std::exchange(place->second, value);
    if (rounds_ < 2 || fresh || value < before || seconds_ <= 0) {
      return "-";
    }
    return Rate(static_cast<double>(value - before) / seconds_);
  }

 private:
  std::map<std::string, std::uint64_t> values_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  double seconds_ = 0;
  int rounds_ = 0;
};

Table VerdictTable(bool rates) {
  std::vector<Column> columns = {{.title = "HOOK", .drop_order = 2},
                                 {.title = "VERDICT"},
                                 {.title = "PACKETS", .right = true},
                                 {.title = "BYTES", .right = true, .drop_order = 3}};
  if (rates) {
    columns.push_back({.title = "RATE", .right = true});
  }
  columns.push_back({.title = "MEANING", .shrink = true, .min_width = 16, .drop_order = 1});
  return Table(std::move(columns));
}

void AddVerdict(Table& table, const v1::Verdict& verdict, bool wide, bool watching, Rates& rates) {
  std::vector<Cell> row = {
      verdict.hook(),
      {verdict.verdict(),
       verdict.is_drop() && verdict.packets() > 0 ? Style::kWarn : Style::kPlain},
      wide ? Grouped(verdict.packets()) : SiCount(verdict.packets()),
      wide ? Grouped(verdict.bytes()) : BinaryBytes(verdict.bytes())};
  if (watching) {
    row.emplace_back(rates.Of("v " + verdict.hook() + " " + verdict.verdict(), verdict.packets()));
  }
  row.emplace_back(verdict.text());
  table.Add(std::move(row));
}

Status DropsRound(Session& session, AgentClient& agent, const CounterOptions& options, Rates& rates,
                  Console& console) {
  LEMAN_ASSIGN_OR_RETURN(const v1::Drops drops, agent.GetDrops());
  rates.Tick();
  const bool wide = session.globals().format() == Output::kWide;
  Table table = VerdictTable(options.watch.enabled);
  Tree tree = Tree::array();
  for (const v1::Verdict& verdict : drops.verdicts()) {
    if (!verdict.is_drop() || (verdict.packets() == 0 && !options.all)) {
      continue;
    }
    tree.push_back(ToTree(verdict));
    AddVerdict(table, verdict, wide, options.watch.enabled, rates);
  }
  if (table.empty() && !session.globals().machine()) {
    console.out << "nothing dropped\n";
    return {};
  }
  Show(console, session.globals(), tree, table, options.watch.enabled);
  return {};
}

Status CountersRound(Session& session, AgentClient& agent, const CounterOptions& options,
                     Rates& rates, Console& console) {
  LEMAN_ASSIGN_OR_RETURN(const v1::Counters counters, agent.GetCounters());
  rates.Tick();
  const GlobalOptions& globals = session.globals();
  if (globals.machine()) {
    // Everything, also at zero: whoever reads this by program wants a fixed set of names.
    ShowTree(console, globals, ToTree(counters), options.watch.enabled);
    return {};
  }
  const bool wide = globals.format() == Output::kWide;
  const bool watching = options.watch.enabled;
  const auto count = [wide](std::uint64_t n) { return wide ? Grouped(n) : SiCount(n); };

  Table verdicts = VerdictTable(watching);
  for (const v1::Verdict& verdict : counters.verdicts()) {
    if (verdict.packets() > 0 || options.all) {
      AddVerdict(verdicts, verdict, wide, watching, rates);
    }
  }
  std::vector<Column> event_columns = {{.title = "EVENT"}, {.title = "COUNT", .right = true}};
  std::vector<Column> option_columns = {{.title = "RECEIVED OPTION", .shrink = true},
                                        {.title = "CLASS"},
                                        {.title = "TYPE"},
                                        {.title = "PACKETS", .right = true},
                                        {.title = "BYTES", .right = true, .drop_order = 1}};
  if (watching) {
    event_columns.push_back({.title = "RATE", .right = true});
    option_columns.push_back({.title = "RATE", .right = true});
  }
  event_columns.push_back({.title = "MEANING", .shrink = true, .min_width = 16, .drop_order = 1});
  Table events(std::move(event_columns));
  for (const v1::EventCount& event : counters.events()) {
    if (event.count() == 0 && !options.all) {
      continue;
    }
    std::vector<Cell> row = {event.event(), count(event.count())};
    if (watching) {
      row.emplace_back(rates.Of("e " + event.event(), event.count()));
    }
    row.emplace_back(event.text());
    events.Add(std::move(row));
  }
  Table received(std::move(option_columns));
  for (const v1::OptionCount& option : counters.received_options()) {
    const std::string option_class = fmt::format("0x{:04x}", option.option_class());
    const std::string type = fmt::format("0x{:02x}", option.type());
    std::vector<Cell> row = {option.name().empty() ? "unknown" : option.name(), option_class, type,
                             count(option.packets()),
                             wide ? Grouped(option.bytes()) : BinaryBytes(option.bytes())};
    if (watching) {
      row.emplace_back(rates.Of("o " + option_class + type, option.packets()));
    }
    received.Add(std::move(row));
  }
  bool first = true;
  for (const Table* table : {&verdicts, &events, &received}) {
    if (table->empty()) {
      continue;
    }
    console.out << (first ? "" : "\n");
    first = false;
    Show(console, globals, Tree(), *table);
  }
  if (first) {
    console.out << "nothing counted yet\n";
  }
  return {};
}

using Round = Status (*)(Session&, AgentClient&, const CounterOptions&, Rates&, Console&);

void AddCommand(CLI::App& app, Session& session, const char* name, const char* description,
                const char* all_text, Round round) {
  auto options = std::make_shared<CounterOptions>();
  CLI::App* command = app.add_subcommand(name, description);
  command->add_flag("-a,--all", options->all, all_text);
  AddWatchOptions(*command, options->watch);
  command->callback([&session, options, round] {
    session.Finish([&]() -> Status {
      LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                             AgentClient::Connect(session.globals().socket, session.console()));
      Rates rates;
      return RunWatched(session, options->watch, [&](Console& console) {
        return round(session, agent, *options, rates, console);
      });
    }());
  });
}

}  // namespace

void RegisterCounters(CLI::App& app, Session& session) {
  AddCommand(app, session, "drops", "Packets dropped, by reason",
             "Also the reasons that never occurred", DropsRound);
  AddCommand(app, session, "counters", "Verdicts, events and received GENEVE options",
             "Also what is at zero", CountersRound);
}

}  // namespace leman::cli
