// A client of WS-Management (WinRM): SOAP 1.2 over HTTPS to one host.
//
//   identify   who answers
//   query      a query in WQL; pages are pulled until the end
//   get        one instance by its keys
//   invoke     a method; carry_out also waits for the job that it begins
//   subscribe  to events, which `await` pulls
//
// Limits of a default WinRM are kept: no answer is asked for above 500 KB (MaxEnvelopeSizekb), no
// operation takes longer than 60 s (MaxTimeoutms), an enumeration that is not pulled to its end is
// released.
//
// Sources: DMTF DSP0226 (WS-Management 1.1), DSP0227 (its binding to CIM); Microsoft MS-WSMV.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "plugin/hyperv/cim.hpp"
#include "plugin/net/soap.hpp"

namespace vmirror::hyperv {

constexpr std::size_t kMaxInstances = 100'000;  ///< Of one query; more is Error::Kind::exhausted.
constexpr std::chrono::seconds kOperationTimeout{60};
constexpr std::chrono::seconds kJobPatience{120};  ///< How long a job may run.

struct WsmanOptions {
  net::HttpOptions http;              ///< `credentials` is filled in from the source below.
  net::CredentialSource credentials;  ///< Read before each connection; unused by negotiate.
};

/// A page of an enumeration.
struct Page {
  std::vector<Instance> items;
  std::string context;  ///< Of the next Pull; empty: the end.
};

/// What a method answered.
struct Invoked {
  std::optional<std::uint64_t> value;  ///< ReturnValue: 0 done, 4096 a job was begun; none: void.
  std::optional<Reference> job;        ///< Msvm_ConcreteJob
  Instance output;  ///< All that the method gives back, by the parameters' names.
};

/// A parameter of a method, in the order of the method's definition. An array is the parameter
/// several times; an empty array is left out.
struct Parameter {
  std::string name;
  std::variant<std::string, Reference> value;  ///< A text (sent as CDATA), or a reference.
};

/// All functions may be called from any thread. Errors of all that call the host: those of
/// net::call, and a fault of the host in words (error_of_fault). Error::Kind::refused also where
/// the host refused these credentials before: they are not sent again until the file has others, so
/// that no account is locked.
class WsmanClient {
 public:
  /// Connects to nothing yet.
  static Result<std::unique_ptr<WsmanClient>> make(WsmanOptions options);

  /// "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
  Result<std::string> identify(std::stop_token stop = {});
  /// All instances that a query finds, SELECT or ASSOCIATORS OF. `space` is a namespace.
  Result<std::vector<Instance>> query(const std::string& space, const std::string& wql,
                                      std::stop_token stop = {});
  /// Error::Kind::missing: there is no such instance.
  Result<Instance> get(const std::string& space, const Reference& what, std::stop_token stop = {});
  /// Calls a method of an instance; of a service, one key is enough; a static one has no keys.
  Result<Invoked> invoke(const std::string& space, const Reference& of, const std::string& method,
                         const std::vector<Parameter>& parameters, std::stop_token stop = {});
  /// The same in kVirtualization; waits for the job. Error::Kind::refused: another ReturnValue than
  /// 0 and 4096, or a job that failed. A job that the host has forgotten counts as done: the
  /// setting itself must be read back in any case.
  Result<void> carry_out(const Reference& of, const std::string& method,
                         const std::vector<Parameter>& parameters, std::stop_token stop = {});
  /// Subscribes to events by Pull, for `expires`: the context of the first `await`. What happened
  /// before is not told. Error::Kind::missing: no such namespace. Error::Kind::unsupported: the
  /// host filters no such events, or delivers by other modes.
  Result<std::string> subscribe(const std::string& space, const std::string& wql,
                                std::chrono::seconds expires, std::stop_token stop = {});
  /// The next events; none after kOperationTimeout without any. `context` is that of the next
  /// await. Error::Kind::unreachable also: the subscription has ended.
  Result<Page> await(const std::string& space, const std::string& context,
                     std::stop_token stop = {});
  const std::string& url() const { return options_.http.url; }

 private:
  struct Operation;
  explicit WsmanClient(WsmanOptions options) : options_(std::move(options)) {}
  Result<std::shared_ptr<net::HttpClient>> connection();
  Result<net::SoapAnswer> send(const Operation& operation, const std::stop_token& stop);
  Result<net::SoapAnswer> call(const Operation& operation, const std::stop_token& stop);
  Result<net::SoapAnswer> judge(Result<net::SoapAnswer> answer);
  Result<Page> page(const Operation& operation, const std::stop_token& stop);
  void release(const std::string& space, const std::string& context);

  const WsmanOptions options_;
  mutable std::mutex mutex_;  ///< Guards what follows.
  std::shared_ptr<net::HttpClient> http_;
  net::Credentials used_;         ///< What the connection logs in with.
  std::optional<Error> refused_;  ///< The host's answer to these credentials.
};

/// A fault in words, with the innermost text of the host.
Error error_of_fault(const net::SoapFault& fault, std::string where);
/// A ReturnValue of Hyper-V's methods in words: "invalid parameter (32773)".
std::string return_value_text(std::uint64_t value);
/// Reads an answer to Enumerate or Pull.
Page read_page(pugi::xml_node body);

}  // namespace vmirror::hyperv
