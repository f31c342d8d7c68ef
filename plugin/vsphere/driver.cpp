#include "plugin/vsphere/driver.hpp"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "plugin/base/own_addresses.hpp"
#include "plugin/base/words.hpp"
#include "plugin/vsphere/client.hpp"
#include "plugin/vsphere/compose.hpp"
#include "plugin/vsphere/follower.hpp"
#include "plugin/vsphere/observe.hpp"
#include "plugin/vsphere/realise.hpp"
#include "plugin/vsphere/submitter.hpp"

namespace vmirror {
namespace {

using std::chrono::milliseconds;

std::optional<IpAddress> receiver_of(const VsphereOptions& options) {
  const auto address = IpAddress::parse(options.receiver);
  return address ? std::optional(*address) : std::nullopt;
}

std::optional<Mac> mac_of(const std::string& text) {
  const auto mac = Mac::parse(text);
  return mac ? std::optional(*mac) : std::nullopt;
}

/// None: the text is neither `all` nor numbers of VLANs with commas between.
std::optional<std::vector<int>> vlans_of(const std::string& text) {
  if (text == "all") return std::vector{vsphere::kAllVlans};
  std::vector<int> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    int vlan = -1;
    const auto [last, error] = std::from_chars(text.data() + at, text.data() + end, vlan);
    if (error != std::errc() || last != text.data() + end || vlan < 0 || vlan > 4094) return {};
    out.push_back(vlan);
    at = end + 1;
  }
  return out;
}

vsphere::SpanOptions span_of(const VsphereOptions& options) {
  vsphere::SpanOptions out{.name = options.span};
  if (const auto vlans = vlans_of(options.span_vlans)) out.vlans = *vlans;
  out.adopt = options.span_adopt == "true";
  out.repair = options.span_repair == "true";
  out.adapter = mac_of(options.adapter);
  out.park = options.span_park;
  out.set_option = options.span_duplicates == "set";
  return out;
}

/// Of hosts with a SPAN port group on a switch whose uplinks may bring frames twice.
std::function<bool(const vsphere::Host&)> asks_option(const VsphereOptions& options) {
  return
      [groups = vsphere::span_groups(span_of(options), options.owner)](const vsphere::Host& host) {
        return std::ranges::any_of(host.port_groups, [&](const vsphere::PortGroup& group) {
          const auto vswitch =
              std::ranges::find(host.vswitches, group.vswitch, &vsphere::Vswitch::name);
          return vswitch != host.vswitches.end() && vswitch->uplinks.size() > 1 &&
                 std::ranges::find(groups, group.name, &vsphere::SpanGroup::name) != groups.end();
        });
      };
}

bool watches_clusters(const VsphereOptions& options) {
  return options.drs_rules == "true" || !words_of(options.drs_hosts).empty();
}

class VsphereDriver final : public Driver {
 public:
  VsphereDriver(const VsphereOptions& options, std::unique_ptr<vsphere::VimClient> client)
      : options_(options),
        observer_({options.owner, receiver_of(options), options.acts == "true", span_of(options)}),
        client_(std::move(client)),
        follower_(*client_, watches_clusters(options), asks_option(options), [this] { tell(); }),
        submitter_(*client_, follower_, [this] { tell(); }) {}

  std::string_view name() const override { return "vsphere"; }

  Result<std::shared_ptr<const Observed>> observe() override {
    // First: what has ended is in what is read then.
    auto submissions = submitter_.submissions();
    const auto reading = follower_.latest(options_.timeout);
    if (!reading) return tl::unexpected(reading.error());
    auto read = observer_.update(reading->inventory, reading->asked, reading->options);
    if (observed_ && read == read_ && observed_->submissions == submissions) return observed_;
    read_ = std::move(read);
    if (submissions.empty()) return observed_ = read_;
    auto out = std::make_shared<Observed>(*read_);
    out->submissions = std::move(submissions);
    return observed_ = std::move(out);
  }

  std::unique_ptr<Realiser> realiser() const override {
    return vsphere::make_realiser({options_.owner, receiver_of(options_), options_.uplink,
                                   own_macs(), span_of(options_), options_.drs_rules == "true",
                                   words_of(options_.drs_hosts), mac_of(options_.rspan_adapter)});
  }

  Result<Ticket> submit(std::span<const Step> steps) override {
    const auto reading = follower_.latest(milliseconds(0));
    if (!reading) return tl::unexpected(reading.error());
    const auto world = observer_.update(reading->inventory, reading->asked, reading->options);
    auto changes =
        vsphere::compose(steps, *world,
                         {[this](const std::string& name) { return observer_.ref_of(name); },
                          [this](const std::string& name) { return observer_.standard_of(name); },
                          options_.span_park,
                          [this](const std::string& name) { return observer_.cluster_of(name); }});
    if (!changes) return tl::unexpected(changes.error());
    return submitter_.begin(std::move(*changes));
  }

  void on_change(std::function<void()> hint) override {
    const std::lock_guard lock(mutex_);
    hint_ = std::move(hint);
  }

 private:
  void tell() {
    const std::lock_guard lock(mutex_);
    if (hint_) hint_();
  }

  const VsphereOptions options_;
  vsphere::Observer observer_;
  std::shared_ptr<const Observed> read_, observed_;  ///< The latter with the submissions.
  std::mutex mutex_;
  std::function<void()> hint_;  ///< Guarded by the mutex.
  const std::unique_ptr<vsphere::VimClient> client_;
  vsphere::Follower follower_;    ///< Its thread hints, as does
  vsphere::Submitter submitter_;  ///< this one's: they go first.
};

Error wrong(std::string what, const char* key, std::string remedy) {
  return {Error::Kind::invalid, std::move(what), key, std::move(remedy)};
}

}  // namespace

VsphereOptions vsphere_options(const std::map<std::string, std::string>& section) {
  VsphereOptions out;
  for (const auto& [name, to] : {std::pair("url", &out.url),
                                 {"credentials_file", &out.credentials_file},
                                 {"credentials_systemd", &out.credentials_systemd},
                                 {"ca_file", &out.ca_file},
                                 {"thumbprint", &out.thumbprint},
                                 {"owner", &out.owner},
                                 {"receiver", &out.receiver},
                                 {"acts", &out.acts},
                                 {"uplink", &out.uplink},
                                 {"span", &out.span},
                                 {"span_vlans", &out.span_vlans},
                                 {"span_adopt", &out.span_adopt},
                                 {"span_repair", &out.span_repair},
                                 {"adapter", &out.adapter},
                                 {"span_park", &out.span_park},
                                 {"span_duplicates", &out.span_duplicates},
                                 {"drs_rules", &out.drs_rules},
                                 {"drs_hosts", &out.drs_hosts},
                                 {"rspan_adapter", &out.rspan_adapter}})
    if (const auto it = section.find(name); it != section.end()) *to = it->second;
  if (const auto it = section.find("timeout_ms"); it != section.end()) {
    long given = 0;
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), given);
    out.timeout = milliseconds(given);
  }
  return out;
}

Result<void> check(const VsphereOptions& options) {
  const auto bad = [](auto... parts) { return tl::unexpected(wrong(parts...)); };
  if (!options.url.starts_with("https://"))
    return bad("`" + options.url + "` is no URL of a vCenter", "url",
               "write https://NAME, without a path");
  if (options.credentials_file.empty() == options.credentials_systemd.empty())
    return bad("exactly one of credentials_file and credentials_systemd must be given",
               "credentials_file", "name a file with the lines username= and password=");
  if (options.owner.empty()) return bad("the owner's name is empty", "owner", "give it a name");
  if (options.acts != "true" && options.acts != "false")
    return bad("`" + options.acts + "` is neither true nor false", "acts",
               "write false where another agent of this owner makes the sessions");
  if (!vlans_of(options.span_vlans))
    return bad("`" + options.span_vlans + "` are no VLANs", "span_vlans",
               "write `all`, or numbers from 0 to 4094 with commas between");
  if (options.span_adopt == "true" && options.span_vlans != "all")
    return bad("an adopted port group keeps its VLAN", "span_vlans", "leave this out");
  for (const auto& [value, key] : {std::pair(&options.span_adopt, "span_adopt"),
                                   {&options.span_repair, "span_repair"},
                                   {&options.drs_rules, "drs_rules"}})
    if (*value != "true" && *value != "false")
      return bad("`" + *value + "` is neither true nor false", key, "write one of them");
  if (options.span_duplicates != "set" && options.span_duplicates != "check")
    return bad("`" + options.span_duplicates + "` is neither set nor check", "span_duplicates",
               "write `set` to have the hosts' option set, and `check` to be told of it");
  if (!options.adapter.empty() && !Mac::parse(options.adapter))
    return bad("`" + options.adapter + "` is no MAC address", "adapter",
               "write the MAC of the appliance's second adapter");
  if (!options.rspan_adapter.empty() && !Mac::parse(options.rspan_adapter))
    return bad("`" + options.rspan_adapter + "` is no MAC address", "rspan_adapter",
               "write the MAC of the appliance's adapter on the distributed switch");
  if (options.span.empty())
    for (const auto& [value, key] :
         {std::pair(&options.adapter, "adapter"), {&options.span_park, "span_park"}})
      if (!value->empty()) return bad("there is no SPAN port group", key, "name one: `span`");
  if (options.adapter.empty() && !options.span_park.empty())
    return bad("no adapter of the appliance's is named that could go there", "span_park",
               "add `adapter`");
  if (!options.receiver.empty()) {
    const auto address = IpAddress::parse(options.receiver);
    if (!address || address->is_group() || address->is_unspecified() || address->is_loopback())
      return bad("`" + options.receiver + "` is no address that a host can send to", "receiver",
                 "write an address of this agent's that the hosts' VMkernel adapters reach");
  }
  return {};
}

Result<std::unique_ptr<Driver>> make_vsphere_driver(const VsphereOptions& options) {
  if (const auto good = check(options); !good) return tl::unexpected(good.error());
  vsphere::VimOptions with;
  with.http.url = options.url;
  with.http.ca_file = options.ca_file;
  with.http.thumbprint = options.thumbprint;
  // The follower begins again by itself, and says meanwhile that the server can't be read.
  with.http.retry = {.attempts = 2, .first = milliseconds(200), .most = milliseconds(2'000)};
  with.http.random = [engine = std::make_shared<std::pair<std::mutex, std::minstd_rand>>()] {
    const std::lock_guard lock(engine->first);
    return std::uniform_real_distribution<double>(0, 1)(engine->second);
  };
  with.credentials = {options.credentials_file, options.credentials_systemd};
  auto client = vsphere::VimClient::make(with);
  if (!client) return tl::unexpected(client.error());
  return std::make_unique<VsphereDriver>(options, std::move(*client));
}

}  // namespace vmirror
