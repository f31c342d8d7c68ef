#include "plugin/net/soap.hpp"

#include <algorithm>
#include <boost/locale/utf.hpp>

namespace vmirror::net {
namespace {

constexpr const char* kEnvelope11 = "http://schemas.xmlsoap.org/soap/envelope/";
constexpr const char* kEnvelope12 = "http://www.w3.org/2003/05/soap-envelope";
/// Stands for a secret in the tree: a processing instruction, which no text can forge, since `<` is
/// escaped in texts.
constexpr const char* kSecret = "vmirror-secret";

std::string_view without_prefix(std::string_view name) {
  return name.substr(name.find(':') + 1);
}

/// XML 1.0, section 2.2, in UTF-8.
bool is_xml_text(std::string_view text) {
  namespace utf = boost::locale::utf;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const utf::code_point c = utf::utf_traits<char>::decode(at, end);
    if (c == utf::illegal || c == utf::incomplete) return false;
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xFFFE || c == 0xFFFF)
      return false;
  }
  return true;
}

/// Finds the first node for which `is_bad` holds; pugixml's walk uses no stack.
template <typename Is>
pugi::xml_node find_node(const pugi::xml_document& document, Is is_bad) {
  struct Walker : pugi::xml_tree_walker {
    explicit Walker(Is is) : is_bad(is) {}
    bool for_each(pugi::xml_node& node) override {
      if (is_bad(node, depth())) found = node;
      return !found;
    }
    Is is_bad;
    pugi::xml_node found;
  } walker(is_bad);
  // traverse() is not const, though it changes nothing.
  const_cast<pugi::xml_document&>(document).traverse(walker);
  return walker.found;
}

void append_escaped(Message& out, std::string_view text) {
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '\r') {
      out += "&#13;";
    } else {
      out += c;
    }
  }
}

/// pugixml writes a carriage return as it is, and a reader takes that as a line's end (XML 1.0,
/// section 2.11).
void append_without_returns(Message& out, std::string_view xml) {
  for (std::size_t at; (at = xml.find('\r')) != xml.npos; xml.remove_prefix(at + 1)) {
    out += xml.substr(0, at);
    out += "&#13;";
  }
  out += xml;
}

std::string cut(std::string_view text) {
  return std::string(text.substr(0, kMaxFaultText));
}

SoapFault read_fault_11(pugi::xml_node fault) {
  return {cut(without_prefix(text_of(fault, "faultcode"))),
          {},
          cut(text_of(fault, "faultstring")),
          child(fault, "detail")};
}

SoapFault read_fault_12(pugi::xml_node fault) {
  SoapFault out;
  pugi::xml_node code = child(fault, "Code");
  out.code = cut(without_prefix(text_of(code, "Value")));
  while ((code = child(code, "Subcode"))) out.subcode = cut(without_prefix(text_of(code, "Value")));
  out.text = cut(text_of(child(fault, "Reason"), "Text"));
  out.detail = child(fault, "Detail");
  return out;
}

Error no_message(std::string what) {
  return {Error::Kind::invalid, std::move(what), "XML message", {}};
}

/// What a status says that comes without a message.
Error error_of_status(int status, std::string where) {
  const std::string name = "HTTP status " + std::to_string(status);
  switch (status) {
    case 401:
      return {Error::Kind::refused, "the server refuses user and password (" + name + ")",
              std::move(where), "check the credentials, and which kinds of them the server takes"};
    case 403:
      return {Error::Kind::refused, "the user may not use the server's API (" + name + ")",
              std::move(where), "give the user the right, or another user"};
    case 404:
      return {Error::Kind::missing, "the server has no such API (" + name + ")", std::move(where),
              "check the host and the port"};
    case 429:
    case 502:
    case 503:
    case 504:
      return {Error::Kind::unreachable,
              "the server can't answer now (" + name + ")",
              std::move(where),
              {}};
    default:
      return {Error::Kind::refused, "an answer without a SOAP message (" + name + ")",
              std::move(where), "check the host and the port"};
  }
}

}  // namespace

// ---- Elements -----------------------------------------------------------------------------------

std::string_view local_name(pugi::xml_node node) {
  return without_prefix(node.name());
}

std::string_view namespace_of(pugi::xml_node node) {
  const std::string_view name = node.name();
  const std::size_t colon = name.find(':');
  const std::string declaration =
      colon == name.npos ? "xmlns" : "xmlns:" + std::string(name.substr(0, colon));
  for (; node; node = node.parent())
    if (const pugi::xml_attribute found = node.attribute(declaration.c_str())) return found.value();
  return {};
}

pugi::xml_node child(pugi::xml_node node, std::string_view name) {
  return node.find_child([&](pugi::xml_node each) { return local_name(each) == name; });
}

std::string_view text_of(pugi::xml_node node, std::string_view name) {
  return child(node, name).child_value();
}

// ---- What is sent -------------------------------------------------------------------------------

SoapRequest::SoapRequest(SoapVersion version) : version_(version) {
  pugi::xml_node envelope = document_.append_child("e:Envelope");
  envelope.append_attribute("xmlns:e") = version == SoapVersion::v1_1 ? kEnvelope11 : kEnvelope12;
  header_ = envelope.append_child("e:Header");
  body_ = envelope.append_child("e:Body");
}

void SoapRequest::set_secret(pugi::xml_node element, Secret secret) {
  pugi::xml_node placeholder = element.append_child(pugi::node_pi);
  placeholder.set_name(kSecret);
  placeholder.set_value(std::to_string(secrets_.size()).c_str());
  secrets_.push_back(std::move(secret));
}

Result<Message> SoapRequest::encode() const {
  const auto no_text = [](pugi::xml_node where) {
    return fail(Error::Kind::invalid, "a text that XML can't say",
                "element <" + std::string(where.name()) + ">",
                "it has a control character, or is no UTF-8");
  };
  const pugi::xml_node bad = find_node(document_, [](pugi::xml_node node, int) {
    return !is_xml_text(node.value()) ||
           std::ranges::any_of(node.attributes(), [](const pugi::xml_attribute& attribute) {
             return !is_xml_text(attribute.value());
           });
  });
  if (bad) return no_text(bad.type() == pugi::node_element ? bad : bad.parent());
  for (const Secret& secret : secrets_)
    if (!is_xml_text(secret.view()))
      return fail(Error::Kind::invalid, "a password that XML can't say", "credentials",
                  "it has a control character, or is no UTF-8");

  struct Writer : pugi::xml_writer {
    void write(const void* data, std::size_t size) override {
      out.append(static_cast<const char*>(data), size);
    }
    Message out;
  } writer;
  document_.save(writer, "", pugi::format_raw, pugi::encoding_utf8);

  // Each placeholder, in the order of the text, gives way to its secret.
  const std::string begin = std::string("<?") + kSecret + " ";
  const std::string_view text = writer.out;
  Message out;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(begin, at)) != text.npos;) {
    append_without_returns(out, text.substr(at, found - at));
    const std::size_t end = text.find("?>", found);
    const std::string number(text.substr(found + begin.size(), end - found - begin.size()));
    append_escaped(out, secrets_.at(std::stoul(number)).view());
    at = end + 2;
  }
  append_without_returns(out, text.substr(at));
  return out;
}

// ---- What is received ---------------------------------------------------------------------------

Result<XmlDocument> XmlDocument::parse(Message text) {
  XmlDocument out;
  out.it_ = std::make_unique<Parsed>();
  out.it_->text = std::move(text);
  const auto parsed = out.it_->document.load_buffer_inplace(
      out.it_->text.data(), out.it_->text.size(), pugi::parse_default | pugi::parse_doctype);
  if (!parsed)
    return tl::unexpected(no_message(std::string("no XML: ") + parsed.description() + " at byte " +
                                     std::to_string(parsed.offset)));
  const pugi::xml_node bad = find_node(out.it_->document, [](pugi::xml_node node, int depth) {
    return node.type() == pugi::node_doctype || depth >= kMaxXmlDepth;
  });
  if (bad.type() == pugi::node_doctype)
    return tl::unexpected(no_message("it has a document type, which none of ours has"));
  if (bad)
    return fail(Error::Kind::exhausted,
                "more than " + std::to_string(kMaxXmlDepth) + " elements in one another",
                "XML message");
  return out;
}

Result<SoapAnswer> SoapAnswer::parse(Message text) {
  auto document = XmlDocument::parse(std::move(text));
  if (!document) return tl::unexpected(document.error());
  SoapAnswer out(std::move(*document));
  const pugi::xml_node envelope = out.document_.root();
  const std::string_view version = namespace_of(envelope);
  if (local_name(envelope) != "Envelope" || (version != kEnvelope11 && version != kEnvelope12))
    return tl::unexpected(no_message("no envelope of SOAP 1.1 or 1.2"));
  out.header_ = child(envelope, "Header");
  out.body_ = child(envelope, "Body");
  if (!out.body_) return tl::unexpected(no_message("the envelope has no body"));
  const pugi::xml_node fault = child(out.body_, "Fault");
  if (fault && namespace_of(fault) == version)
    out.fault_ = version == kEnvelope11 ? read_fault_11(fault) : read_fault_12(fault);
  return out;
}

Error error_of(const SoapFault& fault, std::string where) {
  const std::string& code = fault.subcode.empty() ? fault.code : fault.subcode;
  return {Error::Kind::refused,
          "the server answers with a fault: " + (fault.text.empty() ? code : fault.text) +
              (fault.text.empty() || code.empty() ? "" : " (" + code + ")"),
          std::move(where),
          {}};
}

Result<SoapAnswer> call(HttpClient& client, const SoapCall& call, const SoapRequest& request,
                        std::stop_token stop) {
  const std::string where = client.url() + call.path;
  const auto message = request.encode();
  if (!message) return tl::unexpected(message.error());
  HttpRequest http{
      .path = call.path, .body = *message, .timeout = call.timeout, .repeatable = call.repeatable};
  if (request.version() == SoapVersion::v1_1) {
    http.fields = {{"Content-Type", "text/xml; charset=utf-8"},
                   {"SOAPAction", "\"" + call.action + "\""}};
  } else {
    // Without a blank, as WinRM documents it.
    const std::string action = call.action.empty() ? "" : ";action=\"" + call.action + "\"";
    http.fields = {{"Content-Type", "application/soap+xml;charset=UTF-8" + action}};
  }
  auto response = client.send(http, std::move(stop));
  if (!response) return tl::unexpected(response.error());
  // Faults come with 500, and with 400 by SOAP 1.2 where the sender is at fault.
  const int status = response->status;
  if (status != 200 && status != 400 && status != 500)
    return tl::unexpected(error_of_status(status, where));
  auto answer = SoapAnswer::parse(std::move(response->body));
  if (!answer && status != 200) return tl::unexpected(error_of_status(status, where));
  if (!answer) {
    Error error = answer.error();
    error.where = where;
    return tl::unexpected(std::move(error));
  }
  return answer;
}

}  // namespace vmirror::net
