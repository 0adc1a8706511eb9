// leman capture -i DEV.
#include <fmt/format.h>
#include <poll.h>
#include <sys/utsname.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/live_capture.h"
#include "cli/packet_printer.h"
#include "cli/pcapng_writer.h"
#include "cli/usage.h"

namespace leman::cli {

namespace {

using Clock = std::chrono::steady_clock;

struct CaptureOptions {
  LiveOptions live;
  std::string write;
  std::string netns;
  std::uint64_t count = 0;  // 0: no limit
  double duration = 0;      // seconds; 0: until Ctrl-C
  std::optional<std::uint32_t> vni;
  std::uint16_t port = geneve::kUdpPort;
  bool full = false;
  bool lenient = false;
};

std::uint16_t LinktypeOf(PacketLink link) {
  switch (link) {
    case PacketLink::kRawIp:
      return kLinktypeRaw;
    case PacketLink::kLinuxSll:
      return kLinktypeLinuxSll;
    case PacketLink::kLinuxSll2:
      return kLinktypeLinuxSll2;
    case PacketLink::kEthernet:
    case PacketLink::kUdpPayload:
      break;
  }
  return kLinktypeEthernet;
}

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdout) {
      std::fclose(file);
    }
  }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

Status BeginFile(PcapngWriter& writer, const CaptureOptions& options, PacketLink link) {
  utsname machine{};
  const bool known = uname(&machine) == 0;
  const std::string os =
      known ? fmt::format("{} {}", machine.sysname, machine.release) : std::string();
  LEMAN_TRY(writer.WriteSection({.hardware = known ? machine.machine : "",
                                 .os = os,
                                 .application = std::string("leman ") + LEMAN_VERSION}));
  const Result<std::uint32_t> added =
      writer.AddInterface({.linktype = LinktypeOf(link),
                           .snap_length = static_cast<std::uint32_t>(options.live.snap_length),
                           .name = options.live.device,
                           .filter = options.live.filter,
                           .os = os});
  if (!added.ok()) {
    return Fail(added.error());
  }
  return writer.Flush();  // a reader may wait for the header
}

// How long poll may wait: -1 for ever.
int TimeLeftMs(const CaptureOptions& options, Clock::time_point start) {
  if (options.duration <= 0) {
    return -1;
  }
  const auto end = start + std::chrono::duration<double>(options.duration);
  const double left = std::chrono::duration<double, std::milli>(end - Clock::now()).count();
  return left <= 0 ? 0 : static_cast<int>(std::min(std::ceil(left), 60'000.0));
}

Status CaptureLoop(Session& session, const CaptureOptions& options, LiveCapture& capture,
                   PcapngWriter* writer, PacketPrinter* printer, std::uint64_t& taken) {
  const Interrupt interrupt;
  PacketTextOptions text_options;
  text_options.udp_port = options.port;
  text_options.lenient = options.lenient;
  text_options.link = capture.link();
  text_options.unfinished_checksum = true;  // what this host sends is seen before its card
  Status written;
  const auto wanted = [&] { return options.count == 0 || taken < options.count; };
  const auto each = [&](const CapturedPacket& packet) {
    text_options.original_bytes = packet.original_bytes;
    PacketText text = DescribePacket(packet.bytes, text_options);
    if (options.vni.has_value() && options.vni != text.vni) {
      return true;
    }
    ++taken;
    if (writer != nullptr) {
      written =
          writer->WritePacket(0, packet.time_ns.value_or(0), packet.bytes, packet.original_bytes);
    }
    if (printer != nullptr) {
      printer->Print(packet, std::move(text));
    }
    return written.ok() && wanted() && session.console().out.good();
  };
  const Clock::time_point start = Clock::now();
  while (wanted() && session.console().out.good() && !Interrupt::Raised()) {
    std::array<pollfd, 2> watched = {pollfd{.fd = capture.fd(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = interrupt.fd(), .events = POLLIN, .revents = 0}};
    const int left = TimeLeftMs(options, start);
    if (poll(watched.data(), watched.size(), left) < 0 && errno != EINTR) {
      return Fail(ErrnoError(errno, "poll"));
    }
    LEMAN_TRY(capture.Drain(each));
    if (!written.ok()) {
      return written;
    }
    if (writer != nullptr) {
      LEMAN_TRY(writer->Flush());
    }
    if (left == 0 && options.duration > 0) {
      return {};
    }
  }
  return {};
}

Status RunCapture(Session& session, CaptureOptions options) {
  Console& console = session.console();
  if (options.live.filter.empty()) {
    options.live.filter = fmt::format("udp port {}", options.port);
  }
  if (!options.netns.empty()) {
    LEMAN_TRY(EnterNetworkNamespace(options.netns));
  }
  LEMAN_ASSIGN_OR_RETURN(LiveCapture capture, LiveCapture::Open(options.live));
  const bool to_stdout = options.write == "-";
  File file;
  std::optional<PcapngWriter> writer;
  if (!options.write.empty()) {
    file.reset(to_stdout ? stdout : std::fopen(options.write.c_str(), "wbe"));
    if (file == nullptr) {
      return Fail(ErrnoError(errno, "cannot write " + options.write));
    }
    writer.emplace(file.get());
    LEMAN_TRY(BeginFile(*writer, options, capture.link()));
  }
  console.err << fmt::format("capturing on {}{}: {}; Ctrl-C ends", options.live.device,
                             options.netns.empty() ? "" : " in " + options.netns,
                             options.live.filter)
              << '\n';
  PacketPrinter printer(console, session.globals(), options.full ? Detail::kFull : Detail::kSummary,
                        true);
  std::uint64_t taken = 0;
  const Status status = CaptureLoop(session, options, capture, writer ? &*writer : nullptr,
                                    to_stdout ? nullptr : &printer, taken);
  if (!to_stdout) {
    printer.Finish();
    console.out.flush();
  }
  const LiveStatistics statistics = capture.statistics();
  if (writer && status.ok()) {
    console.err << fmt::format("{} packet{} written to {}", taken, taken == 1 ? "" : "s",
                               to_stdout ? "stdout" : options.write)
                << '\n';
  }
  if (statistics.dropped > 0) {
    session.Warn(
        fmt::format("{} packets came faster than they could be taken; narrow the filter, "
                    "or write to a file and decode later",
                    statistics.dropped));
  }
  return status;
}

}  // namespace

void RegisterCapture(CLI::App& app, Session& session) {
  auto options = std::make_shared<CaptureOptions>();
  CLI::App* capture =
      app.add_subcommand("capture", "Show GENEVE packets of a device as they pass, decoded");
  capture->add_option("-i,--interface", options->live.device, "Device, or any")
      ->required()
      ->type_name("DEV");
  capture
      ->add_option("-f,--filter", options->live.filter,
                   "Filter of pcap-filter(7) (default: udp port 6081, or --port)")
      ->type_name("EXPR");
  capture->add_option("-c,--count", options->count, "Stop after N packets")
      ->check(WholeNumber(1, 1'000'000'000))
      ->type_name("N");
  capture->add_option("-w,--write", options->write, "Write pcapng as well; - for stdout instead")
      ->type_name("FILE");
  capture->add_option("--netns", options->netns, "Capture in this network namespace")
      ->type_name("NETNS");
  capture->add_option("--duration", options->duration, "Stop after that many seconds")
      ->check(Seconds(0.001, 1e9))
      ->type_name("SECONDS");
  capture->add_option("--vni", options->vni, "Only packets of this VNI")
      ->check(WholeNumber(0, 0xffffff))
      ->type_name("N");
  capture->add_option("--port", options->port, "UDP destination port of GENEVE")
      ->check(WholeNumber(1, 65535))
      ->type_name("N")
      ->default_str("6081");
  capture->add_option("--snaplen", options->live.snap_length, "Bytes kept of each packet")
      ->check(WholeNumber(64, 262'144))
      ->type_name("BYTES");
  capture->add_flag("--promiscuous", options->live.promiscuous,
                    "Also frames that are not for this host");
  capture->add_flag("--full", options->full, "The whole tree for each packet");
  capture->add_flag("--lenient", options->lenient,
                    "Accept what a forgiving receiver may: see the manual");
  capture->callback([&session, options] { session.Finish(RunCapture(session, *options)); });
}

}  // namespace leman::cli
