#include "agent/engine/capture/link.hpp"

namespace vmirror {
namespace {

struct Name {
  std::uint32_t linktype;
  const char* name;
};
/// The link types of common captures, by the names in tcpdump.org's list.
constexpr Name kNames[] = {{6, "IEEE802_5"},
                           {9, "PPP"},
                           {10, "FDDI"},
                           {50, "PPP_HDLC"},
                           {51, "PPP_ETHER"},
                           {100, "ATM_RFC1483"},
                           {104, "C_HDLC"},
                           {105, "IEEE802_11"},
                           {107, "FRELAY"},
                           {117, "PFLOG"},
                           {119, "IEEE802_11_PRISM"},
                           {122, "IP_OVER_FC"},
                           {127, "IEEE802_11_RADIOTAP"},
                           {138, "APPLE_IP_OVER_IEEE1394"},
                           {140, "MTP2"},
                           {143, "DOCSIS"},
                           {147, "USER0"},
                           {163, "IEEE802_11_AVS"},
                           {187, "BLUETOOTH_HCI_H4"},
                           {189, "USB_LINUX"},
                           {192, "PPI"},
                           {195, "IEEE802_15_4_WITHFCS"},
                           {201, "BLUETOOTH_HCI_H4_WITH_PHDR"},
                           {220, "USB_LINUX_MMAPPED"},
                           {224, "FC_2"},
                           {227, "CAN_SOCKETCAN"},
                           {230, "IEEE802_15_4_NOFCS"},
                           {239, "NFLOG"},
                           {240, "NETANALYZER"},
                           {241, "NETANALYZER_TRANSPARENT"},
                           {242, "IPOIB"},
                           {247, "INFINIBAND"},
                           {249, "USBPCAP"},
                           {251, "BLUETOOTH_LE_LL"},
                           {252, "WIRESHARK_UPPER_PDU"},
                           {253, "NETLINK"},
                           {258, "PKTAP"},
                           {272, "NORDIC_BLE"},
                           {274, "ETHERNET_MPACKET"}};

}  // namespace

std::string linktype_text(std::uint32_t linktype) {
  for (const Name& each : kNames)
    if (each.linktype == linktype) return std::to_string(linktype) + " (" + each.name + ")";
  return std::to_string(linktype);
}

}  // namespace vmirror
