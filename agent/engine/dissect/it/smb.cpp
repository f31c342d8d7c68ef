// [MS-SMB2], sections 2.1 (transport), 2.2 (messages); RFC 1002, section 4.3.1 (session packets).
//
//   field[n]: n bytes, little-endian but the first size
//
//   packet    | 0[1] | size[3] | messages |          0x81, 0x82, 0x85: NetBIOS's own
//   message   | fe "SMB" | 64[2] | charge[2] | status[4] | command[2] | credits[2] | flags[4] |
//             | next[4] | message ID[8] | 4 | tree[4] | session[8] | signature[16] | body |
//   encrypted | fd "SMB" | ...
//   SMB 1     | ff "SMB" | command[1] | status[4] | flags[1] | 22 | words[1] | words * 2 |
//             | bytes[2] | bytes |         [MS-CIFS], section 2.2.3; [MS-SMB], section 2.2.4
#include "agent/engine/dissect/it/smb.hpp"

#include "agent/engine/dissect/guid.hpp"
#include "agent/engine/dissect/it/spnego.hpp"
#include "agent/engine/dissect/text.hpp"
#include "agent/engine/dissect/times.hpp"

namespace vmirror {
namespace smb {
namespace {

constexpr std::size_t kSession = 4, kHead = 64;
constexpr std::uint32_t kMagic = 0xfe534d42, kEncrypted = 0xfd534d42, kCompressed = 0xfc534d42,
                        kVersion1 = 0xff534d42;
/// A longer message is a file's content; its front is read.
constexpr std::uint32_t kLong = 16384, kFront = 1024;
enum Command : std::uint16_t {
  kNegotiate = 0,
  kSessionSetup = 1,
  kTreeConnect = 3,
  kCreate = 5,
  kClose = 6,
  kRead = 8,
  kWrite = 9,
  kIoctl = 11,
};
constexpr Named kCommands[] = {{kNegotiate, "negotiate"},
                               {kSessionSetup, "session_setup"},
                               {2, "logoff"},
                               {kTreeConnect, "tree_connect"},
                               {4, "tree_disconnect"},
                               {kCreate, "create"},
                               {kClose, "close"},
                               {7, "flush"},
                               {kRead, "read"},
                               {kWrite, "write"},
                               {10, "lock"},
                               {kIoctl, "ioctl"},
                               {12, "cancel"},
                               {13, "echo"},
                               {14, "query_directory"},
                               {15, "change_notify"},
                               {16, "query_info"},
                               {17, "set_info"},
                               {18, "oplock_break"}};
constexpr std::uint32_t kTransceive = 0x0011c017;
constexpr std::uint8_t kPipeShare = 2;

/// Of a tree, and of a file: it is, or belongs to, the share of pipes.
struct Pipes {
  bool pipe;
};
std::uint64_t tree_key(std::uint32_t tree) {
  return std::uint64_t{1} << 48 | tree;
}
/// A file's 16 bits: what tells the pipes of a connection apart.
std::uint16_t file_of(Bytes id) {
  std::uint64_t sum = 0;
  for (const std::uint8_t byte : id) sum = (sum ^ byte) * 0x100000001b3;
  return static_cast<std::uint16_t>(sum >> 24);
}
std::uint64_t file_key(std::uint16_t file) {
  return std::uint64_t{2} << 48 | file;
}
bool is_pipe(const Context& context, std::uint64_t key) {
  const Pipes* pipes = context.has_state(key) ? context.state<Pipes>(key) : nullptr;
  return pipes != nullptr && pipes->pipe;
}

/// Of a connection whose tree was not seen: a file that is bound as only a pipe is.
bool is_bound(const SmbMessage& smb, const Context& context, Bytes data) {
  constexpr std::uint8_t kBind[] = {5, 0, 11, 3};  // DCE/RPC, whole.
  return !context.has_state(tree_key(smb.tree_id)) && data.size() > sizeof kBind &&
         std::equal(std::begin(kBind), std::end(kBind), data.begin());
}

/// `size` bytes at an offset from the message's head; nothing where they are not there.
Bytes at_offset(const SmbMessage& smb, std::size_t offset, std::size_t size) {
  if (offset < kHead || offset > smb.bytes.size() || size > smb.bytes.size() - offset) return {};
  return smb.bytes.subspan(offset, size);
}

/// SMB 1: what negotiation and session setup carry, by the number of words; nothing: none.
Bytes token_of_smb1(Bytes bytes, bool response) {
  constexpr std::size_t kWords = 32;
  constexpr std::uint8_t kNegotiate1 = 0x72, kSetup1 = 0x73;
  if (bytes.size() <= kWords) return {};
  const std::uint8_t command = bytes[4];
  const std::size_t words = bytes[kWords];
  Cursor cursor(bytes.subspan(kWords + 1));
  std::size_t size = 0, at = 0;  // `at`: in front of the token, behind the words.
  if (command == kSetup1 && words == (response ? 4 : 12)) {
    cursor.skip(response ? 6 : 14);
    size = cursor.le16();
    cursor.skip(words * 2 - (response ? 8 : 16) + 2);
  } else if (command == kNegotiate1 && response && words == 17) {
    constexpr std::size_t kGuid = 16;
    cursor.skip(words * 2);
    size = cursor.le16();
    at = kGuid;
    size -= std::min(size, kGuid);
  }
  cursor.skip(at);
  const Bytes token = cursor.take(size);
  return cursor.ok() ? token : Bytes();
}

void tell_request(const SmbMessage& smb, Cursor body, const Context& context, Facts& facts) {
  std::uint32_t about = 0;
  Bytes token;
  switch (smb.command) {
    case kSessionSetup: {
      body.skip(12);
      const std::uint16_t offset = body.le16(), size = body.le16();
      token = at_offset(smb, offset, size);
      break;
    }
    case kTreeConnect: {
      body.skip(4);
      const std::uint16_t offset = body.le16(), size = body.le16();
      facts.add("share", utf16_text(at_offset(smb, offset, size), facts));
      break;
    }
    case kCreate: {
      body.skip(44);
      const std::uint16_t offset = body.le16(), size = body.le16();
      facts.add("filename", utf16_text(at_offset(smb, offset, size), facts));
      break;
    }
    case kRead:
      body.skip(16);
      about = file_of(body.take(16));
      break;
    case kWrite: {
      body.le16();
      const std::uint16_t offset = body.le16();
      const std::uint32_t size = body.le32();
      body.skip(8);
      const std::uint16_t file = file_of(body.take(16));
      if (!body.ok()) break;
      const Bytes data = at_offset(smb, offset, size);
      if (is_bound(smb, context, data))
        if (Pipes* pipes = context.state<Pipes>(file_key(file))) pipes->pipe = true;
      if (is_pipe(context, file_key(file))) context.hand_down(kSmbPipe, data, facts, file);
      break;
    }
    case kIoctl: {
      body.le32();
      const std::uint32_t code = body.le32();
      const std::uint16_t file = file_of(body.take(16));
      const std::uint32_t offset = body.le32(), size = body.le32();
      if (!body.ok() || code != kTransceive) break;
      about = file;
      context.hand_down(kSmbPipe, at_offset(smb, offset, size), facts, file);
      break;
    }
    default:
      break;
  }
  context.ask(smb.message_id, about, smb.command);
  hand_down_gss(token, context, facts);
}

void tell_response(const SmbMessage& smb, Cursor body, const Context& context,
                   const std::optional<Request>& request, Facts& facts) {
  switch (smb.command) {
    case kNegotiate: {
      body.le32();
      facts.add("dialect_revision", body.le16());
      body.le16();
      facts.add("server_guid", guid_text(body.take(16), facts));
      body.skip(16);
      const std::uint64_t system_time = body.le64();
      body.skip(8);
      if (body.ok())
        facts.clock(context.sender(), filetime(system_time).value_or(0), "smb.system_time");
      const std::uint16_t offset = body.le16(), size = body.le16();
      hand_down_gss(at_offset(smb, offset, size), context, facts);
      break;
    }
    case kSessionSetup: {
      body.le32();
      const std::uint16_t offset = body.le16(), size = body.le16();
      hand_down_gss(at_offset(smb, offset, size), context, facts);
      break;
    }
    case kTreeConnect:
      body.le16();
      if (Pipes* tree = context.state<Pipes>(tree_key(smb.tree_id)))
        tree->pipe = body.u8() == kPipeShare;
      break;
    case kCreate: {
      body.skip(64);
      const Bytes id = body.take(16);
      if (!body.ok() || !is_pipe(context, tree_key(smb.tree_id))) break;
      if (Pipes* file = context.state<Pipes>(file_key(file_of(id)))) file->pipe = true;
      break;
    }
    case kRead: {
      body.le16();
      const std::uint8_t offset = body.u8();
      body.u8();
      const std::uint32_t size = body.le32();
      if (body.ok() && request &&
          is_pipe(context, file_key(static_cast<std::uint16_t>(request->a))))
        context.hand_down(kSmbPipe, at_offset(smb, offset, size), facts, request->a);
      break;
    }
    case kIoctl: {
      body.le32();
      const std::uint32_t code = body.le32();
      const std::uint16_t file = file_of(body.take(16));
      body.skip(8);
      const std::uint32_t offset = body.le32(), size = body.le32();
      if (body.ok() && code == kTransceive && size > 0)
        context.hand_down(kSmbPipe, at_offset(smb, offset, size), facts, file);
      break;
    }
    default:
      break;
  }
}

/// MS-ERREF: a wrong name or password, an account that is restricted, disabled, expired or locked.
bool is_refused_logon(std::uint32_t status) {
  return (status >= 0xc000006d && status <= 0xc0000072) || status == 0xc0000193 ||
         status == 0xc0000234;
}

void tell(const SmbMessage& smb, const Context& context, Facts& facts) {
  facts.record("smb");
  facts.add("dialect", "2");
  tell_named(facts, "command", kCommands, smb.command);
  facts.add("type", smb.is_response() ? "response" : "request");
  facts.add("message_id", smb.message_id);
  facts.add("session_id", smb.session_id);
  facts.add("tree_id", smb.tree_id);
  const Cursor body(smb.bytes.subspan(kHead));
  if (!smb.is_response()) return tell_request(smb, body, context, facts);
  facts.add("status", smb.status);
  constexpr std::uint32_t kPending = 0x103;
  if (smb.status == kPending) return;
  const auto request = context.answer(smb.message_id);
  if (request) facts.add("latency_us", context.latency_us(*request));
  facts.learn(context.sender(), Attribute::service, "smb", "smb.command", Confidence::implied);
  if (smb.command == kSessionSetup && is_refused_logon(smb.status))
    facts.act(Act::Kind::refused_authentication, context.sender(), context.receiver(),
              "smb.status");
  constexpr std::uint32_t kError = 0xc0000000, kMoreToCome = 0xc0000016;
  if ((smb.status & kError) != kError || smb.status == kMoreToCome)
    tell_response(smb, body, context, request, facts);
}

Outcome dissect(Bytes packet, const Context& context, Facts& facts) {
  if (packet.size() < kSession + 4) return Malformed::truncated;
  Bytes bytes = packet.subspan(kSession);
  const std::uint32_t magic = load_be32(bytes.data());
  if (packet[0] != 0) return Malformed::none;
  if (magic == kEncrypted || magic == kCompressed || magic == kVersion1) {
    facts.record("smb");
    facts.add("dialect", magic == kVersion1    ? "1"
                         : magic == kEncrypted ? "encrypted"
                                               : "compressed");
    if (magic != kVersion1 || bytes.size() < 10) return Malformed::none;
    facts.add("command", keep_number(facts, "", bytes[4]));
    const bool response = (bytes[9] & 0x80) != 0;
    facts.add("type", response ? "response" : "request");
    if (response && bytes[4] == 0x72)
      facts.act(Act::Kind::weak_authentication, context.sender(), context.receiver(),
                "smb.dialect");
    hand_down_gss(token_of_smb1(bytes, response), context, facts);
    return Malformed::none;
  }
  while (true) {
    const auto smb = parse_smb(bytes);
    if (!smb) return smb.error();
    tell(*smb, context, facts);
    if (smb->next == 0) return Malformed::none;
    if (smb->next < kHead || smb->next > bytes.size()) return Malformed::bad_length;
    bytes = bytes.subspan(smb->next);
  }
}

bool is_magic(std::uint32_t magic) {
  return magic == kMagic || magic == kEncrypted || magic == kCompressed || magic == kVersion1;
}

Framing frame(Bytes stream, const Context&) {
  const std::uint8_t type = stream[0];
  const bool netbios = type == 0x81 || type == 0x82 || type == 0x83 || type == 0x85;
  if (type != 0 && !netbios) return Framing::lost();
  if (stream.size() < kSession) return Framing::more();
  const std::uint32_t size = kSession + (load_be32(stream.data()) & 0xffffff);
  if (netbios) return Framing::message(size);
  if (stream.size() < kSession + 4) return Framing::more();
  if (!is_magic(load_be32(&stream[kSession]))) return Framing::lost();
  return Framing::message(size, size > kLong ? kFront : Framing::kAll);
}

Probe probe(Bytes stream, const Context& context) {
  if (stream.empty()) return Probe::maybe;
  const Framing framing = frame(stream, context);
  if (framing.status == Framing::Status::lost) return Probe::no;
  if (framing.status == Framing::Status::more) return Probe::maybe;
  if (stream[0] != 0) return context.at_own_port ? Probe::yes : Probe::no;
  const Bytes message = stream.subspan(kSession);
  if (load_be32(message.data()) == kMagic && message.size() >= 20)
    return (message[16] & 1) != 0 ? Probe::server : Probe::client;
  return Probe::yes;
}

constexpr Place kAt[] = {445, 139};
constexpr Place kHandsDown[] = {kSmbPipe, kGssToken, kNtlmToken};

}  // namespace
}  // namespace smb

Parsed<SmbMessage> parse_smb(Bytes bytes) {
  Cursor cursor(bytes);
  const std::uint32_t magic = cursor.u32();
  if (bytes.size() >= 4 && magic != smb::kMagic) return bad(Malformed::bad_value);
  SmbMessage out;
  const std::uint16_t size = cursor.le16();
  cursor.skip(2);
  out.status = cursor.le32();
  out.command = cursor.le16();
  cursor.skip(2);
  out.flags = cursor.le32();
  out.next = cursor.le32();
  out.message_id = cursor.le64();
  cursor.le32();
  const std::uint32_t tree = cursor.le32();
  out.session_id = cursor.le64();
  cursor.skip(16);
  if (!cursor.ok()) return bad(Malformed::truncated);
  if (size != smb::kHead) return bad(Malformed::bad_value);
  if ((out.flags & 2) == 0) out.tree_id = tree;
  out.bytes = out.next >= smb::kHead && out.next <= bytes.size() ? bytes.first(out.next) : bytes;
  return out;
}

const Dissector kSmb{.name = "smb",
                     .carrier = Carrier::stream,
                     .at = smb::kAt,
                     .hands_down = smb::kHandsDown,
                     .probe = smb::probe,
                     .frame = smb::frame,
                     .dissect = smb::dissect};

}  // namespace vmirror
