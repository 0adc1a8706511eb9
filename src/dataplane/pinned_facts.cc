#include "dataplane/pinned_facts.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "leman/abi.h"

namespace leman {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

// Entries of a map keyed by a number, their values by the names of their members.
class NamedMap {
 public:
  explicit NamedMap(const std::string& path) : path_(path), fd_(bpf_obj_get(path.c_str())) {
    std::uint32_t size = sizeof(info_);
    if (fd_.valid() && bpf_obj_get_info_by_fd(fd_.get(), &info_, &size) == 0) {
      types_.reset(btf__load_from_kernel_by_id(info_.btf_id));
    }
  }

  // Calls `take` with every entry; a map that is not there has none.
  [[nodiscard]] Status ForEach(const std::function<void(std::uint32_t)>& take) {
    std::uint32_t key = 0;
    const std::uint32_t* last = nullptr;
    value_.resize(info_.value_size);
    if (!fd_.valid() || info_.key_size != sizeof(key)) {
      return {};
    }
    // Bounded: a map that changes under the walk may restart it.
    for (std::uint32_t i = 0; i < info_.max_entries; ++i) {
      std::uint32_t next = 0;
      if (bpf_map_get_next_key(fd_.get(), last, &next) != 0) {
        if (errno != ENOENT) {
          return Fail(ErrnoError(errno, "cannot read map " + path_));
        }
        return {};
      }
      key = next;
      last = &key;
      if (bpf_map_lookup_elem(fd_.get(), &key, value_.data()) == 0) {
        take(key);
      }
    }
    return {};
  }

  // Of the entry that ForEach is at; 0 when the map's version has no such member.
  template <class T>
  void Get(std::string_view name, T* out) const {
    const btf_type* type = btf__type_by_id(types_.get(), info_.btf_value_type_id);
    if (type == nullptr || !btf_is_struct(type)) {
      return;
    }
    const btf_member* member = btf_members(type);
    for (std::uint32_t i = 0; i < btf_vlen(type); ++i, ++member) {
      const std::size_t at = btf_member_bit_offset(type, i) / 8;
      if (name == btf__name_by_offset(types_.get(), member->name_off) &&
          btf__resolve_size(types_.get(), member->type) == sizeof(T) &&
          at + sizeof(T) <= value_.size()) {
        std::memcpy(out, value_.data() + at, sizeof(T));
      }
    }
  }

 private:
  std::string path_;
  Fd fd_;
  bpf_map_info info_{};
  std::unique_ptr<btf, FreeBtf> types_;
  std::vector<std::uint8_t> value_;
};

}  // namespace

Result<PinnedFacts> ReadPinnedFacts(const std::string& pin_dir) {
  PinnedFacts facts;
  NamedMap config(pin_dir + "/lm_config");
  LEMAN_TRY(config.ForEach([&](std::uint32_t) {
    config.Get("magic", &facts.magic);
    config.Get("underlay_ifindex", &facts.underlay_ifindex);
    config.Get("seg_rx_ifindex", &facts.segment_rx_ifindex);
    config.Get("made_hooks", &facts.made_hooks);
  }));
  NamedMap ports(pin_dir + "/lm_ports");
  LEMAN_TRY(ports.ForEach([&](std::uint32_t ifindex) {
    __u16 flags = 0;
    ports.Get("flags", &flags);
    if ((flags & LM_PORT_F_MADE_HOOK) != 0) {
      facts.ports_with_made_hooks.insert(ifindex);
    }
  }));
  return facts;
}

}  // namespace leman
