#include "lab/lab_file.h"

#include <algorithm>

namespace leman::lab {

std::string_view KindName(Kind kind) { return kind == Kind::kNetns ? "netns" : "qemu"; }

std::optional<Kind> ParseKind(std::string_view text) {
  if (text == "netns") {
    return Kind::kNetns;
  }
  if (text == "qemu") {
    return Kind::kQemu;
  }
  return std::nullopt;
}

std::string IpPrefix::ToString() const { return address.ToString() + "/" + std::to_string(length); }

namespace {

template <class T>
const T* FindByName(const std::vector<T>& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

}  // namespace

const Host* LabFile::FindHost(std::string_view host_name) const {
  return FindByName(hosts, host_name);
}
const Network* LabFile::FindNetwork(std::string_view network_name) const {
  return FindByName(networks, network_name);
}
const Machine* LabFile::FindMachine(std::string_view machine_name) const {
  return FindByName(machines, machine_name);
}

}  // namespace leman::lab
