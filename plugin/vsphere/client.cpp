#include "plugin/vsphere/client.hpp"

#include <algorithm>

namespace vmirror::vsphere {
namespace {

using net::child;
using net::text_of;
using pugi::xml_node;
using std::chrono::steady_clock;

constexpr const char* kPath = "/sdk";
constexpr const char* kVersionsPath = "/sdk/vimServiceVersions.xml";

std::string action_of(const std::string& version) {
  return version.empty() ? "urn:vim25" : "urn:vim25/" + version;
}

/// A fault of the server, as a value.
VimAnswer answer_of(net::SoapAnswer message, std::string where) {
  VimAnswer out{std::move(message), {}, {}};
  out.result = out.message.body().first_child();
  const auto& fault = out.message.fault();
  if (!fault) return out;
  const xml_node detail = fault->detail.first_child();
  out.fault = xsi_type(detail);
  if (out.fault.empty()) {  // The element is the type's name with "Fault" behind it.
    out.fault = net::local_name(detail);
    if (out.fault.ends_with("Fault")) out.fault.resize(out.fault.size() - 5);
  }
  if (out.fault.empty()) out.fault = fault->code.empty() ? "Fault" : fault->code;
  out.error = error_of_fault(out.fault, detail, fault->text, std::move(where));
  return out;
}

}  // namespace

VimClient::VimClient(VimOptions options, std::unique_ptr<net::HttpClient> http)
    : credentials_(std::move(options.credentials)), http_(std::move(http)) {}

Result<std::unique_ptr<VimClient>> VimClient::make(VimOptions options) {
  auto http = net::HttpClient::make(options.http);
  if (!http) return tl::unexpected(http.error());
  return std::unique_ptr<VimClient>(new VimClient(std::move(options), std::move(*http)));
}

VimClient::~VimClient() {
  if (!session_) return;
  (void)send(
      {.self = session_->session_manager, .name = "Logout", .timeout = std::chrono::seconds(2)},
      session_->version, {});
}

Result<VimAnswer> VimClient::send(const Method& method, const std::string& version,
                                  const std::stop_token& stop,
                                  const std::function<void(net::SoapRequest&, xml_node)>& finish) {
  net::SoapRequest request(net::SoapVersion::v1_1);
  xml_node envelope = request.envelope();
  envelope.append_attribute("xmlns:xsi") = "http://www.w3.org/2001/XMLSchema-instance";
  envelope.append_attribute("xmlns:xsd") = "http://www.w3.org/2001/XMLSchema";
  xml_node call = request.body().append_child(method.name);
  call.append_attribute("xmlns") = "urn:vim25";
  put_ref(call, "_this", method.self);
  if (method.arguments) method.arguments(call);
  if (finish) finish(request, call);
  auto answer = net::call(*http_,
                          {.path = kPath,
                           .action = action_of(version),
                           .timeout = method.timeout,
                           .repeatable = method.repeatable},
                          request, stop);
  if (!answer) return tl::unexpected(answer.error());
  return answer_of(std::move(*answer), url() + ", " + method.name);
}

Result<std::string> VimClient::read_version(const std::stop_token& stop) {
  auto response = http_->send({.path = kVersionsPath, .repeatable = true}, stop);
  if (!response) return tl::unexpected(response.error());
  if (response->status == 503)
    return fail(Error::Kind::unreachable, "the server can't answer now (HTTP status 503)", url());
  if (response->status != 200)
    return fail(Error::Kind::unsupported,
                "no API vim25 (HTTP status " + std::to_string(response->status) + " of " +
                    kVersionsPath + ")",
                url(), "is it a vCenter or an ESXi host?");
  const auto document = net::XmlDocument::parse(std::move(response->body));
  if (!document) return tl::unexpected(document.error());
  return choose_version(document->root());
}

Result<std::shared_ptr<const Session>> VimClient::log_in(const std::stop_token& stop) {
  auto credentials = net::read_credentials(credentials_);
  if (!credentials) return tl::unexpected(credentials.error());
  const auto refused = [&] {
    return tl::unexpected(
        error_of_fault("InvalidLogin", {}, {}, url() + ", user " + credentials->user));
  };
  if (!refused_.user.empty() && credentials->user == refused_.user &&
      credentials->password.view() == refused_.password.view())
    return refused();

  auto version = read_version(stop);
  if (!version) return tl::unexpected(version.error());
  http_->forget_cookies();
  auto content = send({.self = {"ServiceInstance", "ServiceInstance"},
                       .name = "RetrieveServiceContent",
                       .repeatable = true},
                      *version, stop);
  if (!content) return tl::unexpected(content.error());
  if (!content->fault.empty()) return tl::unexpected(content->error);
  const xml_node value = child(content->result, "returnval"), about = child(value, "about");
  auto session = std::make_shared<Session>();
  session->version = std::move(*version);
  session->product = text_of(about, "fullName");
  session->server_uuid = text_of(about, "instanceUuid");
  session->is_vcenter = text_of(about, "apiType") == "VirtualCenter";
  session->root_folder = read_ref(child(value, "rootFolder"));
  session->property_collector = read_ref(child(value, "propertyCollector"));
  session->view_manager = read_ref(child(value, "viewManager"));
  session->session_manager = read_ref(child(value, "sessionManager"));

  // No attempt more than this one: each counts towards the account's lock.
  const auto answer =
      send({.self = session->session_manager, .name = "Login"}, session->version, stop,
           [&](net::SoapRequest& request, xml_node call) {
             call.append_child("userName").text() = credentials->user.c_str();
             request.set_secret(call.append_child("password"), credentials->password);
           });
  if (!answer) return tl::unexpected(answer.error());
  if (answer->fault == "InvalidLogin") {
    refused_ = std::move(*credentials);
    credentials->user = refused_.user;
    return refused();
  }
  if (!answer->fault.empty()) return tl::unexpected(answer->error);
  refused_ = {};
  const std::lock_guard lock(mutex_);
  session->number = ++sessions_;
  last_call_ = steady_clock::now();
  session_ = session;
  return session_;
}

Result<std::shared_ptr<const Session>> VimClient::session(std::stop_token stop) {
  if (auto session = current()) return session;
  const std::lock_guard lock(login_);
  if (auto session = current()) return session;  // Another thread was first.
  return log_in(stop);
}

std::shared_ptr<const Session> VimClient::current() {
  const std::lock_guard lock(mutex_);
  return session_;
}

void VimClient::forget(std::uint64_t session) {
  const std::lock_guard lock(mutex_);
  if (session_ && session_->number == session) session_.reset();
}

Result<VimAnswer> VimClient::call(const Method& method, std::stop_token stop) {
  for (bool again = false;; again = true) {
    // What is of a session begins no other.
    const auto session = method.session == 0 ? this->session(stop) : current();
    if (!session) return tl::unexpected(session.error());
    if (method.session != 0 && (!*session || (*session)->number != method.session))
      return fail(Error::Kind::missing, "the session that this is of has ended",
                  url() + ", " + method.name);
    auto answer = send(method, (*session)->version, stop);
    if (answer && answer->fault == "NotAuthenticated") {
      forget((*session)->number);
      if (!again && method.session == 0) continue;
    } else if (answer && method.session == 0) {
      const std::lock_guard lock(mutex_);
      last_call_ = steady_clock::now();
    }
    return answer;
  }
}

Result<VimAnswer> VimClient::must(const Method& method, std::stop_token stop) {
  auto answer = call(method, std::move(stop));
  if (answer && !answer->fault.empty()) return tl::unexpected(std::move(answer->error));
  return answer;
}

Result<void> VimClient::keep_alive(std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    if (!session_ || steady_clock::now() - last_call_ < kKeepAlive) return {};
  }
  const auto answer = must(
      {.self = {"ServiceInstance", "ServiceInstance"}, .name = "CurrentTime", .repeatable = true},
      std::move(stop));
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

}  // namespace vmirror::vsphere
