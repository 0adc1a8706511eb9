#include "test_program.h"

#include <algorithm>
#include <stdexcept>

namespace leman::packet_test {
namespace {

using nlohmann::json;

constexpr std::uint32_t kBlue = 10001;
constexpr std::uint32_t kRed = 20002;

model::LocalPort MakePort(const NetLab& lab, const std::string& name) {
  model::LocalPort port;
  port.ifindex = lab.Ifindex(name);
  port.name = name;
  port.device = name;
  if (name == "port-b") {
    port.mac = Mac("02:00:00:00:00:0b");
    port.addresses = {Address("10.0.1.12"), Address("2001:db8:a::12")};
  } else {
    port.mac = Mac("aa:bb:cc:dd:ee:11");
    port.addresses = {Address("10.0.1.11"), Address("2001:db8:a::11")};
  }
  std::sort(port.addresses.begin(), port.addresses.end());
  return port;
}

// As wished for all VTEPs, or in "ways" for this one.
model::VtepWay MakeWay(const std::string& address, const json& all) {
  const json wish = all.value("ways", json::object()).value(address, all);
  return {.address = Address(address),
          .udp_checksum = wish.value("checksum", false),
          .accept_zero6 = wish.value("zero6", false),
          .ecn_compatibility = wish.value("ecn_compat", false)};
}

void AddFdb(const NetLab& lab, const json& wish, const std::string& mac, const json& where,
            std::vector<model::FdbEntry>* fdb) {
  const MacAddress key = Mac(mac);
  std::erase_if(*fdb, [&key](const model::FdbEntry& entry) { return entry.mac == key; });
  if (where.is_null()) {
    return;
  }
  const auto text = where.get<std::string>();
  if (text.starts_with("port-")) {
    fdb->push_back({.mac = key, .ifindex = lab.Ifindex(text), .vtep = {}});
  } else {
    fdb->push_back({.mac = key, .ifindex = 0, .vtep = MakeWay(text, wish)});
  }
}

template <class T>
void Sort(std::vector<T>* items) {
  std::sort(items->begin(), items->end());
}

model::NetworkProgram MakeBlue(const NetLab& lab, const json& wish) {
  model::NetworkProgram net;
  net.vni = MakeVni(kBlue);
  net.name = "blue";
  net.mtu = wish.value("mtu", std::uint16_t{1450});
  net.learning = wish.value("learning", false);
  net.flood_unknown = wish.value("flood_unknown", false);
  net.dscp = wish.value("dscp", std::uint8_t{0});
  net.dscp_copy = wish.value("dscp_copy", false);
  net.dscp_uniform = wish.value("dscp_uniform", false);
  net.link_control = wish.value("link_control", false);
  net.icmp_too_big = wish.value("icmp", true);
  net.options = FromHex(wish.value("options", ""));
  net.options_critical = wish.value("options_critical", false);

  const json addresses = wish.value("vteps", json({"192.168.1.101", "2001:db8::101"}));
  for (const json& address : addresses) {
    net.vteps.push_back(MakeWay(address.get<std::string>(), wish));
  }
  const json ports = wish.value("ports", json({"port-a", "port-b"}));
  for (const json& name : ports) {
    model::LocalPort port = MakePort(lab, name.get<std::string>());
    port.port_security = wish.value("security", true);
    port.redirect_peer = wish.value("redirect_peer", false);
    net.fdb.push_back({.mac = port.mac, .ifindex = port.ifindex, .vtep = {}});
    net.ports.push_back(std::move(port));
  }
  AddFdb(lab, wish, "aa:bb:cc:dd:ee:ff", "192.168.1.101", &net.fdb);
  const json fdb = wish.value("fdb", json::object());
  for (const auto& [mac, where] : fdb.items()) {
    AddFdb(lab, wish, mac, where, &net.fdb);
  }
  const json neighbours = wish.value("neighbours", json::object());
  for (const auto& [address, mac] : neighbours.items()) {
    net.neighbours.push_back({.address = Address(address), .mac = Mac(mac.get<std::string>())});
  }
  std::sort(net.ports.begin(), net.ports.end(),
            [](const auto& a, const auto& b) { return a.ifindex < b.ifindex; });
  Sort(&net.fdb);
  Sort(&net.neighbours);
  Sort(&net.vteps);
  return net;
}

model::NetworkProgram MakeRed(const NetLab& lab, const json& wish) {
  model::NetworkProgram net;
  net.vni = MakeVni(kRed);
  net.name = "red";
  net.mtu = 1450;
  net.ports = {MakePort(lab, "port-c")};
  net.vteps = {MakeWay("192.168.1.100", wish), MakeWay("192.168.1.101", wish)};
  net.fdb = {{.mac = Mac("aa:bb:cc:dd:ee:11"), .ifindex = lab.Ifindex("port-c"), .vtep = {}},
             {.mac = Mac("aa:bb:cc:dd:ee:ff"), .ifindex = 0, .vtep = net.vteps.front()}};
  return net;
}

}  // namespace

model::HostProgram MakeProgram(const NetLab& lab, const json& wish) {
  model::HostProgram program;
  program.host = "test";
  program.underlay.device = "underlay";
  program.underlay_ifindex = lab.Ifindex("underlay");
  program.underlay.address4 = Address("192.168.1.102");
  program.underlay.address6 = Address("2001:db8::102");
  program.underlay.udp_port = wish.value("udp_port", std::uint16_t{6081});
  program.underlay.ttl = wish.value("ttl", std::uint8_t{64});
  if (wish.contains("sport")) {
    program.underlay.source_port_min = wish["sport"][0].get<std::uint16_t>();
    program.underlay.source_port_max = wish["sport"][1].get<std::uint16_t>();
  }
  const json known = wish.value("known", json::array());
  for (const json& option : known) {
    model::KnownOption out;
    out.option_class = option[0].get<std::uint16_t>();
    out.type = option[1].get<std::uint8_t>();
    if (!option[2].is_null()) {
      out.length_bytes = option[2].get<std::uint8_t>();
    }
    program.known_options.push_back(std::move(out));
  }
  const model::NetworkProgram blue = MakeBlue(lab, wish);
  const json vnis = wish.value("vnis", json::array());
  for (const json& vni : vnis) {
    model::NetworkProgram copy = blue;
    copy.vni = MakeVni(vni.get<std::uint32_t>());
    copy.name = "vni-" + std::to_string(copy.vni.value());
    program.networks.emplace(copy.vni, std::make_shared<model::NetworkProgram>(copy));
  }
  program.networks.emplace(blue.vni, std::make_shared<model::NetworkProgram>(blue));
  program.networks.emplace(MakeVni(kRed),
                           std::make_shared<model::NetworkProgram>(MakeRed(lab, wish)));
  for (const auto& [vni, network] : program.networks) {
    for (const model::VtepWay& way : network->vteps) {
      program.peers.push_back(way);
    }
  }
  Sort(&program.peers);
  const auto same = [](const auto& a, const auto& b) { return a.address == b.address; };
  program.peers.erase(std::unique(program.peers.begin(), program.peers.end(), same),
                      program.peers.end());
  return program;
}

IpAddress Address(const std::string& text) {
  const auto parsed = IpAddress::Parse(text);
  if (!parsed) {
    throw std::invalid_argument("no address: " + text);
  }
  return *parsed;
}

MacAddress Mac(const std::string& text) {
  const auto parsed = MacAddress::Parse(text);
  if (!parsed) {
    throw std::invalid_argument("no MAC: " + text);
  }
  return *parsed;
}

Vni MakeVni(std::uint32_t value) {
  const auto vni = Vni::From(value);
  if (!vni) {
    throw std::invalid_argument("no VNI: " + std::to_string(value));
  }
  return *vni;
}

Bytes FromHex(const std::string& digits) {
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace leman::packet_test
