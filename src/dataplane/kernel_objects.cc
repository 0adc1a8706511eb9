#include "dataplane/kernel_objects.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>

#include "base/log.h"
#include "port_rx.skel.h"
#include "underlay_rx.skel.h"

namespace leman {
namespace {

// What libbpf said last: its return codes alone do not tell a full disk from a refused program.
std::mutex g_libbpf_mutex;
std::string g_libbpf_warnings;

int KeepWarnings(libbpf_print_level level, const char* format, va_list arguments) {
  char line[4096];
  std::vsnprintf(line, sizeof(line), format, arguments);
  if (level == LIBBPF_WARN) {
    const std::lock_guard lock(g_libbpf_mutex);
    constexpr std::size_t kKeep = 1U << 16U;
    g_libbpf_warnings += line;
    if (g_libbpf_warnings.size() > kKeep) {
      g_libbpf_warnings.erase(0, g_libbpf_warnings.size() - kKeep);
    }
  }
  return 0;
}

std::string TakeWarnings() {
  const std::lock_guard lock(g_libbpf_mutex);
  return std::exchange(g_libbpf_warnings, {});
}

struct SizedMap {
  const char* name;
  const char* flag;
  std::uint32_t DataplaneOptions::* size;
  std::uint32_t times;
};

constexpr std::array kSizedMaps = {
    SizedMap{"lm_ports", "--max-ports", &DataplaneOptions::max_ports, 1},
    SizedMap{"lm_port_stats", "--max-ports", &DataplaneOptions::max_ports, 1},
    SizedMap{"lm_port_addrs", "--max-ports", &DataplaneOptions::max_ports, 16},
    SizedMap{"lm_networks", "--max-networks", &DataplaneOptions::max_networks, 1},
    SizedMap{"lm_net_stats", "--max-networks", &DataplaneOptions::max_networks, 1},
    SizedMap{"lm_learn_count", "--max-networks", &DataplaneOptions::max_networks, 1},
    SizedMap{"lm_flood", "--max-networks", &DataplaneOptions::max_networks, 1},
    SizedMap{"lm_peers", "--max-peers", &DataplaneOptions::max_peers, 1},
    SizedMap{"lm_peer_stats", "--max-peers", &DataplaneOptions::max_peers, 1},
    SizedMap{"lm_vteps", "--max-fdb", &DataplaneOptions::max_fdb, 1},
    SizedMap{"lm_fdb", "--max-fdb", &DataplaneOptions::max_fdb, 1},
    SizedMap{"lm_neigh", "--max-fdb", &DataplaneOptions::max_fdb, 1},
    SizedMap{"lm_learned", "--max-learned", &DataplaneOptions::max_learned, 1},
};

void SetSizes(bpf_object* object, const DataplaneOptions& options) {
  for (const SizedMap& map : kSizedMaps) {
    bpf_map__set_max_entries(bpf_object__find_map_by_name(object, map.name),
                             options.*map.size * map.times);
  }
}

Error LoadError(const char* program, int err, const std::string& pin_dir) {
  const std::string said = TakeWarnings();
  spdlog::debug("libbpf: {}", said);
  if (said.find("parameter mismatch") != std::string::npos) {
    return {Code::kFailedPrecondition,
            "the maps pinned under " + pin_dir +
                " were made with other sizes; start with the same --max-… values, or take the old "
                "ones away with leman-agent --detach"};
  }
  // Who cannot pin a map is said to have failed to create it, too.
  for (const auto& [words, what] : {std::pair{"': failed to auto-pin", "cannot pin map "},
                                    std::pair{"': failed to create", "the kernel refused map "}}) {
    const auto at = said.find(words);
    const auto name = at == std::string::npos ? at : said.rfind('\'', at - 1);
    if (name != std::string::npos) {
      const std::string map = said.substr(name + 1, at - name - 1);
      const std::string flag = err == ENOMEM || err == E2BIG ? SizeFlag(map) : std::string();
      return ErrnoError(err, what + map + (flag.empty() ? "" : " (a smaller " + flag + " may do)"));
    }
  }
  // The kernel's own last words on the matter, without the whole verifier log.
  std::string last;
  if (const auto at = said.rfind("processed "); at != std::string::npos) {
    const auto begin = said.rfind('\n', at == 0 ? 0 : at - 2);
    last = " (" + said.substr(begin == std::string::npos ? 0 : begin + 1, at - begin - 2) + ")";
  }
  return ErrnoError(err, std::string("the kernel refused program ") + program + last);
}

template <class Map>
Map TakeMap(const bpf_object* object, const char* name) {
  const bpf_map* map = bpf_object__find_map_by_name(object, name);
  return Map(name, fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3), bpf_map__max_entries(map));
}

template <class Map>
Map TakeCounters(const bpf_object* object, const char* name, int cpus) {
  const bpf_map* map = bpf_object__find_map_by_name(object, name);
  return Map(name, fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3), bpf_map__max_entries(map), cpus);
}

std::uint32_t ProgramId(int fd) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

// In place of the one that is pinned there. A pin is a name only: the old program goes on where it
// is attached.
Status PinProgram(const bpf_program* program, const std::string& path) {
  const std::string fresh = path + "_new";  // a bpffs takes no dots
  unlink(fresh.c_str());
  if (bpf_obj_pin(bpf_program__fd(program), fresh.c_str()) != 0 ||
      rename(fresh.c_str(), path.c_str()) != 0) {
    const int err = errno;
    unlink(fresh.c_str());
    return Fail(ErrnoError(err, "cannot pin " + path));
  }
  return {};
}

}  // namespace

Status CheckKernel() {
  libbpf_set_print(KeepWarnings);
  if (geteuid() != 0) {
    return Fail(Code::kPermissionDenied,
                "loading the datapath needs root (CAP_BPF and CAP_NET_ADMIN); run it with sudo");
  }
  utsname name{};
  uname(&name);
  const std::string kernel = std::string("kernel ") + name.release;
  int major = 0;
  int minor = 0;
  if (std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
      (major < 6 || (major == 6 && minor < 1))) {
    return Fail(Code::kFailedPrecondition, kernel + " is too old; Leman needs Linux 6.1 or newer");
  }
  std::array<bpf_insn, 2> program{};  // the smallest there is: return 0
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
  program[1].code = BPF_JMP | BPF_EXIT;
  const Fd loaded(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, nullptr, "GPL", program.data(),
                                program.size(), nullptr));
  if (!loaded.valid()) {
    const int err = errno;
    switch (err) {
      case ENOSYS:
        return Fail(Code::kFailedPrecondition,
                    kernel + " has no bpf(); it needs CONFIG_BPF_SYSCALL");
      case EINVAL:
        return Fail(Code::kFailedPrecondition,
                    kernel + " has no tc programs; it needs CONFIG_NET_CLS_BPF");
      case EPERM:
      case EACCES:
        return Fail(Code::kPermissionDenied,
                    kernel +
                        " refuses bpf() to this process though it is root: a seccomp filter "
                        "(of a container?), lockdown or a security module; allow it there");
      default:
        return Fail(ErrnoError(err, "cannot load even the smallest tc program"));
    }
  }
  for (const auto& [helper, what] : {std::pair{BPF_FUNC_loop, "bpf_loop"},
                                     std::pair{BPF_FUNC_redirect_peer, "bpf_redirect_peer"},
                                     std::pair{BPF_FUNC_redirect_neigh, "bpf_redirect_neigh"}}) {
    if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helper, nullptr) == 0) {
      return Fail(Code::kFailedPrecondition,
                  kernel + " lacks " + what + "(); Leman needs Linux 6.1 or newer");
    }
  }
  return {};
}

std::string SizeFlag(const std::string& map) {
  for (const SizedMap& sized : kSizedMaps) {
    if (map == sized.name) {
      return sized.flag;
    }
  }
  return {};
}

Result<std::unique_ptr<KernelObjects>> KernelObjects::Load(const DataplaneOptions& options,
                                                           const std::string& pin_dir) {
  std::unique_ptr<KernelObjects> objects(new KernelObjects());
  bpf_object_open_opts opts{};
  opts.sz = sizeof(opts);
  opts.pin_root_path = pin_dir.c_str();
  objects->port_ = port_rx::open(&opts);
  objects->underlay_ = underlay_rx::open(&opts);
  if (objects->port_ == nullptr || objects->underlay_ == nullptr) {
    return Fail(ErrnoError(errno, "cannot open the BPF objects"));
  }
  SetSizes(objects->port_->obj, options);
  SetSizes(objects->underlay_->obj, options);
  TakeWarnings();
  if (const int err = port_rx::load(objects->port_); err != 0) {
    return Fail(LoadError("port_rx", -err, pin_dir));
  }
  if (const int err = underlay_rx::load(objects->underlay_); err != 0) {
    return Fail(LoadError("underlay_rx", -err, pin_dir));
  }
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) {
    return Fail(Code::kInternal, "cannot tell how many CPUs there are");
  }
  LEMAN_TRY(objects->TakeMaps(cpus));
  LEMAN_TRY(objects->PinPrograms(pin_dir));
  return objects;
}

KernelObjects::~KernelObjects() {
  port_rx::destroy(port_);
  underlay_rx::destroy(underlay_);
}

int KernelObjects::PortProgram() const { return bpf_program__fd(port_->progs.port_rx); }
int KernelObjects::UnderlayProgram() const { return bpf_program__fd(underlay_->progs.underlay_rx); }

Status KernelObjects::TakeMaps(int cpus) {
  const bpf_object* object = port_->obj;
  maps_.config = TakeMap<decltype(maps_.config)>(object, "lm_config");
  maps_.ports = TakeMap<decltype(maps_.ports)>(object, "lm_ports");
  maps_.port_addrs = TakeMap<decltype(maps_.port_addrs)>(object, "lm_port_addrs");
  maps_.networks = TakeMap<decltype(maps_.networks)>(object, "lm_networks");
  maps_.fdb = TakeMap<decltype(maps_.fdb)>(object, "lm_fdb");
  maps_.learned = TakeMap<decltype(maps_.learned)>(object, "lm_learned");
  maps_.learn_count = TakeMap<decltype(maps_.learn_count)>(object, "lm_learn_count");
  maps_.neigh = TakeMap<decltype(maps_.neigh)>(object, "lm_neigh");
  maps_.peers = TakeMap<decltype(maps_.peers)>(object, "lm_peers");
  maps_.vteps = TakeMap<decltype(maps_.vteps)>(object, "lm_vteps");
  maps_.flood = TakeMap<decltype(maps_.flood)>(object, "lm_flood");
  maps_.known_opts = TakeMap<decltype(maps_.known_opts)>(object, "lm_known_opts");
  maps_.opt_stats = TakeCounters<decltype(maps_.opt_stats)>(object, "lm_opt_stats", cpus);
  maps_.verdicts = TakeCounters<decltype(maps_.verdicts)>(object, "lm_verdicts", cpus);
  maps_.events = TakeCounters<decltype(maps_.events)>(object, "lm_events", cpus);
  maps_.port_stats = TakeCounters<decltype(maps_.port_stats)>(object, "lm_port_stats", cpus);
  maps_.net_stats = TakeCounters<decltype(maps_.net_stats)>(object, "lm_net_stats", cpus);
  maps_.peer_stats = TakeCounters<decltype(maps_.peer_stats)>(object, "lm_peer_stats", cpus);
  return {};
}

Status KernelObjects::PinPrograms(const std::string& pin_dir) {
  port_program_id_ = ProgramId(PortProgram());
  underlay_program_id_ = ProgramId(UnderlayProgram());
  LEMAN_TRY(PinProgram(port_->progs.port_rx, pin_dir + "/port_rx"));
  return PinProgram(underlay_->progs.underlay_rx, pin_dir + "/underlay_rx");
}

}  // namespace leman
