#include "agent/cli/bpf_filter.hpp"

#include <pcap/pcap.h>

#include <map>
#include <memory>

namespace vmirror {
namespace {

constexpr int kSnaplen = 262144;

int dlt_of(LinkType link) {
  switch (link) {
    case LinkType::ip:
      return DLT_RAW;
    case LinkType::linux_sll:
      return DLT_LINUX_SLL;
    case LinkType::linux_sll2:
      return DLT_LINUX_SLL2;
    case LinkType::bsd_null:
      return DLT_NULL;
    default:
      return DLT_EN10MB;
  }
}

/// The program for one link type, or why there is none.
class Program {
 public:
  Program(LinkType link, const std::string& expression) {
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> dead(
        pcap_open_dead(dlt_of(link), kSnaplen), &pcap_close);
    compiled_ =
        pcap_compile(dead.get(), &program_, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!compiled_) error_ = pcap_geterr(dead.get());
  }
  ~Program() {
    if (compiled_) pcap_freecode(&program_);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  bool compiled() const { return compiled_; }
  const std::string& error() const { return error_; }
  bool takes(const Frame& frame) const {
    if (!compiled_) return false;
    pcap_pkthdr header{};
    header.caplen = static_cast<bpf_u_int32>(frame.bytes.size());
    header.len = frame.wire_size;
    return pcap_offline_filter(&program_, &header, frame.bytes.data()) != 0;
  }

 private:
  bpf_program program_{};
  bool compiled_ = false;
  std::string error_;
};

}  // namespace

Result<std::function<bool(const Frame&)>> make_bpf_filter(const std::string& expression) {
  const auto programs = std::make_shared<std::map<LinkType, Program>>();
  std::string error;
  bool any = false;
  for (const LinkType link : {LinkType::ethernet, LinkType::ip, LinkType::linux_sll,
                              LinkType::linux_sll2, LinkType::bsd_null}) {
    const Program& program = programs->try_emplace(link, link, expression).first->second;
    any |= program.compiled();
    if (error.empty()) error = program.error();
  }
  if (!any)
    return tl::unexpected(Error{Error::Kind::invalid, "`" + expression + "`: " + error, "--filter",
                                "see pcap-filter(7)"});
  return [programs](const Frame& frame) {
    const auto program = programs->find(frame.link);
    return program != programs->end() && program->second.takes(frame);
  };
}

}  // namespace vmirror
