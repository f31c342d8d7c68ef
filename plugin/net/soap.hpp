// SOAP 1.1 and 1.2 messages, by pugixml, and calls with them over an HttpClient.
//
//   <e:Envelope xmlns:e="(version)">          SOAP 1.1: http://schemas.xmlsoap.org/soap/envelope/
//     <e:Header> ... </e:Header>  optional    SOAP 1.2: http://www.w3.org/2003/05/soap-envelope
//     <e:Body>
//       the call, its answer, or
//       <e:Fault>                             1.1: faultcode, faultstring, detail
//     </e:Body>                               1.2: Code(Value, Subcode(Value, ...)), Reason(Text),
//   </e:Envelope>                                  Detail
//
// Sources: W3C "SOAP 1.1" (section 4) and "SOAP Version 1.2 Part 1" (section 5).
#pragma once

#include <memory>
#include <optional>
#include <pugixml.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/net/http.hpp"

namespace vmirror::net {

enum class SoapVersion { v1_1, v1_2 };

constexpr int kMaxXmlDepth = 100;            ///< Elements in elements of a message.
constexpr std::size_t kMaxFaultText = 1000;  ///< Bytes of a fault's text; what is longer is cut.

/// A name without its prefix: "Fault" of <soapenv:Fault>.
std::string_view local_name(pugi::xml_node node);
/// The namespace that an element is in: its prefix's, or the default one.
std::string_view namespace_of(pugi::xml_node node);
/// The first child element of this local name, whatever its prefix; a null node without one.
pugi::xml_node child(pugi::xml_node node, std::string_view local_name);
/// The text of that child; empty without one. Borrowed from the document.
std::string_view text_of(pugi::xml_node node, std::string_view local_name);

/// A message to send. Texts are set by pugixml, which escapes them. Of one thread at a time.
class SoapRequest {
 public:
  /// Its elements have the prefix `e`; further prefixes are declared on `envelope`.
  explicit SoapRequest(SoapVersion version);
  SoapVersion version() const { return version_; }
  pugi::xml_node envelope() { return document_.document_element(); }
  pugi::xml_node header() { return header_; }
  pugi::xml_node body() { return body_; }
  /// Makes a secret the text of an element. It comes into the message when that is encoded, and
  /// into no memory of pugixml.
  void set_secret(pugi::xml_node element, Secret secret);

  /// Error::Kind::invalid: a text has a byte that XML can't say (a control character, no UTF-8);
  /// the element is told, not its text.
  Result<Message> encode() const;

 private:
  SoapVersion version_;
  pugi::xml_document document_;
  pugi::xml_node header_, body_;
  std::vector<Secret> secrets_;
};

struct SoapFault {
  std::string code;     ///< Without prefix: "Client", "Server" (1.1), "Sender", "Receiver" (1.2).
  std::string subcode;  ///< SOAP 1.2: the innermost one without prefix; else empty.
  std::string text;
  pugi::xml_node detail;  ///< The element <detail>; null without one.
};

/// A document that was received. Its nodes live as long as it does.
class XmlDocument {
 public:
  /// Error::Kind::invalid: no XML, or a document type (none is expanded). Error::Kind::exhausted:
  /// deeper than kMaxXmlDepth. Its size is the HttpClient's bound. The nodes need about 16 times
  /// the bytes of the worst document.
  static Result<XmlDocument> parse(Message text);
  pugi::xml_node root() const { return it_->document.document_element(); }

 private:
  /// On the heap: pugixml reads in place, and a short text moves with its string.
  struct Parsed {
    Message text;
    pugi::xml_document document;
  };
  std::unique_ptr<Parsed> it_;
};

/// A message that was received. Its nodes live as long as it does.
class SoapAnswer {
 public:
  /// Reads a message. Errors are those of XmlDocument::parse, and Error::Kind::invalid: no envelope
  /// of one of the two versions.
  static Result<SoapAnswer> parse(Message text);

  pugi::xml_node header() const { return header_; }  ///< Null without one.
  pugi::xml_node body() const { return body_; }
  const std::optional<SoapFault>& fault() const { return fault_; }

 private:
  explicit SoapAnswer(XmlDocument document) : document_(std::move(document)) {}
  XmlDocument document_;
  pugi::xml_node header_, body_;
  std::optional<SoapFault> fault_;
};

/// Error::Kind::refused, with code and text: for faults that a driver knows nothing better of.
Error error_of(const SoapFault& fault, std::string where);

struct SoapCall {
  std::string path{};    ///< "/sdk", "/wsman"
  std::string action{};  ///< The field SOAPAction (1.1), the parameter `action` (1.2; empty: none).
  std::chrono::milliseconds timeout{30'000};  ///< As HttpRequest's.
  bool repeatable = false;                    ///< As HttpRequest's.
};

/// Sends a request and reads the answer, which may have a fault: a fault is the application's to
/// judge. Errors are those of HttpClient::send, SoapRequest::encode and SoapAnswer::parse, and by
/// the status of HTTP: Error::Kind::refused (401, 403, another answer without a message),
/// Error::Kind::missing (404), Error::Kind::unreachable (429, 502, 503, 504).
Result<SoapAnswer> call(HttpClient& client, const SoapCall& call, const SoapRequest& request,
                        std::stop_token stop = {});

}  // namespace vmirror::net
