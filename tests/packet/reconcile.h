// A Dataplane over the real kernel, started, applied to and restarted as an agent does it.
#pragma once

#include <bpf/bpf.h>

#include <filesystem>
#include <memory>
#include <string>

#include "datapath_test.h"

namespace leman::packet_test {

class Reconcile : public testing::Test {
 protected:
  Reconcile() {
    options_.pin_root = FreshPinRoot();
    options_.max_ports = 64;
    options_.max_networks = 64;
    options_.max_peers = 64;
  }
  ~Reconcile() override {
    dataplane_.reset();
    RemovePins(options_.pin_root);
    EXPECT_FALSE(std::filesystem::exists(options_.pin_root));
  }

  // Opens as an agent that starts does; the one before is gone, its pins are not.
  void Start() {
    dataplane_.reset();
    auto opened = OpenDataplane(options_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    dataplane_ = std::move(opened).value();
  }

  ApplyReport ApplyProgram(const model::HostProgram& program) {
    auto applied = dataplane_->Apply(program);
    EXPECT_TRUE(applied.ok()) << applied.error().message();
    return applied.ok() ? applied.value() : ApplyReport{};
  }
  ApplyReport Apply(const nlohmann::json& wish = nlohmann::json::object()) {
    return ApplyProgram(MakeProgram(lab_, wish));
  }

  ApplyReport Audit() {
    auto audited = dataplane_->Audit();
    EXPECT_TRUE(audited.ok()) << audited.error().message();
    return audited.ok() ? audited.value() : ApplyReport{};
  }

  [[nodiscard]] Fd Map(const std::string& name) const {
    Fd map(bpf_obj_get(PinPath(options_.pin_root, name).c_str()));
    EXPECT_TRUE(map.valid()) << name;
    return map;
  }

  [[nodiscard]] std::size_t Entries(const std::string& name) const {
    const Fd map = Map(name);
    Bytes key(64);
    std::size_t entries = 0;
    const void* last = nullptr;
    Bytes previous(64);
    while (bpf_map_get_next_key(map.get(), last, key.data()) == 0) {
      previous = key;
      last = previous.data();
      ++entries;
    }
    return entries;
  }

  [[nodiscard]] std::string Filters(const std::string& device) const {
    return lab_.Run("tc filter show dev " + device + " ingress");
  }
  [[nodiscard]] bool HasClsact(const std::string& device) const {
    return lab_.Run("tc qdisc show dev " + device).find("clsact") != std::string::npos;
  }

  NetLab lab_;
  DataplaneOptions options_;
  std::unique_ptr<Dataplane> dataplane_;
};

inline void ExpectReport(const ApplyReport& report, std::uint64_t added, std::uint64_t changed,
                         std::uint64_t removed, std::uint64_t attached) {
  EXPECT_EQ(report.added, added);
  EXPECT_EQ(report.changed, changed);
  EXPECT_EQ(report.removed, removed);
  EXPECT_EQ(report.attached, attached);
  for (const model::Problem& problem : report.problems) {
    ADD_FAILURE() << problem.where << ": " << problem.what;
  }
}

constexpr std::uint64_t kDevices = 4;  // underlay, port-a, port-b, port-c

}  // namespace leman::packet_test
