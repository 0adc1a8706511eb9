// leman decode FILE.
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/packet_printer.h"
#include "cli/packet_source.h"
#include "cli/usage.h"

namespace leman::cli {

namespace {

struct DecodeOptions {
  std::string file;
  std::string from = "auto";
  bool summary = false;
  bool full = false;
  bool lenient = false;
  bool strict_exit = false;
  std::optional<std::uint32_t> vni;
  std::uint16_t port = geneve::kUdpPort;
};

std::optional<PacketLink> FromOption(const std::string& from) {
  if (from == "eth") {
    return PacketLink::kEthernet;
  }
  if (from == "ip") {
    return PacketLink::kRawIp;
  }
  if (from == "udp") {
    return PacketLink::kUdpPayload;
  }
  return std::nullopt;
}

Status DecodeAll(PacketSource& source, const DecodeOptions& options, PacketPrinter& printer,
                 Progress* progress) {
  PacketTextOptions text_options;
  text_options.udp_port = options.port;
  text_options.lenient = options.lenient;
  CapturedPacket packet;
  for (;;) {
    LEMAN_ASSIGN_OR_RETURN(const bool more, source.Next(packet));
    if (!more) {
      return {};
    }
    if (progress != nullptr) {
      progress->Count(source.bytes_read());
    }
    text_options.link = packet.link;
    text_options.original_bytes = packet.original_bytes;
    PacketText text = DescribePacket(packet.bytes, text_options);
    if (!options.vni.has_value() || options.vni == text.vni) {
      printer.Print(packet, std::move(text));
    }
  }
}

Status RunDecode(Session& session, const DecodeOptions& options) {
  Console& console = session.console();
  LEMAN_ASSIGN_OR_RETURN(const std::unique_ptr<PacketSource> source,
                         OpenPacketSource(options.file, console.in_fd, FromOption(options.from)));
  const Detail detail = options.full      ? Detail::kFull
                        : options.summary ? Detail::kSummary
                                          : Detail::kAuto;
  PacketPrinter printer(console, session.globals(), detail, false);
  Status status;
  {
    // Where the packets scroll by they are the progress themselves.
    std::optional<Progress> progress;
    if (!console.out_tty) {
      progress.emplace(console, "decoding");
      progress->Total(source->bytes_total());
    }
    status = DecodeAll(*source, options, printer, progress ? &*progress : nullptr);
  }
  printer.Finish();  // also after damage in the file: what came before it is good
  if (status.ok() && options.strict_exit && printer.count(PacketVerdict::kDrop) > 0) {
    session.exit_code() = kExitFailure;
  }
  return status;
}

}  // namespace

void RegisterDecode(CLI::App& app, Session& session) {
  auto options = std::make_shared<DecodeOptions>();
  CLI::App* decode =
      app.add_subcommand("decode", "Explain the packets of a pcap, a pcapng or hex text");
  decode->add_option("FILE", options->file, "pcap, pcapng or hex text; - reads stdin")
      ->required()
      ->type_name("");
  CLI::Option* summary =
      decode->add_flag("--summary", options->summary, "One line for each packet");
  decode->add_flag("--full", options->full, "The whole tree for each packet (default up to 3)")
      ->excludes(summary);
  decode->add_option("--from", options->from, "What hex text starts with; udp: the GENEVE header")
      ->check(CLI::IsMember({"auto", "eth", "ip", "udp"}).description(""))
      ->type_name("auto|eth|ip|udp")
      ->default_str("auto");
  decode->add_option("--vni", options->vni, "Only packets of this VNI")
      ->check(WholeNumber(0, 0xffffff))
      ->type_name("N");
  decode->add_option("--port", options->port, "UDP destination port of GENEVE")
      ->check(WholeNumber(1, 65535))
      ->type_name("N")
      ->default_str("6081");
  decode->add_flag("--lenient", options->lenient,
                   "Accept what a forgiving receiver may: see the manual");
  decode->add_flag("--strict-exit", options->strict_exit, "Exit 1 if a packet is to be dropped");
  decode->callback([&session, options] { session.Finish(RunDecode(session, *options)); });
}

}  // namespace leman::cli
