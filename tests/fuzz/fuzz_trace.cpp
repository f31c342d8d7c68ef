// Fuzzes the reader of ofproto/trace's answers.
#include <string_view>

#include "plugin/ovs/trace.hpp"
#include "tests/fuzz/fuzz.hpp"

VMIRROR_FUZZ(bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto trace = vmirror::ovs::parse_trace(text);
  vmirror::TraceQuestion question;
  question.port = question.output = "v0";
  (void)vmirror::ovs::judge_trace(question, vmirror::Direction::in, trace);
  question.remote = "10.9.9.9";
  (void)vmirror::ovs::judge_trace(question, vmirror::Direction::out, trace);
  question.remote.clear();
  question.output_vlan = 99;
  (void)vmirror::ovs::judge_trace(question, vmirror::Direction::out, trace);
}

VMIRROR_SEEDS() {
  const auto seed = [](std::string_view text) {
    return vmirror::test::Buffer(text.begin(), text.end());
  };
  return {seed(" -> output to native tunnel\n >> native tunnel routing failed\nDatapath actions: "
               "vmr-br0,clone(drop),v0"),
          seed("Datapath actions: push_vlan(vid=99,pcp=0),2,pop_vlan,\"v 1\""),
          seed("Datapath actions: "
               "clone(tnl_push(tnl_port(4),header(size=50,type=107,eth(dst=aa:aa:aa:aa:"
               "aa:09),ipv4(src=10.9.9.1,dst=10.9.9.9,proto=47)),out_port(br1)),br1)")};
}
