#include "lab/demo.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lab/agent_client.h"
#include "lab/demo_text.h"
#include "lab/lab.h"
#include "lab/report.h"
#include "lab/stations.h"
#include "lab/traffic.h"
#include "lab/two_hosts.h"

namespace leman::lab {
namespace {

// "LEMAN" in hexadecimal: what fills the marked ping's payload.
constexpr const char* kMarker = "4c454d414e";

// Who plays which part, chosen from the lab file.
struct Cast {
  MachinePlan sender;
  MachinePlan receiver;  // same network, another host
  MachinePlan stranger;  // another network, the receiver's address
};

Result<Cast> ChooseCast(const LabPlan& plan) {
  for (const MachinePlan& sender : plan.machines) {
    for (const MachinePlan& receiver : plan.machines) {
      if (receiver.machine.network != sender.machine.network ||
          receiver.machine.host == sender.machine.host) {
        continue;
      }
      for (const MachinePlan& stranger : plan.machines) {
        if (stranger.machine.network != sender.machine.network &&
            stranger.machine.addresses.front() == receiver.machine.addresses.front()) {
          return Cast{sender, receiver, stranger};
        }
      }
    }
  }
  return Fail(Code::kInvalidArgument,
              "the demo needs two machines of one network on two hosts, and a third of another "
              "network with the second one's address; examples/two-hosts.yaml has them");
}

class Demo {
 public:
  Demo(Lab lab, Cast cast) : lab_(std::move(lab)), cast_(std::move(cast)) {}

  [[nodiscard]] Status Run();
  Lab& lab() { return lab_; }
  Report& report() { return report_; }

 private:
  // Runs one step; its text on success is what the step showed.
  template <class Work>
  Status Step(const std::string& title, const Work& work) {
    report_.Begin(title);
    Result<std::string> outcome = work();
    if (!outcome.ok()) {
      report_.Bad(Interrupted() ? "interrupted" : "");
      return Fail(outcome.error().In(title));
    }
    report_.Good(*outcome);
    return {};
  }

  [[nodiscard]] Status ShowPacket();
  [[nodiscard]] Status ShowTraffic();
  [[nodiscard]] Status ShowIsolation();
  [[nodiscard]] Status ShowCounters();
  [[nodiscard]] Result<std::string> StrangerHeardNothing();
  [[nodiscard]] Result<std::string> StrangerReachesNobody();

  Lab lab_;
  Cast cast_;
  Report report_;
  std::unique_ptr<Capture> stranger_ear_;
};

Status Demo::Run() {
  const Machine& sender = cast_.sender.machine;
  const Machine& receiver = cast_.receiver.machine;
  report_.Text(report_.Color(Paint::kBold, "Leman demo") + ": " +
               std::string(KindName(sender.kind)) + " machines, real kernel, real packets");
  report_.Text(DescribeCast(lab_.file(), sender, receiver, cast_.stranger.machine));

  report_.Title("The lab");
  const auto up = [&]() -> Result<std::string> {
    LEMAN_TRY(lab_.Up([&](const std::string& doing) { report_.Doing(doing); }));
    return "up: " + lab_.Size() + ", every agent ready";
  };
  LEMAN_TRY(Step("lab " + lab_.file().name, up));
  // The ear is open for everything that follows, so that silence means silence.
  const MachinePlan& stranger = cast_.stranger;
  const bool vm = stranger.netns.empty();
  LEMAN_ASSIGN_OR_RETURN(
      stranger_ear_,
      Capture::Open(vm ? stranger.host_netns : stranger.netns,
                    vm ? stranger.port_device : std::string(kMachineDevice),
                    vm ? Direction::kOut : Direction::kIn, lab_.plan().run_dir + "/stranger.pcap"));
  LEMAN_TRY(ShowPacket());
  LEMAN_TRY(ShowTraffic());
  LEMAN_TRY(ShowIsolation());
  return ShowCounters();
}

Status Demo::ShowPacket() {
  report_.Title("One packet's way");
  std::vector<Station> way;
  const IpAddress target = cast_.receiver.machine.addresses.front().address;
  const auto ping = [&]() -> Result<std::string> {
    LEMAN_ASSIGN_OR_RETURN(Stations stations,
                           Stations::Listen(cast_.sender, cast_.receiver, lab_.plan().run_dir));
    LEMAN_ASSIGN_OR_RETURN(const Pings pings, Ping(lab_, cast_.sender, target, 1, kMarker));
    if (pings.received != 1) {
      return Fail(Code::kUnavailable, "no answer");
    }
    LEMAN_ASSIGN_OR_RETURN(way, stations.Follow());
    return "answered in " + pings.round_trip;
  };
  LEMAN_TRY(Step("ping " + cast_.sender.machine.name + " → " + target.ToString(), ping));
  const Vni vni = lab_.file().FindNetwork(cast_.sender.machine.network)->vni;
  LEMAN_TRY(Step("the same packet at five stations", [&] { return CheckWay(way, vni); }));
  report_.Text(DescribeWay(way, report_));
  return {};
}

Status Demo::ShowTraffic() {
  report_.Title("Traffic");
  const std::string pair = cast_.sender.machine.name + " → " + cast_.receiver.machine.name;
  const auto tcp = [&]() -> Result<std::string> {
    LEMAN_ASSIGN_OR_RETURN(const Transfer transfer,
                           TransferTcp(lab_, cast_.sender, cast_.receiver));
    return DescribeTransfer(transfer);
  };
  const auto http = [&]() -> Result<std::string> {
    LEMAN_ASSIGN_OR_RETURN(const HttpAnswer answer, FetchHttp(lab_, cast_.sender, cast_.receiver));
    return "status " + answer.status + ", body of " + std::to_string(answer.body_bytes) +
           " bytes as sent (" + answer.client + " → " + answer.server + ")";
  };
  LEMAN_TRY(Step("TCP " + pair, tcp));
  return Step("HTTP " + pair, http);
}

Result<std::string> Demo::StrangerHeardNothing() {
  const std::vector<Packet>& heard = stranger_ear_->Packets();
  if (!heard.empty()) {
    return Fail(Code::kInternal, std::to_string(heard.size()) + " frames reached " +
                                     cast_.stranger.machine.name + ", see " +
                                     stranger_ear_->path());
  }
  return std::string("0 frames arrived during ping, TCP and HTTP");
}

Result<std::string> Demo::StrangerReachesNobody() {
  const MachinePlan& sender = cast_.sender;
  const bool vm = sender.netns.empty();
  LEMAN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Capture> ear,
      Capture::Open(vm ? sender.host_netns : sender.netns,
                    vm ? sender.port_device : std::string(kMachineDevice),
                    vm ? Direction::kOut : Direction::kIn, lab_.plan().run_dir + "/sender.pcap"));
  const IpAddress target = sender.machine.addresses.front().address;
  LEMAN_ASSIGN_OR_RETURN(const Pings pings, Ping(lab_, cast_.stranger, target, 3, ""));
  if (pings.received != 0) {
    return Fail(Code::kInternal, "got " + std::to_string(pings.received) + " answers");
  }
  // Nobody but the stranger pings the sender; its other frames show by its MAC, if it is its alone.
  const MacAddress& mac = cast_.stranger.machine.mac;
  const bool own_mac = mac != cast_.receiver.machine.mac;
  const std::vector<Packet>& heard = ear->Packets();
  if (std::any_of(heard.begin(), heard.end(), [&](const Packet& packet) {
        return !EchoRequestTo(packet.bytes, 0, target).empty() ||
               (own_mac &&
                std::search(packet.bytes.begin(), packet.bytes.end(), mac.bytes().begin(),
                            mac.bytes().end()) != packet.bytes.end());
      })) {
    return Fail(Code::kInternal,
                "its frames reached " + sender.machine.name + ", see " + ear->path());
  }
  return "0 of " + std::to_string(pings.sent) + " answered, 0 frames reached " +
         sender.machine.name;
}

Status Demo::ShowIsolation() {
  report_.Title("Isolation");
  const Machine& stranger = cast_.stranger.machine;
  const std::string vni = std::to_string(lab_.file().FindNetwork(stranger.network)->vni.value());
  LEMAN_TRY(Step(stranger.name + " (" + stranger.addresses.front().address.ToString() +
                     " too, VNI " + vni + ") hears nothing",
                 [&] { return StrangerHeardNothing(); }));
  const IpAddress target = cast_.sender.machine.addresses.front().address;
  LEMAN_TRY(Step("ping " + stranger.name + " → " + target.ToString() + " reaches nobody",
                 [&] { return StrangerReachesNobody(); }));
  const IpAddress receiver = cast_.receiver.machine.addresses.front().address;
  const auto again = [&]() -> Result<std::string> {
    LEMAN_ASSIGN_OR_RETURN(const Pings pings, Ping(lab_, cast_.sender, receiver, 1, kMarker));
    if (pings.received != 1) {
      return Fail(Code::kUnavailable, "no answer");
    }
    return "answered in " + pings.round_trip;
  };
  return Step("ping " + cast_.sender.machine.name + " → " + receiver.ToString() + " still works",
              again);
}

Status Demo::ShowCounters() {
  report_.Title("Counters");
  for (const HostPlan& host : lab_.plan().hosts) {
    AgentClient agent(host.SocketPath());
    const auto networks = agent.ListNetworks();
    if (!networks.ok()) {
      return Fail(networks.error().In("counters of " + host.name));
    }
    const auto drops = agent.GetDrops();
    if (!drops.ok()) {
      return Fail(drops.error().In("counters of " + host.name));
    }
    report_.Text(DescribeCounters(host.name, *networks, *drops, report_));
  }
  return {};
}

// Without a file of the user's: the example, as it was when this program was built.
Result<Lab> LoadLab(const DemoOptions& options) {
  if (!options.file.empty()) {
    return Lab::FromFile(options.file, options.kind);
  }
  return Lab::FromText("examples/two-hosts.yaml", std::string(kTwoHostsYaml), options.kind);
}

int Finish(Demo& demo, const Status& status, bool keep) {
  Report& report = demo.report();
  const std::string& run_dir = demo.lab().plan().run_dir;
  int code = 0;
  if (Interrupted()) {
    code = 128 + InterruptSignal();
  } else if (!status.ok()) {
    code = 1;
    report.Title(report.Color(Paint::kBad, "Failed"));
    report.Note(status.error().message());
  }
  if (!demo.lab().Owned()) {
    return code;
  }
  if (keep && demo.lab().Keep().ok()) {
    report.Title("Left up");
    report.Note("captures, logs and state files: " + run_dir);
    report.Note("leman lab status, leman lab exec " +
                demo.lab().plan().machines.front().machine.name + " -- ping …, leman lab down " +
                demo.lab().file().name);
    return code;
  }
  report.Title("Clean-up");
  report.Begin("remove the lab");
  if (auto down = demo.lab().Down(); !down.ok()) {
    report.Bad(down.error().message());
    return 1;
  }
  report.Good("nothing left");
  if (code == 1) {
    report.Note("leman demo --keep leaves the lab up and the captures in place to look into it");
  }
  return code;
}

}  // namespace

int RunDemo(const DemoOptions& options) {
  auto lab = LoadLab(options);
  if (!lab.ok()) {
    std::cerr << "leman: " << lab.error().message() << "\n";
    return 2;
  }
  auto cast = ChooseCast(lab->plan());
  if (!cast.ok()) {
    std::cerr << "leman: " << cast.error().message() << "\n";
    return 2;
  }
  CatchInterrupts();
  lab->CaptureCards();
  Demo demo(std::move(lab).value(), std::move(cast).value());
  const Status status = demo.Run();
  const int code = Finish(demo, status, options.keep);
  std::array<char, 64> time{};
  std::snprintf(time.data(), time.size(), "%.1f s", demo.report().ElapsedSeconds());
  demo.report().Text("");
  demo.report().Text(
      code == 0 ? demo.report().Color(Paint::kGood, "All of it worked") + " in " + time.data() + "."
                : demo.report().Color(Paint::kBad, code == 1 ? "The demo failed" : "Interrupted") +
                      " after " + time.data() + ".");
  return code;
}

}  // namespace leman::lab
