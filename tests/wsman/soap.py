"""Envelopes of WS-Management: a Request read from bytes, answers and faults written.

    <s:Envelope><s:Header> To, ResourceURI, ReplyTo, Action, MessageID, MaxEnvelopeSize, OperationTimeout, SelectorSet
    </s:Header><s:Body>...</s:Body></s:Envelope>

Sources: DSP0226 (WS-Management), MS-WSMV (its faults and limits), wsmerror.h (the numbers of WSManFault).
"""

import re
import uuid
from typing import NamedTuple, Optional

from lxml import etree

import cim
from cim import ADDRESSING, ANONYMOUS, WSMAN

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
EVENTING = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
MS_WSMAN = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
MS_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"
PREFIXES = {"s": SOAP, "a": ADDRESSING, "x": TRANSFER, "n": ENUMERATION, "e": EVENTING, "w": WSMAN, "p": MS_WSMAN}
LEAST_ENVELOPE = 8192

S, A, W, N, E = ("{%s}" % one for one in (SOAP, ADDRESSING, WSMAN, ENUMERATION, EVENTING))
# The actions of faults, by the prefix of the subcode.
FAULT_ACTIONS = {"w": "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", "a": ADDRESSING + "/fault",
                 "n": ENUMERATION + "/fault", "e": EVENTING + "/fault", "x": TRANSFER + "/fault"}


class Fault(Exception):
    """`kind` is a key of FAULTS; `text` in place of its own text; `provider` wraps it as one of the WMI provider."""

    def __init__(self, kind, text="", provider=False):
        self.kind = kind
        self.side, self.subcode, self.detail, self.code, own = FAULTS[kind]
        self.text = text or own
        self.provider = provider
        super().__init__(self.text)


BASE = 0x80338000
FAULTS = {  # Sender or Receiver, subcode, w:FaultDetail, Code of WSManFault, text
    "access denied": ("Sender", "w:AccessDenied", "", 5, "Access is denied."),
    "action": ("Sender", "a:ActionNotSupported", "", BASE + 0x13,
               "The action is not one that the service supports."),
    "header missing": ("Sender", "a:MessageInformationHeaderRequired", "", BASE + 0x11,
                       "The request lacks a SOAP header that is needed."),
    "header": ("Sender", "a:InvalidMessageInformationHeader", "", BASE + 0x0F,
               "The request has a SOAP header that is not valid."),
    "must understand": ("MustUnderstand", "", "", BASE + 0x10, "A header that must be understood is not known."),
    "resource": ("Sender", "a:DestinationUnreachable", DETAIL + "InvalidResourceURI", BASE + 0x3B,
                 "The resource URI is missing or has a wrong format."),
    "not found": ("Sender", "a:DestinationUnreachable", "", BASE,
                  "The service cannot find the resource identified by the resource URI and selectors."),
    "selectors": ("Sender", "w:InvalidSelectors", "", BASE + 0x3D, "The selectors for the resource are not valid."),
    "keys": ("Sender", "w:InvalidSelectors", DETAIL + "InsufficientSelectors", 2150859002,
             "The resource URI is not valid: it does not contain keys, but the class selected is not a singleton."),
    "xml": ("Sender", "w:SchemaValidationError", "", BASE + 0x43, "The XML is invalid."),
    "body": ("Sender", "w:SchemaValidationError", "", BASE + 0x27, "The request does not have a valid SOAP body."),
    "parameter": ("Sender", "w:InvalidParameter", "", BASE + 0x3A, "A parameter for the operation is not valid."),
    "small envelope": ("Sender", "w:EncodingLimit", DETAIL + "MinimumEnvelopeLimit", BASE + 0x35,
                       "MaxEnvelopeSize is under 8192."),
    "large envelope": ("Sender", "w:EncodingLimit", DETAIL + "MaxEnvelopeSize", BASE + 0x47,
                       "The maximum envelope size in the request is too large."),
    "answer too large": ("Sender", "w:EncodingLimit", DETAIL + "MaxEnvelopeSizeExceeded", BASE + 0x48,
                         "The response that the service computed exceeds the maximum envelope size in the request."),
    "dialect": ("Sender", "n:FilterDialectRequestedUnavailable", "", BASE + 0x19,
                "The filter dialect is not supported for this resource."),
    "wql uri": ("Sender", "a:DestinationUnreachable", "", 2150859003,
                "The resource URI of a query in WQL is that of the namespace, and ends in /*."),
    "filter": ("Sender", "n:CannotProcessFilter", "", BASE + 0x1A,
               "The data source could not process the filter. It might be missing or invalid."),
    "context": ("Receiver", "n:InvalidEnumerationContext", "", BASE + 0x1B,
                "The enumeration context is not valid. The enumeration may have been completed or canceled."),
    "timed out": ("Receiver", "w:TimedOut", "", BASE + 0x29,
                  "The service cannot complete the operation within the time specified in OperationTimeout."),
    "quota": ("Receiver", "w:InternalError", "", 2150859174,
              "The maximum number of concurrent operations for this user has been exceeded."),
    "delivery": ("Sender", "e:DeliveryModeRequestedUnavailable", "", BASE + 0x1E,
                 "The service does not support the delivery mode for the resource."),
    "event filter": ("Sender", "e:FilteringRequestedUnavailable", "", BASE + 0x22,
                     "The event source cannot process the specified filter."),
    "renew": ("Receiver", "e:UnableToRenew", "", BASE + 0x24, "The service cannot renew the event subscription."),
    "unsupported": ("Sender", "w:UnsupportedFeature", "", BASE + 0x42, "The feature is not supported."),
    "internal": ("Receiver", "w:InternalError", "", 1359, "An internal error occurred."),
}


class Request(NamedTuple):
    """`selectors` is name -> text or Path; times in seconds, sizes in bytes; `body` is the first element, or None."""

    action: str
    resource: str
    message_id: str
    max_envelope: Optional[int]
    timeout: Optional[float]
    selectors: dict
    body: Optional[etree._Element]
    identify: bool = False


KNOWN_HEADERS = {A + one for one in ("To", "ReplyTo", "Action", "MessageID", "FaultTo", "From", "RelatesTo")} | {
    W + one for one in ("ResourceURI", "SelectorSet", "MaxEnvelopeSize", "OperationTimeout", "Locale", "OptionSet",
                        "FragmentTransfer", "RequestEPR", "RequestTotalItemsCountEstimate")} | {
    "{%s}%s" % (MS_WSMAN, one) for one in ("DataLocale", "SessionId", "OperationID", "SequenceId", "Compression",
                                           "ActivityId")}


def seconds(text, where):
    """xs:duration of days, hours, minutes and seconds."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", text.strip())
    if not match or not any(match.groups()):
        raise Fault("header", f"{where}: `{text}` is no duration.")
    days, hours, minutes, rest = (float(one or 0) for one in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def read_reference(element, where):
    """The Path of an endpoint reference; `element` holds a:Address and a:ReferenceParameters."""
    parameters = element.find(A + "ReferenceParameters")
    uri = parameters.findtext(W + "ResourceURI") if parameters is not None else None
    if not uri:
        raise Fault("parameter", f"{where}: no endpoint reference.")
    namespace, cls = split_uri(uri)
    return path_of(namespace, cls, read_selectors(parameters))


def read_selectors(parent):
    found = {}
    for one in parent.findall(f"{W}SelectorSet/{W}Selector"):
        inner = one.find(A + "EndpointReference")
        found[one.get("Name", "")] = read_reference(inner, "a selector") if inner is not None else (one.text or "")
    return found


def split_uri(uri):
    """(namespace, class) of the URI of a class, or of a namespace's `*`."""
    if not uri.lower().startswith(cim.WMI):
        raise Fault("resource", f"The resource URI {uri} is not one of this server, which has WMI alone: no shells, no "
                                "configuration.")
    namespace, _, cls = uri[len(cim.WMI):].rpartition("/")
    if namespace.lower() not in cim.schema.NAMESPACES:
        raise Fault("not found", f"The CIM namespace {namespace} is invalid.")
    namespace = cim.schema.NAMESPACES[namespace.lower()]
    if cls != "*" and not cim.schema.find(namespace, cls):
        raise Fault("not found", f"The class {cls} does not exist in the {namespace} namespace.")
    return namespace, cls


def path_of(namespace, cls, selectors):
    """The Path that selectors make; their names are those of keys, whatever the case."""
    cls = cim.schema.find(namespace, cls)
    keys = {one.name.lower(): one.name for one in cls.keys()}
    unknown = [name for name in selectors if name.lower() not in keys and name.lower() != "__cimnamespace"]
    if unknown:
        raise Fault("selectors", f"{cls.name} has no key {unknown[0]}.")
    given = tuple(sorted((keys[name.lower()], value) for name, value in selectors.items() if name.lower() in keys))
    return cim.Path(namespace, cls.name, given)


def read(data):
    """A Request from the bytes of an envelope, or a Fault."""
    try:
        root = cim.parse_xml(data)
    except cim.Invalid as error:
        raise Fault("xml", f"The XML is invalid: {error}.") from None
    if root.tag != S + "Envelope":
        raise Fault("xml", "The XML is no envelope of SOAP 1.2.")
    header, body = root.find(S + "Header"), root.find(S + "Body")
    first = next(iter(body), None) if body is not None else None
    if first is not None and first.tag == "{%s}Identify" % IDENTITY:
        return Request("", "", "", None, None, {}, first, identify=True)
    if header is None:
        raise Fault("header missing")
    for one in header:
        if one.tag not in KNOWN_HEADERS and one.get(S + "mustUnderstand", "0") in ("1", "true"):
            raise Fault("must understand", f"The header {one.tag} is not known.")
    return _read_header(header, first)


def _read_header(header, body):
    def text(name):
        return (header.findtext(name) or "").strip()
    missing = [name for name in (A + "To", A + "Action", A + "MessageID") if not text(name)]
    if missing or header.find(f"{A}ReplyTo/{A}Address") is None:
        raise Fault("header missing", f"The header {(missing or ['a:ReplyTo'])[0].rpartition('}')[2]} is missing.")
    if text(f"{A}ReplyTo/{A}Address") != ANONYMOUS:
        raise Fault("header", "a:ReplyTo is not the anonymous address.")
    size, timeout = text(W + "MaxEnvelopeSize"), text(W + "OperationTimeout")
    if size and not size.isdigit():
        raise Fault("header", f"MaxEnvelopeSize: `{size}` is no number.")
    if size and int(size) < LEAST_ENVELOPE:
        raise Fault("small envelope")
    return Request(text(A + "Action"), text(W + "ResourceURI"), text(A + "MessageID"), int(size) if size else None,
                   seconds(timeout, "OperationTimeout") if timeout else None, read_selectors(header), body)


# ---- Answers -------------------------------------------------------------------------------------------------

def answer(action, relates_to):
    """(envelope, its body) of an answer that is to be filled."""
    root = etree.Element(S + "Envelope", nsmap=PREFIXES)
    root.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    header = etree.SubElement(root, S + "Header")
    etree.SubElement(header, A + "Action").text = action
    etree.SubElement(header, A + "MessageID").text = f"uuid:{str(uuid.uuid4()).upper()}"
    etree.SubElement(header, A + "To").text = ANONYMOUS
    if relates_to:
        etree.SubElement(header, A + "RelatesTo").text = relates_to
    return root, etree.SubElement(root, S + "Body")


def encode(root):
    return etree.tostring(root, encoding="UTF-8")


def fault(error, relates_to, machine):
    """The envelope of a Fault."""
    prefix = error.subcode.partition(":")[0] or "a"
    root, body = answer(FAULT_ACTIONS[prefix], relates_to)
    top = etree.SubElement(body, S + "Fault")
    code = etree.SubElement(top, S + "Code")
    etree.SubElement(code, S + "Value").text = "s:" + error.side
    if error.subcode:
        etree.SubElement(etree.SubElement(code, S + "Subcode"), S + "Value").text = error.subcode
    reason = etree.SubElement(etree.SubElement(top, S + "Reason"), S + "Text")
    reason.text = error.text
    reason.set("{http://www.w3.org/XML/1998/namespace}lang", "en-US")
    detail = etree.SubElement(top, S + "Detail")
    if error.detail:
        etree.SubElement(detail, W + "FaultDetail").text = error.detail
    f = "{%s}" % MS_FAULT
    outer = etree.SubElement(detail, f + "WSManFault", nsmap={"f": MS_FAULT}, Code=str(error.code), Machine=machine)
    message = etree.SubElement(outer, f + "Message")
    if error.provider:
        inner = etree.SubElement(message, f + "ProviderFault", provider="WMI Provider",
                                 path="%systemroot%\\system32\\WsmWmiPl.dll")
        inner = etree.SubElement(inner, f + "WSManFault", Code=str(error.code), Machine=machine)
        message = etree.SubElement(inner, f + "Message")
    message.text = error.text
    return root
