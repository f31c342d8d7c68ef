// Assets as NetBox imports them: the CSV of its form "IP addresses, Import".
#pragma once

#include <boost/json.hpp>
#include <string>

namespace vmirror {

/// The host names of an asset of /v1/assets, in its order, each once.
boost::json::array host_names(const boost::json::object& asset);

/// A line for each address of each asset of /v1/assets, with the columns `address`, `status`,
/// `dns_name`, `description` of NetBox's form (IPAddressImportForm of its ipam/forms). Link-local
/// addresses are left out: IPAM plans none. The prefix is a host's (/32, /128), for frames tell no
/// other; `dns_name` is the first host name that NetBox's field takes (letters, digits, `-`, `_`
/// and dots); `description`, of 200 characters at most, has the MAC, the vendor, the VM, the VLANs
/// and the names. Quoted as in RFC 4180. Pure.
std::string netbox_csv(const boost::json::array& assets);

}  // namespace vmirror
