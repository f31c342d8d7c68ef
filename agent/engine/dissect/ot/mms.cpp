// ISO 9506-2 (MMS); what it goes in: ITU-T X.225 (session), X.226 (presentation), X.227 (ACSE).
//
//   session       | 1 0 1 0 | presentation                  data: give tokens, data transfer
//                 | 0x0d, 0x0e[1] | size[1 or 0xff and 2] | parameters |    connect, accept
//   parameter     | code[1] | size[1 or 3] | value |        c1: user data, the presentation's
//   presentation  [APPLICATION 1] of SEQUENCE of (SEQUENCE: context 2, [0] the PDU)
//                 SET of ..., [2] of (..., [APPLICATION 1] ...)             connect
//   Some speak without all of it: the PDU is right behind COTP.
//   ACSE          [APPLICATION 0, 1] of ..., [30] of (EXTERNAL: ..., [0] the PDU)
//   read          [0] boolean, [1] of variables        write  variables, [0] of values
//   variables     [0] of (SEQUENCE: [0] name)..., or [1] name of a list
//   name          [0] text, or [1] of (domain text, item text), or [2] text
//   name list     [0] of class, [1] of ([0] all, or [1] domain, or [2]); answered: [0] of text...
//   identity      [0] vendor, [1] model, [2] revision
#include "agent/engine/dissect/ot/mms.hpp"

#include "agent/engine/dissect/ber.hpp"
#include "agent/engine/dissect/ot/cotp.hpp"
#include "agent/engine/dissect/text.hpp"

namespace vmirror {
namespace mms {
namespace {

constexpr int kMaxMmsNames = 16;
constexpr std::uint32_t kUserData = 0x61, kSequence = 0x30, kSet = 0x31, kContent = 0xa0;
enum Type : std::uint32_t {
  kRequest = 0xa0,
  kResponse = 0xa1,
  kConfirmedError = 0xa2,
  kUnconfirmed = 0xa3,
  kReject = 0xa4,
  kInitiateRequest = 0xa8,
  kInitiateResponse = 0xa9,
};
constexpr Named kTypes[] = {{kRequest, "confirmed_request"},
                            {kResponse, "confirmed_response"},
                            {kConfirmedError, "confirmed_error"},
                            {kUnconfirmed, "unconfirmed"},
                            {kReject, "reject"},
                            {0xa5, "cancel_request"},
                            {0xa6, "cancel_response"},
                            {0xa7, "cancel_error"},
                            {kInitiateRequest, "initiate_request"},
                            {kInitiateResponse, "initiate_response"},
                            {0xaa, "initiate_error"},
                            {0x8b, "conclude_request"},
                            {0x8c, "conclude_response"},
                            {0xad, "conclude_error"}};
enum Service : std::uint32_t {
  kNameList = 1,
  kIdentify = 2,
  kReadService = 4,
  kWriteService = 5,
  kFileOpen = 72,
  kFileDelete = 76,
};
/// By the number of the service's tag.
constexpr Named kServices[] = {{0, "status"},
                               {1, "get_name_list"},
                               {2, "identify"},
                               {3, "rename"},
                               {4, "read"},
                               {5, "write"},
                               {6, "get_variable_access_attributes"},
                               {7, "define_named_variable"},
                               {11, "define_named_variable_list"},
                               {12, "get_named_variable_list_attributes"},
                               {13, "delete_named_variable_list"},
                               {26, "initiate_download_sequence"},
                               {27, "download_segment"},
                               {28, "terminate_download_sequence"},
                               {29, "initiate_upload_sequence"},
                               {30, "upload_segment"},
                               {40, "start"},
                               {41, "stop"},
                               {42, "resume"},
                               {43, "reset"},
                               {44, "kill"},
                               {65, "read_journal"},
                               {72, "file_open"},
                               {73, "file_read"},
                               {74, "file_close"},
                               {75, "file_rename"},
                               {76, "file_delete"},
                               {77, "file_directory"}};
constexpr Named kUnconfirmedServices[] = {
    {0, "information_report"}, {1, "unsolicited_status"}, {2, "event_notification"}};

std::uint32_t number_of(std::uint32_t tag) {
  return tag > 0xff ? tag & 0xffffff : tag & 0x1f;
}

/// A session's parameter c1 among those of a connect or an accept.
Bytes user_data(Cursor cursor) {
  while (!cursor.empty() && cursor.ok()) {
    const std::uint8_t code = cursor.u8();
    std::size_t size = cursor.u8();
    if (size == 0xff) size = cursor.u16();
    const Bytes value = cursor.take(size);
    if (code == 0xc1) return value;
  }
  return {};
}

/// The contents of the first element of this tag in `bytes`; empty: there is none.
Bytes first_of(Bytes bytes, std::uint32_t tag) {
  for (BerReader reader(bytes); !reader.empty() && reader.ok();)
    if (const BerElement element = reader.next(); element.tag == tag) return element.value;
  return {};
}

/// What the presentation carries, out of its list of values.
Bytes content_of(Bytes list) {
  return first_of(first_of(list, kSequence), kContent);
}

/// The association's user information.
Bytes association(Bytes acse) {
  const BerElement message = BerReader(acse).next();
  return first_of(first_of(first_of(message.value, 0xbe), 0x28), kContent);
}

Parsed<std::optional<MmsMessage>> parse_pdu(Bytes pdu) {
  MmsMessage out;
  BerReader reader(pdu);
  const BerElement element = reader.next();
  if (!reader.ok()) return bad(Malformed::truncated);
  out.type = element.tag;
  BerReader inside(element.value);
  if (out.type == kRequest || out.type == kResponse || out.type == kConfirmedError) {
    const BerElement id = inside.next();
    out.invoke_id = ber_unsigned(id.value);
    if (!inside.empty()) {  // Some answer with the ID alone.
      const BerElement service = inside.next();
      out.service = service.tag;
      out.detail = service.value;
    }
  } else if (out.type == kUnconfirmed) {
    const BerElement service = inside.next();
    out.service = service.tag;
    out.detail = service.value;
  }
  if (!inside.ok()) return bad(Malformed::bad_length);
  return out;
}

/// An object's name: "LD0/XCBR1$ST$Pos", or "mu" of the whole device. `bytes`: its choice.
std::string_view object_name(Bytes bytes, Facts& facts) {
  const BerElement name = BerReader(bytes).next();
  if (name.tag != 0xa1) return text_of(name.value);
  BerReader parts(name.value);
  const std::string_view domain = text_of(parts.next().value), item = text_of(parts.next().value);
  return ShortText().add(domain).add("/").add(item).kept(facts);
}

/// Names that every ICCP server has (IEC 60870-6-503), behind a domain where they have one.
bool is_iccp(std::string_view name) {
  constexpr std::string_view kNames[] = {"TASE2_Version", "Bilateral_Table_ID",
                                         "Supported_Features"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view each) {
    return name == each || (name.ends_with(each) && name[name.size() - each.size() - 1] == '/');
  });
}

/// `access`: a variable access specification; `on`: whose variables they are.
void tell_variables(const BerElement& access, const Subject& on, Facts& facts) {
  bool iccp = false;
  facts.open_array("variables");
  if (access.tag == 0xa1) {
    facts.add("", object_name(access.value, facts));
  } else {
    int told = 0;
    for (BerReader list(access.value); !list.empty() && list.ok() && told < kMaxMmsNames; ++told) {
      const BerElement variable = list.next();
      const Bytes name = first_of(variable.value, kContent);
      if (variable.tag != kSequence || name.empty()) continue;
      const std::string_view text = object_name(name, facts);
      facts.add("", text);
      iccp = iccp || is_iccp(text);
    }
  }
  facts.close();
  if (iccp) facts.learn(on, Attribute::service, "iccp", "mms.variables", Confidence::implied);
}

void tell_name_list_request(Bytes detail, Facts& facts) {
  constexpr Named kClasses[] = {
      {0, "named_variable"}, {1, "scattered_access"},    {2, "named_variable_list"},
      {3, "named_type"},     {4, "semaphore"},           {5, "event_condition"},
      {6, "event_action"},   {7, "event_enrollment"},    {8, "journal"},
      {9, "domain"},         {10, "program_invocation"}, {11, "operator_station"}};
  const Bytes object = first_of(first_of(detail, 0xa0), 0x80);
  if (const auto number = ber_unsigned(object))
    tell_named(facts, "object_class", kClasses, static_cast<std::uint32_t>(*number));
  const Bytes domain = first_of(first_of(detail, 0xa1), 0x81);
  if (!domain.empty()) facts.add("domain", text_of(domain));
}

void tell_names(Bytes detail, Facts& facts) {
  std::size_t count = 0;
  facts.open_array("names");
  for (BerReader list(first_of(detail, 0xa0)); !list.empty() && list.ok(); ++count) {
    const BerElement name = list.next();
    if (list.ok() && count < kMaxMmsNames) facts.add("", text_of(name.value));
  }
  facts.close();
  facts.add("name_count", count);
}

void tell_identity(Bytes detail, const Context& context, Facts& facts) {
  const struct {
    std::uint32_t tag;
    const char *name, *source;
    Attribute attribute;
  } parts[] = {{0x80, "vendor", "mms.identify.vendor", Attribute::vendor},
               {0x81, "model", "mms.identify.model", Attribute::model},
               {0x82, "revision", "mms.identify.revision", Attribute::firmware}};
  facts.open_object("identity");
  for (const auto& part : parts) facts.add(part.name, text_of(first_of(detail, part.tag)));
  facts.close();
  for (const auto& part : parts)
    if (const std::string_view text = text_of(first_of(detail, part.tag)); !text.empty())
      facts.learn(context.sender(), part.attribute, text, part.source);
}

/// How many values a read's answer has, and how many of these are failures.
void tell_results(Bytes detail, Facts& facts) {
  std::size_t count = 0, failed = 0;
  for (BerReader list(first_of(detail, 0xa1)); !list.empty() && list.ok(); ++count)
    if (list.next().tag == 0x80) ++failed;
  facts.add("results", count);
  if (failed > 0) facts.add("failures", failed);
}

/// What a service says besides its name.
void tell_detail(const MmsMessage& mms, std::uint32_t number, const Context& context,
                 Facts& facts) {
  const bool request = mms.type == kRequest;
  if (mms.type == kUnconfirmed) {
    if (number == 0) tell_variables(BerReader(mms.detail).next(), context.sender(), facts);
    return;
  }
  if (number == kReadService && request) {
    tell_variables(BerReader(first_of(mms.detail, 0xa1)).next(), context.receiver(), facts);
  } else if (number == kReadService) {
    tell_results(mms.detail, facts);
  } else if (number == kWriteService && request) {
    tell_variables(BerReader(mms.detail).next(), context.receiver(), facts);
  } else if (number == kNameList) {
    request ? tell_name_list_request(mms.detail, facts) : tell_names(mms.detail, facts);
  } else if (number == kIdentify && !request) {
    tell_identity(mms.detail, context, facts);
  } else if (number == kFileOpen && request) {
    facts.add("file", text_of(BerReader(first_of(mms.detail, 0xa0)).next().value));
  }
}

void tell_service(const MmsMessage& mms, const Context& context, Facts& facts) {
  if (mms.type == kConfirmedError || mms.service == 0) return;
  const std::uint32_t number = number_of(mms.service);
  if (mms.type == kUnconfirmed)
    tell_named(facts, "service", kUnconfirmedServices, number);
  else
    tell_named(facts, "service", kServices, number);
  tell_detail(mms, number, context, facts);
  if (mms.type != kRequest) return;
  const auto act = [&](Act::Kind kind) {
    facts.act(kind, context.receiver(), context.sender(), "mms.service");
  };
  if (number == kReadService) act(Act::Kind::read);
  if (number == kWriteService || number == kFileDelete) act(Act::Kind::write);
  if (number == 26) act(Act::Kind::download);
  if (number == 40 || number == 42) act(Act::Kind::start);
  if (number == 41 || number == 44) act(Act::Kind::stop);
}

Outcome dissect(Bytes bytes, const Context& context, Facts& facts) {
  const auto mms = parse_mms(bytes);
  if (!mms) return mms.error();
  if (!*mms) return Malformed::none;
  facts.record("mms");
  tell_named(facts, "type", kTypes, (*mms)->type);
  if ((*mms)->invoke_id) facts.add("invoke_id", *(*mms)->invoke_id);
  tell_service(**mms, context, facts);
  const std::uint32_t type = (*mms)->type;
  if (type == kRequest && (*mms)->invoke_id) context.ask(*(*mms)->invoke_id);
  if (type == kResponse && (*mms)->invoke_id)
    if (const auto request = context.answer(*(*mms)->invoke_id))
      facts.add("latency_us", context.latency_us(*request));
  if (type == kResponse || type == kInitiateResponse)
    facts.learn(context.sender(), Attribute::service, "mms", "mms.type", Confidence::implied);
  return Malformed::none;
}

/// Without a session: a PDU to the last byte, that begins as its type must.
bool is_bare(Bytes bytes, const MmsMessage& mms) {
  if (ber_size(bytes).size != bytes.size()) return false;
  if (mms.type == kRequest || mms.type == kResponse)
    return mms.invoke_id && *mms.invoke_id <= 0xffffffff && mms.service != 0;
  const bool initiate = mms.type == kInitiateRequest || mms.type == kInitiateResponse;
  const std::uint32_t first = BerReader(BerReader(bytes).next().value).next().tag;
  return initiate && (first == 0x80 || first == 0x81);
}

Probe probe(Bytes bytes, const Context&) {
  const auto mms = parse_mms(bytes);
  if (!mms || !*mms) return Probe::no;
  if (bytes[0] >= 0x80 && !is_bare(bytes, **mms)) return Probe::no;
  return name_of(kTypes, (*mms)->type) != nullptr ? Probe::yes : Probe::no;
}

constexpr Place kAt[] = {kCotpData};

}  // namespace
}  // namespace mms

Parsed<std::optional<MmsMessage>> parse_mms(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint8_t type = cursor.u8();
  if (bytes.empty()) return bad(Malformed::truncated);
  if (type == 1) {
    const std::uint8_t size = cursor.u8();
    cursor.skip(size);
    const std::uint8_t data = cursor.u8();
    cursor.skip(cursor.u8());
    if (!cursor.ok()) return bad(Malformed::truncated);
    if (data != 1) return bad(Malformed::bad_value);
    BerReader reader(cursor.rest());
    const BerElement user = reader.next();
    if (!reader.ok()) return bad(Malformed::truncated);
    if (user.tag != mms::kUserData) return bad(Malformed::bad_value);
    const Bytes pdu = mms::content_of(user.value);
    if (pdu.empty()) return std::nullopt;
    if ((pdu[0] & 0xc0) == 0x40) return std::nullopt;  // ACSE: a release.
    return mms::parse_pdu(pdu);
  }
  if (name_of(mms::kTypes, type) != nullptr) return mms::parse_pdu(bytes);  // Without a session.
  if (type != 0x0d && type != 0x0e) {
    constexpr Named kOthers[] = {{0x09, "finish"},
                                 {0x0a, "disconnect"},
                                 {0x0c, "refuse"},
                                 {0x19, "abort"},
                                 {0x1a, "abort_accept"}};
    return name_of(kOthers, type) ? Parsed<std::optional<MmsMessage>>(std::nullopt)
                                  : bad(Malformed::bad_value);
  }
  std::size_t size = cursor.u8();
  if (size == 0xff) size = cursor.u16();
  const Bytes presentation = mms::user_data(cursor.sub(size));
  if (!cursor.ok()) return bad(Malformed::truncated);
  const Bytes mode = mms::first_of(mms::first_of(presentation, mms::kSet), 0xa2);
  const Bytes pdu = mms::association(mms::content_of(mms::first_of(mode, mms::kUserData)));
  if (pdu.empty()) return std::nullopt;
  return mms::parse_pdu(pdu);
}

const Dissector kMms{.name = "mms",
                     .carrier = Carrier::inside,
                     .at = mms::kAt,
                     .probe = mms::probe,
                     .dissect = mms::dissect};

}  // namespace vmirror
