// What a dissector tells of one frame, in a form that inventory, EVE and health fold without
// knowing the protocol:
//   a record  one message of a protocol, a tree of named fields ("dns": id 7, rrname "a.b", answers
//             [...])
//   a fact    one typed statement on an asset, with the field that it was read from
//             (52:54:00:12:34:56 has host_name "plc-7", source dhcp.host_name)
//   an act    what somebody does to somebody (10.0.0.1 writes to 10.0.0.2, source modbus.function)
//   a clock   the time that somebody's clock shows (10.0.0.2, source ntp.transmit_time)
// Facts is the buffer of one worker: dissectors append, the engine hands it to the sinks after each
// frame and clears it. Nothing in it is good after `clear()`. Bounded; what does not fit is
// counted.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plugin/base/address.hpp"
#include "plugin/base/clock.hpp"

namespace vmirror {

/// A typed value. Text and bytes are borrowed: from the frame, from a literal, or from Facts::keep.
struct Value {
  enum class Kind : std::uint8_t { boolean, number, signed_number, real, text, bytes, mac, ip };
  union {
    std::uint64_t number;  ///< boolean, number
    std::int64_t signed_number;
    double real;
    std::string_view text;    ///< text: UTF-8 is not promised; bytes: raw
    std::uint8_t octets[16];  ///< mac, ip
  };
  Kind kind = Kind::number;
  std::uint8_t ip_version = 0;  ///< ip only

  constexpr Value() : number(0) {}

  // Inline: with millions of fields a second, what is made in place counts.
  static Value of(bool v) {
    Value out;
    out.kind = Kind::boolean;
    out.number = v;
    return out;
  }
  static Value of(std::uint64_t v) {
    Value out;
    out.number = v;
    return out;
  }
  static Value of(std::int64_t v) {
    Value out;
    out.kind = Kind::signed_number;
    out.signed_number = v;
    return out;
  }
  static Value of(double v) {
    Value out;
    out.kind = Kind::real;
    out.real = v;
    return out;
  }
  static Value of(std::string_view v) {
    Value out;
    out.kind = Kind::text;
    out.text = v;
    return out;
  }
  static Value of(Bytes v) {
    Value out;
    out.kind = Kind::bytes;
    out.text = as_text(v);
    return out;
  }
  static Value of(const Mac& v) {
    Value out;
    out.kind = Kind::mac;
    std::memcpy(out.octets, v.octets.data(), v.octets.size());
    return out;
  }
  static Value of(const IpAddress& v) {
    Value out;
    out.kind = Kind::ip;
    out.ip_version = v.version;
    std::memcpy(out.octets, v.octets.data(), v.octets.size());
    return out;
  }
  Mac mac() const { return Mac::from(octets); }
  IpAddress ip() const {
    IpAddress out;
    out.version = ip_version;
    std::memcpy(out.octets.data(), octets, out.octets.size());
    return out;
  }
};
static_assert(sizeof(Value) == 24);

/// What a fact says of an asset. Inventory knows these, and no protocol.
enum class Attribute : std::uint8_t {
  ip_address,  ///< The asset with this MAC holds this address.
  host_name,   ///< DHCP, mDNS, LLDP, DNS
  vendor,      ///< As the device says itself.
  model,
  firmware,
  serial_number,
  description,
  router,   ///< boolean: it forwards for others.
  service,  ///< text: "_ipp._tcp", "modbus"
  order_number,
  hardware,  ///< Its revision.
  role,      ///< "domain_controller", "plc"
  station_name,
  operating_system,
  domain,
  count_,
};
/// "host_name"
const char* to_text(Attribute attribute);

/// Who answers below one IP address: a gateway's units, the slots of a rack, stations of a bus.
struct Station {
  enum class Kind : std::uint8_t { none, modbus_unit, cip_slot, dnp3_address, bacnet_address };
  Kind kind = Kind::none;
  std::uint32_t number = 0;
  bool operator==(const Station&) const = default;
};
/// "modbus_unit 7"; none: empty.
std::string to_text(const Station& station);

/// Whom a fact is about. Each may be absent; those that are there belong together.
struct Subject {
  Mac mac;               ///< Zero: not known.
  IpAddress ip;          ///< Empty: not known.
  Station station = {};  ///< none: the machine itself.
};

/// How sure a fact is.
enum class Confidence : std::uint8_t {
  guessed,  ///< Of how somebody behaves: a port, an order of options.
  implied,  ///< Of what a message shows without saying it: who answers as a server is one.
  stated,   ///< It says so itself, or who is responsible for it does.
};
/// "stated"
const char* to_text(Confidence confidence);

struct Fact {
  Subject subject;
  Attribute attribute;
  Value value;
  const char* source;  ///< "dhcp.host_name": protocol and field.
  Confidence confidence = Confidence::stated;
};

/// What somebody did to somebody: the same few things in every protocol, so that who judges acts
/// need know none.
struct Act {
  enum class Kind : std::uint8_t {
    read,
    write,
    start,
    stop,
    download,  ///< A program, or a part of one, to a controller.
    firmware,
    weak_authentication,     ///< A password in clear, none where one belongs, a broken method.
    refused_authentication,  ///< `on` refused `by`, who did not say the right secret or name.
    set_time,                ///< Of a device's clock.
    claim_address,    ///< `by` says on the link that `on`, a MAC and an address, belong together.
    serve_addresses,  ///< `by` gives `on`, a MAC, an address.
    count_,
  };
  Kind kind;
  Subject on;            ///< To whom.
  Subject by;            ///< Who did.
  const char* source;    ///< "s7comm.function"
  std::uint32_t record;  ///< The place among the frame's records of the message that did it.
};
/// "weak_authentication"
const char* to_text(Act::Kind kind);

/// What a message says of somebody's clock. Against the frame's time it tells how far it is off.
struct ClockReading {
  Subject of;          ///< Whose clock.
  Time shows;          ///< The time that it showed when the message was made; 0: not said.
  Subject refused_by;  ///< Who refuses it as too far off; empty: nobody.
  const char* source;  ///< "ntp.transmit_time": protocol and field. A literal.
};

struct Field {
  enum class Shape : std::uint8_t { leaf, open_object, open_array, close };
  Shape shape = Shape::leaf;
  const char* name = "";  ///< Empty for an element of an array.
  Value value;            ///< leaf only
};
static_assert(sizeof(Field) == 40);

/// The record of a fault: what is wrong with the message or the frame that was counted malformed.
/// Fields: type ("applayer", "decode"), app_proto of the former, event ("bad_length").
inline constexpr char kAnomaly[] = "anomaly";

/// One message of one protocol: fields [first, first + count) of the Facts that holds it.
struct Record {
  const char* protocol;
  std::uint32_t first;
  std::uint32_t count;
};

class Facts {
 public:
  /// What a frame has a bounded number of.
  enum class Part : std::uint8_t { fields, records, facts, acts, clocks, bytes, count_ };

  static constexpr std::size_t kMaxFields = 4096;   ///< of all records of a frame
  static constexpr std::size_t kMaxRecords = 256;   ///< of a frame
  static constexpr std::size_t kMaxFacts = 512;     ///< of a frame
  static constexpr std::size_t kMaxActs = 256;      ///< of a frame
  static constexpr std::size_t kMaxClocks = 16;     ///< of a frame
  static constexpr std::size_t kKeepBytes = 65536;  ///< of text made by dissectors, per frame

  Facts();

  // -- for dissectors --
  /// Begins a record; the fields that follow are its own. Closes what the last one left open.
  /// `protocol` must be a literal.
  void record(const char* protocol);
  /// A field of the current record (or of the object or array that is open). `name` must be a
  /// literal.
  template <typename T>
  void add(const char* name, T value) {
    if (has_room(1)) append(Field::Shape::leaf, name, Value::of(widen(value)));
  }
  void open_object(const char* name) { open(Field::Shape::open_object, name); }
  void open_array(const char* name) { open(Field::Shape::open_array, name); }
  void close();
  /// A statement on an asset. `source` must be a literal.
  template <typename T>
  void learn(const Subject& subject, Attribute attribute, T value, const char* source,
             Confidence confidence = Confidence::stated) {
    push({subject, attribute, Value::of(widen(value)), source, confidence});
  }
  /// What the message of the current record does. `source` must be a literal.
  void act(Act::Kind kind, const Subject& on, const Subject& by, const char* source);
  /// `of` shows `shows` (since 1970; what is not after that is none) in a message made just now.
  void clock(const Subject& of, Time shows, const char* source) {
    if (shows > 0) push(ClockReading{of, shows, {}, source});
  }
  /// `by` refuses `of` since its clock is too far off. `source` must be a literal.
  void clock_refused(const Subject& of, const Subject& by, const char* source) {
    push(ClockReading{of, 0, by, source});
  }
  /// Copies text into the frame's arena and returns the copy; shortened when the arena is full.
  std::string_view keep(std::string_view text);

  // -- for sinks --
  std::span<const Record> records() const { return records_; }
  std::span<const Field> fields(const Record& record) const {
    return {fields_.data() + record.first, record.count};
  }
  std::span<const Fact> facts() const { return facts_; }
  std::span<const Act> acts() const { return acts_; }
  std::span<const ClockReading> clocks() const { return clocks_; }
  bool empty() const {
    return records_.empty() && facts_.empty() && acts_.empty() && clocks_.empty();
  }
  /// Times that one of a part found no room since the start. What is there stays well nested.
  std::uint64_t overflowed(Part part) const { return overflowed_[place(part)]; }
  /// The most that one frame had, of those that were cleared.
  std::size_t most(Part part) const { return most_[place(part)]; }

  /// Forgets the frame. Keeps the memory.
  void clear();

 private:
  static constexpr auto kParts = static_cast<std::size_t>(Part::count_);
  static constexpr std::size_t place(Part part) { return static_cast<std::size_t>(part); }
  void overflow(Part part) { ++overflowed_[place(part)]; }
  template <typename T>
  static auto widen(const T& v) {
    if constexpr (std::is_same_v<T, bool>) {
      return v;
    } else if constexpr (std::is_enum_v<T> || std::is_unsigned_v<T>) {
      return static_cast<std::uint64_t>(v);
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<std::int64_t>(v);
    } else if constexpr (std::is_floating_point_v<T>) {
      return static_cast<double>(v);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
      return std::string_view(v);
    } else {
      return v;  // Bytes, Mac, IpAddress
    }
  }
  /// Room for a field is such that all that is open can still be closed. Counts where there is
  /// none.
  bool has_room(std::size_t fields) {
    if (in_record_ && refused_ == 0 && used_ + open_ + fields <= kMaxFields) return true;
    overflow(Part::fields);
    return false;
  }
  /// There is room. In place: a vector would make each field twice.
  void append(Field::Shape shape, const char* name, const Value& value) {
    Field& field = fields_[used_++];
    field.shape = shape;
    field.name = name;
    field.value = value;
    ++records_.back().count;
  }
  void open(Field::Shape shape, const char* name);
  void push(const Fact& fact);
  void push(const ClockReading& clock);

  std::vector<Field> fields_;  ///< kMaxFields
  std::size_t used_ = 0;       ///< Of `fields_`.
  std::vector<Record> records_;
  std::vector<Fact> facts_;
  std::vector<Act> acts_;
  std::vector<ClockReading> clocks_;
  std::vector<char> arena_;  ///< kKeepBytes
  std::size_t arena_used_ = 0;
  std::size_t open_ = 0;     ///< Objects and arrays of the current record that are open.
  std::size_t refused_ = 0;  ///< The same, of those that found no room.
  bool in_record_ = false;   ///< A record was begun and found room.
  std::array<std::uint64_t, kParts> overflowed_{};
  std::array<std::size_t, kParts> most_{};
};

}  // namespace vmirror
