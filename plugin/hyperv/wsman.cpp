#include "plugin/hyperv/wsman.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <random>

namespace vmirror::hyperv {
namespace {

using net::child;
using net::text_of;
using pugi::xml_node;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kAddressing = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
constexpr const char* kAnonymous =
    "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
constexpr const char* kWsman = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
constexpr const char* kEnumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
constexpr const char* kEventing = "http://schemas.xmlsoap.org/ws/2004/08/eventing";
constexpr const char* kPullMode = "http://schemas.dmtf.org/wbem/wsman/1/wsman/Pull";
constexpr const char* kTransferGet = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get";
constexpr const char* kIdentity = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
constexpr const char* kWql = "http://schemas.microsoft.com/wbem/wsman/1/WQL";
constexpr const char* kWmi = "http://schemas.microsoft.com/wbem/wsman/1/wmi/";
constexpr const char* kPath = "/wsman";

constexpr std::size_t kEnvelope = 512'000;  ///< Bytes of an answer: MaxEnvelopeSizekb is 500.
constexpr int kPageItems = 32'000;          ///< MaxBatchItems
constexpr int kMaxPages = 1000;
constexpr milliseconds kFirstJobPoll{10}, kMostJobPoll{100};  ///< Doubled.
/// What a call may take besides the time that the host is granted.
constexpr std::chrono::seconds kGrace{10};

/// A random UUID, version 4 (RFC 9562).
std::string make_uuid() {
  std::random_device random;
  std::array<unsigned, 4> words{random(), random(), random(), random()};
  words[1] = (words[1] & 0xFFFF0FFFu) | 0x4000u;
  words[2] = (words[2] & 0x3FFFFFFFu) | 0x80000000u;
  std::array<char, 37> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16,
                words[1] & 0xFFFF, words[2] >> 16, words[2] & 0xFFFF, words[3]);
  return text.data();
}

std::string duration(std::chrono::seconds time) {
  return "PT" + std::to_string(time.count()) + ".000S";
}

void put(xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).append_child(pugi::node_pcdata).set_value(text.c_str());
}

void put_selectors(xml_node parent, const std::map<std::string, std::string>& keys) {
  if (keys.empty()) return;
  xml_node set = parent.append_child("w:SelectorSet");
  for (const auto& [name, value] : keys) {
    xml_node selector = set.append_child("w:Selector");
    selector.append_attribute("Name") = name.c_str();
    selector.append_child(pugi::node_pcdata).set_value(value.c_str());
  }
}

std::string class_uri(const std::string& space, const std::string& cls) {
  return kWmi + space + "/" + cls;
}

void put_parameter(xml_node input, const Parameter& parameter) {
  xml_node element = input.append_child(("p:" + parameter.name).c_str());
  if (const auto* text = std::get_if<std::string>(&parameter.value)) {
    element.append_child(pugi::node_cdata).set_value(text->c_str());
    return;
  }
  const Reference& to = std::get<Reference>(parameter.value);
  put(element, "a:Address", kAnonymous);
  xml_node parameters = element.append_child("a:ReferenceParameters");
  put(parameters, "w:ResourceURI", class_uri(kVirtualization, to.cls));
  put_selectors(parameters, to.keys);
}

void put_filter(xml_node parent, const std::string& wql) {
  xml_node filter = parent.append_child("w:Filter");
  filter.append_attribute("Dialect") = kWql;
  filter.append_child(pugi::node_pcdata).set_value(wql.c_str());
}

/// Waits; false: `stop` came first.
bool sleep(milliseconds pause, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

const char* remedy_of_401(net::Auth auth) {
  switch (auth) {
    case net::Auth::negotiate:
      return "check the Kerberos ticket (klist), and the host's name in the URL";
    case net::Auth::ntlm:
      return "check user (HOST\\USER, DOMAIN\\USER) and password, whether the domain allows NTLM, "
             "and for a local account LocalAccountTokenFilterPolicy";
    default:
      return "check user and password, and whether the host takes Basic: winrm get "
             "winrm/config/service/auth (or write `auth: ntlm`)";
  }
}

}  // namespace

struct WsmanClient::Operation {
  std::string action{}, resource{};  ///< Both empty: Identify.
  std::map<std::string, std::string> selectors{};
  std::function<void(xml_node body)> fill{};
  bool repeatable = true;
  std::chrono::seconds timeout = kOperationTimeout;
};

Result<std::unique_ptr<WsmanClient>> WsmanClient::make(WsmanOptions options) {
  // What can be told of the options without the credentials' file.
  net::HttpOptions probe = options.http;
  probe.credentials.user = "-";
  if (auto fit = net::HttpClient::make(std::move(probe)); !fit) return tl::unexpected(fit.error());
  while (options.http.url.ends_with('/')) options.http.url.pop_back();
  return std::unique_ptr<WsmanClient>(new WsmanClient(std::move(options)));
}

/// The connection with the credentials that the file has now.
Result<std::shared_ptr<net::HttpClient>> WsmanClient::connection() {
  net::Credentials now;
  const bool has_credentials = options_.http.auth != net::Auth::negotiate;
  if (has_credentials) {
    auto read = net::read_credentials(options_.credentials);
    if (!read) return tl::unexpected(read.error());
    now = std::move(*read);
  }
  const std::lock_guard lock(mutex_);
  const bool same = now.user == used_.user && now.password.view() == used_.password.view();
  if (has_credentials && same && refused_) return tl::unexpected(*refused_);
  if (!http_ || !same) {
    net::HttpOptions with = options_.http;
    with.credentials = now;
    auto made = net::HttpClient::make(std::move(with));
    if (!made) return tl::unexpected(made.error());
    http_ = std::move(*made);
    used_ = std::move(now);
    refused_.reset();
  }
  return http_;
}

/// Sends an operation; a fault is an answer.
Result<net::SoapAnswer> WsmanClient::send(const Operation& operation, const std::stop_token& stop) {
  net::SoapRequest request(net::SoapVersion::v1_2);
  xml_node envelope = request.envelope();
  for (const auto& [name, uri] :
       {std::pair("xmlns:a", kAddressing), {"xmlns:w", kWsman}, {"xmlns:n", kEnumeration}})
    envelope.append_attribute(name) = uri;
  if (!operation.action.empty()) {
    xml_node header = request.header();
    put(header, "a:To", url() + kPath);
    put(header, "w:ResourceURI", operation.resource);
    put(header.append_child("a:ReplyTo"), "a:Address", kAnonymous);
    put(header, "a:Action", operation.action);
    put(header, "a:MessageID", "uuid:" + make_uuid());
    put(header, "w:MaxEnvelopeSize", std::to_string(kEnvelope));
    put(header, "w:OperationTimeout", duration(operation.timeout));
    put_selectors(header, operation.selectors);
  }
  if (operation.fill) operation.fill(request.body());
  auto http = connection();
  if (!http) return tl::unexpected(http.error());
  return net::call(
      **http,
      {.path = kPath, .timeout = operation.timeout + kGrace, .repeatable = operation.repeatable},
      request, stop);
}

/// The same, where a fault is an error.
Result<net::SoapAnswer> WsmanClient::call(const Operation& operation, const std::stop_token& stop) {
  return judge(send(operation, stop));
}

Result<net::SoapAnswer> WsmanClient::judge(Result<net::SoapAnswer> answer) {
  if (answer && !answer->fault()) return answer;
  Error error = answer ? error_of_fault(*answer->fault(), url()) : answer.error();
  if (error.what.find("HTTP status 401") != error.what.npos) {
    error.remedy = remedy_of_401(options_.http.auth);
    const std::lock_guard lock(mutex_);
    refused_ = error;
  } else if (error.what.find("HTTP status 413") != error.what.npos) {
    error.kind = Error::Kind::exhausted;
    error.what = "the request is larger than the host takes";
    error.remedy = "raise its limit: winrm set winrm/config @{MaxEnvelopeSizekb=\"1024\"}";
  } else if (error.what.find("does not offer Negotiate") != error.what.npos) {
    error.remedy = "winrm set winrm/config/service/auth @{Negotiate=\"true\"}";
  } else if (error.kind == Error::Kind::unreachable && error.remedy.empty() && !answer) {
    error.remedy = "is WinRM on, with a listener for HTTPS, and the firewall open (port 5986)?";
  }
  return tl::unexpected(std::move(error));
}

Result<std::string> WsmanClient::identify(std::stop_token stop) {
  Operation operation;
  operation.fill = [](xml_node body) {
    body.append_child("i:Identify").append_attribute("xmlns:i") = kIdentity;
  };
  const auto answer = call(operation, stop);
  if (!answer) return tl::unexpected(answer.error());
  const xml_node response = child(answer->body(), "IdentifyResponse");
  if (!response)
    return fail(Error::Kind::refused, "the server is no WS-Management service", url(),
                "check host and port (WinRM over HTTPS: 5986)");
  return std::string(text_of(response, "ProductVersion"));
}

// ---- Enumerations -------------------------------------------------------------------------------

Page read_page(xml_node body) {
  Page out;
  xml_node response = child(body, "EnumerateResponse");
  if (!response) response = child(body, "PullResponse");
  for (const xml_node item : child(response, "Items").children())
    if (item.type() == pugi::node_element) out.items.push_back(read_instance(item));
  if (!child(response, "EndOfSequence")) out.context = text_of(response, "EnumerationContext");
  return out;
}

Result<Page> WsmanClient::page(const Operation& operation, const std::stop_token& stop) {
  const auto answer = call(operation, stop);
  if (!answer) return tl::unexpected(answer.error());
  return read_page(answer->body());
}

namespace {

std::function<void(xml_node)> pull_body(const std::string& context) {
  return [context](xml_node body) {
    xml_node pull = body.append_child("n:Pull");
    put(pull, "n:EnumerationContext", context);
    put(pull, "n:MaxElements", std::to_string(kPageItems));
  };
}

}  // namespace

Result<std::vector<Instance>> WsmanClient::query(const std::string& space, const std::string& wql,
                                                 std::stop_token stop) {
  const std::string resource = class_uri(space, "*");
  auto page = this->page({.action = std::string(kEnumeration) + "/Enumerate",
                          .resource = resource,
                          .fill =
                              [&](xml_node body) {
                                xml_node enumerate = body.append_child("n:Enumerate");
                                enumerate.append_child("w:OptimizeEnumeration");
                                put(enumerate, "w:MaxElements", std::to_string(kPageItems));
                                put_filter(enumerate, wql);
                              }},
                         stop);
  std::vector<Instance> out;
  for (int pages = 1;; pages++) {
    if (!page) return tl::unexpected(page.error());
    std::ranges::move(page->items, std::back_inserter(out));
    if (page->context.empty()) return out;
    if (out.size() > kMaxInstances || pages == kMaxPages) {
      release(space, page->context);
      return fail(Error::Kind::exhausted,
                  "more than " + std::to_string(kMaxInstances) + " instances or " +
                      std::to_string(kMaxPages) + " pages: " + wql,
                  url());
    }
    const std::string context = page->context;
    // A page is lost with its answer: what is pulled again is the next one.
    page = this->page({.action = std::string(kEnumeration) + "/Pull",
                       .resource = resource,
                       .fill = pull_body(context),
                       .repeatable = false},
                      stop);
    if (!page && page.error().kind != Error::Kind::unreachable) release(space, context);
  }
}

/// An error does not matter: the host forgets an enumeration that nobody pulls.
void WsmanClient::release(const std::string& space, const std::string& context) {
  (void)send({.action = std::string(kEnumeration) + "/Release",
              .resource = class_uri(space, "*"),
              .fill =
                  [&](xml_node body) {
                    put(body.append_child("n:Release"), "n:EnumerationContext", context);
                  }},
             {});
}

Result<Instance> WsmanClient::get(const std::string& space, const Reference& what,
                                  std::stop_token stop) {
  const auto answer =
      call({.action = kTransferGet, .resource = class_uri(space, what.cls), .selectors = what.keys},
           stop);
  if (!answer) return tl::unexpected(answer.error());
  for (const xml_node element : answer->body().children())
    if (element.type() == pugi::node_element) return read_instance(element);
  return fail(Error::Kind::missing, "the host answers without an instance of " + what.cls, url());
}

// ---- Events -------------------------------------------------------------------------------------

Result<std::string> WsmanClient::subscribe(const std::string& space, const std::string& wql,
                                           std::chrono::seconds expires, std::stop_token stop) {
  const auto answer = call({.action = std::string(kEventing) + "/Subscribe",
                            .resource = class_uri(space, "*"),
                            .fill =
                                [&](xml_node body) {
                                  xml_node subscribe = body.append_child("e:Subscribe");
                                  subscribe.append_attribute("xmlns:e") = kEventing;
                                  subscribe.append_child("e:Delivery").append_attribute("Mode") =
                                      kPullMode;
                                  put(subscribe, "e:Expires", duration(expires));
                                  put_filter(subscribe, wql);
                                },
                            .repeatable = false},
                           stop);
  if (!answer) return tl::unexpected(answer.error());
  std::string context(text_of(child(answer->body(), "SubscribeResponse"), "EnumerationContext"));
  if (context.empty())
    return fail(Error::Kind::unsupported, "the host answers Subscribe without a context", url());
  return context;
}

Result<Page> WsmanClient::await(const std::string& space, const std::string& context,
                                std::stop_token stop) {
  auto answer = send({.action = std::string(kEnumeration) + "/Pull",
                      .resource = class_uri(space, "*"),
                      .fill = pull_body(context),
                      .repeatable = false},
                     stop);
  if (answer && answer->fault() && answer->fault()->subcode == "TimedOut") return Page{{}, context};
  answer = judge(std::move(answer));
  if (!answer) return tl::unexpected(answer.error());
  Page out = read_page(answer->body());
  if (out.context.empty())
    return fail(Error::Kind::unreachable, "the host has ended the subscription", url());
  return out;
}

// ---- Methods ------------------------------------------------------------------------------------

Result<Invoked> WsmanClient::invoke(const std::string& space, const Reference& of,
                                    const std::string& method,
                                    const std::vector<Parameter>& parameters,
                                    std::stop_token stop) {
  const std::string uri = class_uri(space, of.cls);
  const auto answer = call({.action = uri + "/" + method,
                            .resource = uri,
                            .selectors = of.keys,
                            .fill =
                                [&](xml_node body) {
                                  xml_node input =
                                      body.append_child(("p:" + method + "_INPUT").c_str());
                                  input.append_attribute("xmlns:p") = uri.c_str();
                                  for (const Parameter& each : parameters)
                                    put_parameter(input, each);
                                },
                            .repeatable = false},
                           stop);
  if (!answer) return tl::unexpected(answer.error());
  const xml_node output = child(answer->body(), method + "_OUTPUT");
  if (!output)
    return fail(Error::Kind::refused, "the host answers " + method + " without its output", url());
  Invoked out{{}, read_reference(child(output, "Job")), read_instance(output)};
  if (const xml_node value = child(output, "ReturnValue")) out.value = value.text().as_ullong();
  return out;
}

Result<void> WsmanClient::carry_out(const Reference& of, const std::string& method,
                                    const std::vector<Parameter>& parameters,
                                    std::stop_token stop) {
  enum JobState { completed = 7, terminated, killed, exception };
  constexpr std::uint64_t kStarted = 4096, kInvalidState = 32775;
  const auto invoked = invoke(kVirtualization, of, method, parameters, stop);
  if (!invoked) return tl::unexpected(invoked.error());
  if (!invoked->value)
    return fail(Error::Kind::refused, "the host answers " + method + " without a ReturnValue",
                url());
  if (invoked->value != 0 && invoked->value != kStarted)
    return fail(
        Error::Kind::refused,
        method + ": the host refuses it: " + return_value_text(*invoked->value), url(),
        invoked->value == kInvalidState ? "the VM may be migrating: it is tried again" : "");
  if (invoked->value == 0 || !invoked->job) return {};
  const auto end = steady_clock::now() + kJobPatience;
  for (milliseconds pause = kFirstJobPoll;; pause = std::min(pause * 2, kMostJobPoll)) {
    const auto job = get(kVirtualization, *invoked->job, stop);
    if (!job && job.error().kind == Error::Kind::missing) return {};
    if (!job) return tl::unexpected(job.error());
    const auto state = job->number("JobState");
    if (state >= terminated && state <= exception) {
      const std::string& text = job->text("ErrorDescription");
      return fail(Error::Kind::refused,
                  method + ": the job failed: " +
                      (text.empty() ? return_value_text(job->number("ErrorCode")) : text),
                  url());
    }
    if (state >= completed) return {};
    if (steady_clock::now() > end)
      return fail(
          Error::Kind::unreachable,
          method + ": the job has not ended within " + std::to_string(kJobPatience.count()) + " s",
          url());
    if (!sleep(pause, stop)) return fail(Error::Kind::unreachable, "the call was stopped", url());
  }
}

}  // namespace vmirror::hyperv
