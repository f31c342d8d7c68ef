// A filter expression of libpcap (pcap-filter(7)) over the frames of capture files.
#pragma once

#include <functional>
#include <string>

#include "agent/model/frame.hpp"
#include "plugin/base/result.hpp"

namespace vmirror {

/// Whether the expression takes a frame, as its bytes are in the file: what is encapsulated is not
/// seen. It takes no frame of a link type for which it makes no sense (`ether host` on raw IP).
/// Error::Kind::invalid: it makes sense for no link type.
Result<std::function<bool(const Frame&)>> make_bpf_filter(const std::string& expression);

}  // namespace vmirror
