// leman status, leman reload.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cli/agent_client.h"
#include "cli/commands.h"
#include "cli/units.h"
#include "cli/watch.h"

namespace leman::cli {

namespace {

// A map this full is worth a word before it is full.
constexpr std::uint64_t kMapWarnPercent = 90;

struct StatusOptions {
  bool check = false;
  WatchOptions watch;
};

std::string StateText(const v1::Status& status) {
  const int step = status.state();
  if (status.state() == v1::AGENT_STATE_READY) {
    return "ready";
  }
  std::string words = v1::AgentState_Name(status.state());
  if (const std::string prefix = "AGENT_STATE_"; words.starts_with(prefix)) {
    words.erase(0, prefix.size());
  }
  std::transform(words.begin(), words.end(), words.begin(), [](unsigned char c) {
    return c == '_' ? ' ' : static_cast<char>(std::tolower(c));
  });
  return fmt::format("starting: {} (step {} of {})", words, step,
                     static_cast<int>(v1::AGENT_STATE_READY));
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text.empty() ? "no address" : text;
}

std::string Counted(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", Grouped(count), count == 1 ? one : many);
}

// Text broken at blanks to the terminal's width, the lines after the first one indented.
void PrintWrapped(Console& console, const std::string& first_indent, std::size_t indent,
                  const std::string& text) {
  const auto width = static_cast<std::size_t>(console.width > 0 ? std::max(console.width, 20) : 0);
  std::string line = first_indent;
  std::size_t used = indent;
  bool fresh = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t blank = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, blank - at);
    const auto columns = static_cast<std::size_t>(DisplayWidth(word));
    if (width > 0 && !fresh && used + 1 + columns > width) {
      console.out << line << '\n';
      line = std::string(indent, ' ');
      used = indent;
      fresh = true;
    }
    line += (fresh ? "" : " ") + word;
    used += columns + (fresh ? 0 : 1);
    fresh = false;
    at = blank + 1;
  }
  console.out << line << '\n';
}

void PrintLine(Console& console, const char* label, const std::vector<std::string>& parts) {
  std::string line;
  for (const std::string& part : parts) {
    if (!part.empty()) {
      line += (line.empty() ? "" : std::string(console.Dot())) + Printable(part);
    }
  }
  PrintWrapped(console, console.Paint(Style::kDim, fmt::format("  {:<10}", label)), 12, line);
}

void PrintMaps(Console& console, const v1::Status& status, bool all) {
  std::vector<v1::MapUsage> maps(status.maps().begin(), status.maps().end());
  const auto share = [](const v1::MapUsage& map) {
    return map.max_entries() == 0
               ? 0.0
               : static_cast<double>(map.entries()) / static_cast<double>(map.max_entries());
  };
  std::stable_sort(maps.begin(), maps.end(),
                   [&](const auto& a, const auto& b) { return share(a) > share(b); });
  if (!all && maps.size() > 3) {
    maps.resize(3);
  }
  std::vector<std::string> parts;
  parts.reserve(maps.size());
  for (const v1::MapUsage& map : maps) {
    parts.push_back(fmt::format("{} {} of {} ({})", map.map(), Grouped(map.entries()),
                                Grouped(map.max_entries()),
                                Percent(map.entries(), map.max_entries())));
  }
  if (parts.empty()) {
    return;
  }
  if (!all) {
    PrintLine(console, "fullest", parts);
    return;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PrintLine(console, i == 0 ? "maps" : "", {parts[i]});
  }
}

std::vector<std::string> FullMaps(const v1::Status& status) {
  std::vector<std::string> full;
  for (const v1::MapUsage& map : status.maps()) {
    if (map.max_entries() > 0 && map.entries() >= map.max_entries() * kMapWarnPercent / 100) {
      full.push_back(fmt::format(
          "map {}: {} of {} entries used; spread the networks over more hosts before it is full",
          map.map(), Grouped(map.entries()), Grouped(map.max_entries())));
    }
  }
  return full;
}

void PrintStatus(Console& console, const v1::Status& status, bool wide) {
  const bool ready = status.state() == v1::AGENT_STATE_READY;
  std::string headline = StateText(status);
  Style style = ready ? Style::kGood : Style::kWarn;
  if (status.degraded()) {
    headline += ", degraded: " +
                Counted(static_cast<std::uint64_t>(status.problems_size()), "problem", "problems");
    style = Style::kBad;
  }
  console.out << console.Paint(Style::kBold, Printable(status.host())) << ": "
              << console.Paint(style, headline) << "\n\n";
  PrintLine(console, "agent",
            {status.version(), fmt::format("map ABI {}", status.abi_version()),
             status.kernel().empty() ? "" : "kernel " + status.kernel(),
             "up " + Duration(status.uptime_seconds()), BinaryBytes(status.rss_bytes()) + " used"});
  PrintLine(console, "underlay",
            {status.underlay_device(), fmt::format("MTU {}", status.underlay_mtu()),
             Joined(status.underlay_addresses()), fmt::format("UDP port {}", status.udp_port())});
  PrintLine(console, "state",
            {status.state_file(), fmt::format("revision {}", status.revision()),
             fmt::format("last reconcile {}: {} added, {} changed, {} removed",
                         Duration(status.last_reconcile_ms() / 1000), status.last_added(),
                         status.last_changed(), status.last_removed())});
  PrintLine(console, "holds",
            {Counted(status.networks(), "network", "networks"),
             Counted(status.ports(), "port", "ports"), Counted(status.peers(), "peer", "peers"),
             Counted(status.fdb_entries(), "FDB entry", "FDB entries")});
  PrintMaps(console, status, wide);
  const std::vector<std::string> full = FullMaps(status);
  if (status.problems_size() == 0 && full.empty()) {
    return;
  }
  console.out << '\n';
  for (const v1::Problem& problem : status.problems()) {
    const std::string where = Printable(problem.where());
    PrintWrapped(
        console, console.Paint(Style::kBad, "problem  "), 9,
        where.empty() ? Printable(problem.what()) : where + ": " + Printable(problem.what()));
  }
  for (const std::string& text : full) {
    PrintWrapped(console, console.Paint(Style::kWarn, "warning  "), 9, Printable(text));
  }
}

Status RunStatus(Session& session, const StatusOptions& options) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  bool healthy = true;
  LEMAN_TRY(RunWatched(session, options.watch, [&](Console& console) -> leman::Status {
    LEMAN_ASSIGN_OR_RETURN(const v1::Status status, agent.GetStatus());
    healthy = !status.degraded() && status.state() == v1::AGENT_STATE_READY;
    if (session.globals().machine()) {
      ShowTree(console, session.globals(), ToTree(status), options.watch.enabled);
    } else {
      PrintStatus(console, status, session.globals().format() == Output::kWide);
    }
    return {};
  }));
  if (options.check && !healthy) {
    // No message: what is wrong stands above. The exit code is the answer to --check.
    session.exit_code() = kExitFailure;
  }
  return {};
}

Status RunReload(Session& session) {
  LEMAN_ASSIGN_OR_RETURN(AgentClient agent,
                         AgentClient::Connect(session.globals().socket, session.console()));
  auto reloaded = agent.Reload();
  if (!reloaded.ok()) {
    const Error& error = reloaded.error();
    if (error.code() == Code::kInvalidArgument) {
      return Fail(error.code(),
                  "the state file is wrong and the running state stays:\n" + error.message());
    }
    return Fail(error);
  }
  const v1::ReloadResponse& response = reloaded.value();
  Console& console = session.console();
  if (session.globals().machine()) {
    ShowTree(console, session.globals(), ToTree(response), false);
    return {};
  }
  const bool same = response.added() + response.changed() + response.removed() == 0;
  console.out << fmt::format(
      "revision {} in {}: {}\n", response.revision(), Duration(response.reconcile_ms() / 1000),
      same ? "nothing to change"
           : fmt::format("{} added, {} changed, {} removed", Grouped(response.added()),
                         Grouped(response.changed()), Grouped(response.removed())));
  return {};
}

}  // namespace

void RegisterStatus(CLI::App& app, Session& session) {
  auto options = std::make_shared<StatusOptions>();
  CLI::App* status = app.add_subcommand("status", "What this host's agent holds, and its problems");
  status->add_flag("--check", options->check,
                   "Exit 1 unless the agent is ready and has no problem");
  AddWatchOptions(*status, options->watch);
  status->callback([&session, options] { session.Finish(RunStatus(session, *options)); });

  CLI::App* reload = app.add_subcommand("reload", "Have the agent read its state file again");
  reload->callback([&session] { session.Finish(RunReload(session)); });
}

}  // namespace leman::cli
