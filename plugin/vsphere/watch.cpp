#include <algorithm>

#include "plugin/vsphere/client.hpp"

namespace vmirror::vsphere {
namespace {

using net::child;
using pugi::xml_node;

/// How much longer a call may take than the wait that it asks for.
constexpr std::chrono::seconds kGrace{30};

}  // namespace

// ---- Collector ----------------------------------------------------------------------------------

Collector::Collector(VimClient& client, std::uint64_t session, Ref self)
    : client_(&client), session_(session), self_(std::move(self)) {}

Collector::Collector(Collector&& other) noexcept
    : client_(other.client_),
      session_(other.session_),
      self_(std::exchange(other.self_, {})),
      version_(std::move(other.version_)) {}

Collector::~Collector() {
  if (self_.empty()) return;
  (void)client_->call({.self = self_,
                       .name = "DestroyPropertyCollector",
                       .timeout = std::chrono::seconds(5),
                       .session = session_});
}

Result<Collector> Collector::make(VimClient& client, const Session& session,
                                  const std::function<void(xml_node)>& fill, std::stop_token stop) {
  const auto made = client.must({.self = session.property_collector,
                                 .name = "CreatePropertyCollector",
                                 .session = session.number},
                                stop);
  if (!made) return tl::unexpected(made.error());
  Collector out(client, session.number, read_ref(child(made->result, "returnval")));
  const auto filter = client.must({.self = out.self_,
                                   .name = "CreateFilter",
                                   .arguments =
                                       [&](xml_node call) {
                                         fill(call.append_child("spec"));
                                         // Whole properties, not their changed parts.
                                         call.append_child("partialUpdates").text() = false;
                                       },
                                   .session = session.number},
                                  stop);
  if (!filter) return tl::unexpected(filter.error());
  return out;
}

Result<bool> Collector::wait(std::chrono::seconds wait,
                             const std::function<Result<Folded>(xml_node)>& answer,
                             std::stop_token stop) {
  bool any = false, truncated = true;
  wait = std::clamp(wait, std::chrono::seconds(1), kMaxWait);
  while (truncated) {
    const auto update = client_->must({.self = self_,
                                       .name = "WaitForUpdatesEx",
                                       .arguments =
                                           [&](xml_node call) {
                                             call.append_child("version").text() = version_.c_str();
                                             xml_node options = call.append_child("options");
                                             options.append_child("maxWaitSeconds").text() =
                                                 static_cast<int>(wait.count());
                                           },
                                       .repeatable = true,
                                       .timeout = wait + kGrace,
                                       .session = session_},
                                      stop);
    if (!update) return tl::unexpected(update.error());
    const xml_node set = child(update->result, "returnval");
    if (!set) break;  // Time was up.
    const auto folded = answer(set);
    if (!folded) return tl::unexpected(folded.error());
    version_ = folded->version;
    truncated = folded->truncated;
    any = true;
  }
  return any;
}

// ---- The inventory ------------------------------------------------------------------------------

void InventoryWatch::end() {
  collector_.reset();
  if (view_.empty()) return;
  (void)client_.call({.self = std::exchange(view_, {}),
                      .name = "DestroyView",
                      .timeout = std::chrono::seconds(5),
                      .session = session_});
}

Result<void> InventoryWatch::start(const Session& session, std::stop_token stop) {
  end();
  session_ = session.number;
  const auto is_watched = [&](const std::string& type) {
    if (type.starts_with("Cluster")) return session.is_vcenter && clusters_;
    return session.is_vcenter || !type.starts_with("Distributed");
  };
  const auto view = client_.must({.self = session.view_manager,
                                  .name = "CreateContainerView",
                                  .arguments =
                                      [&](xml_node call) {
                                        put_ref(call, "container", session.root_folder);
                                        for (const auto& [type, paths] : kWatchedProperties)
                                          if (is_watched(type))
                                            call.append_child("type").text() = type.c_str();
                                        call.append_child("recursive").text() = true;
                                      },
                                  .session = session.number},
                                 stop);
  if (!view) return tl::unexpected(view.error());
  view_ = read_ref(child(view->result, "returnval"));
  auto made = Collector::make(
      client_, session,
      [&](xml_node spec) {
        for (const auto& [type, paths] : kWatchedProperties) {
          if (!is_watched(type)) continue;
          xml_node set = spec.append_child("propSet");
          set.append_child("type").text() = type.c_str();
          for (const std::string& path : paths) set.append_child("pathSet").text() = path.c_str();
        }
        xml_node object = spec.append_child("objectSet");
        put_ref(object, "obj", view_);
        object.append_child("skip").text() = true;
        xml_node select = object.append_child("selectSet");
        select.append_attribute("xsi:type") = "TraversalSpec";
        select.append_child("name").text() = "all";
        select.append_child("type").text() = "ContainerView";
        select.append_child("path").text() = "view";
        select.append_child("skip").text() = false;
      },
      stop);
  if (!made) return tl::unexpected(made.error());
  collector_.emplace(std::move(*made));
  return {};
}

Result<bool> InventoryWatch::poll(std::chrono::seconds wait, std::stop_token stop) {
  const auto session = client_.session(stop);
  if (!session) return tl::unexpected(session.error());
  const bool anew = !collector_ || session_ != (*session)->number;
  if (anew)
    if (const auto started = start(**session, stop); !started)
      return tl::unexpected(started.error());
  Inventory next = anew ? Inventory{} : inventory_;
  bool changed = false;
  std::size_t missing = 0;
  Error first_missing;
  const auto updated = collector_->wait(
      wait,
      [&](xml_node set) {
        auto folded = fold(set, next);
        if (folded) {
          changed = changed || folded->changed;
          if (missing == 0) first_missing = folded->first_missing;
          missing += folded->missing;
        }
        return folded;
      },
      stop);
  if (!updated) {
    end();  // A wait may still run at the server, and take the next change.
    return tl::unexpected(updated.error());
  }
  if (anew) {
    changed = !(next == inventory_);
    missing_ = missing;
    first_missing_ = std::move(first_missing);
  }
  if (changed) inventory_ = std::move(next);
  return changed;
}

}  // namespace vmirror::vsphere
