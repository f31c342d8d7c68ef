"""Instances of CIM classes and the three ways in which they are written: as XML of WS-Management, as CIM-XML (DSP0201, the
text that methods of Hyper-V take as "embedded instance"), and as WMI object paths.

    <p:Msvm_X xmlns:p="R/Msvm_X" xsi:type="p:Msvm_X_Type">    properties by their names, in the order of the alphabet
      <p:Name>text</p:Name>                                    an array is the element several times
      <p:Other xsi:nil="true"/>                                NULL, also for an array
      <p:Ref><a:Address/><a:ReferenceParameters/></p:Ref>      a reference is an endpoint reference
      <p:Date><cim:Datetime>2026-...Z</cim:Datetime></p:Date>  a datetime; an interval is cim:Interval
    </p:Msvm_X>

    <INSTANCE CLASSNAME="Msvm_X">
      <PROPERTY NAME="Name" TYPE="string"><VALUE>text</VALUE></PROPERTY>
      <PROPERTY.ARRAY NAME="Ids" TYPE="uint16"><VALUE.ARRAY><VALUE>1</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>
    </INSTANCE>
"""

import re
from typing import NamedTuple

from lxml import etree

import schema

WMI = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
CIM = "http://schemas.dmtf.org/wbem/wscim/1/common"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
ANONYMOUS = ADDRESSING + "/role/anonymous"
INTEGERS = {f"{sign}int{bits}": (0 if sign == "u" else -(1 << (bits - 1)), (1 << (bits - (sign == "s"))) - 1)
            for sign in "us" for bits in (8, 16, 32, 64)}


class Invalid(Exception):
    """A value or text that is not what the class says."""


class Path(NamedTuple):
    """Which instance: `keys` is a tuple of (name, value) in the order of the names."""

    namespace: str
    cls: str
    keys: tuple


class Instance:
    """`values` is by the property's own name; a property that is not in it is NULL."""

    def __init__(self, cls, values):
        self.cls = cls
        self.values = values

    def get(self, name):
        found = self.cls.properties.get(name.lower())
        return self.values.get(found.name) if found else None

    def path(self):
        return Path(self.cls.namespace, self.cls.name,
                    tuple(sorted((one.name, self.values[one.name]) for one in self.cls.keys())))


def make(namespace, name, **values):
    cls = schema.find(namespace, name)
    unknown = [one for one in values if one.lower() not in cls.properties]
    if unknown:
        raise KeyError(f"{name} has no {unknown}")
    return Instance(cls, values)


def text_of(kind, value):
    if kind == "boolean":
        return "true" if value else "false"
    return str(value)


def value_of(kind, text, where):
    """Reads one value of the CIM type `kind`."""
    if kind == "boolean":
        if text.strip().lower() in ("true", "false", "1", "0"):
            return text.strip().lower() in ("true", "1")
    elif kind in INTEGERS:
        low, high = INTEGERS[kind]
        if re.fullmatch(r"\s*[+-]?\d+\s*", text) and low <= int(text) <= high:
            return int(text)
    else:
        return text
    raise Invalid(f"{where}: `{text}` is no {kind}")


# ---- Object paths: \\HOST\root\virtualization\v2:Class.Key="value" ------------------------------------------

def path_text(path, host):
    def quoted(value):
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    keys = ",".join(f"{name}={quoted(value)}" for name, value in path.keys)
    return f"\\\\{host}\\{path.namespace.replace('/', chr(92))}:{path.cls}.{keys}"


def read_path(text, namespace):
    """A path in a query or in a property, with or without host and namespace; `namespace` is where it is asked."""
    text = text.strip()
    if match := re.match(r"(?:\\\\[^\\]+\\)?([\w\\/]+):(?=\w+[.=])", text):
        namespace, text = match[1].replace("\\", "/"), text[match.end():]
    name, dot, rest = text.partition(".")
    cls = schema.find(namespace, name)
    if not cls or not dot:
        raise Invalid(f"no object path: {text}")
    keys, at = [], 0
    for match in re.finditer(r"""\s*(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|(-?\d+))\s*(?:,|$)""", rest):
        if match.start() != at:
            break
        at = match.end()
        found = cls.properties.get(match[1].lower())
        if not found or not found.key:
            raise Invalid(f"{cls.name} has no key {match[1]}")
        quoted = next((one for one in match.groups()[1:3] if one is not None), match[4])
        keys.append((found.name, re.sub(r"\\(.)", r"\1", quoted)))
    if at != len(rest) or not keys:
        raise Invalid(f"no object path: {text}")
    return Path(cls.namespace, cls.name, tuple(sorted(keys)))


# ---- WS-Management -------------------------------------------------------------------------------------------

def class_uri(namespace, name):
    return f"{WMI}{namespace}/{name}"


def add_reference(parent, path):
    """Fills `parent` with the endpoint reference of `path`."""
    a, w = "{%s}" % ADDRESSING, "{%s}" % WSMAN
    etree.SubElement(parent, a + "Address", nsmap={"a": ADDRESSING, "w": WSMAN}).text = ANONYMOUS
    parameters = etree.SubElement(parent, a + "ReferenceParameters", nsmap={"a": ADDRESSING, "w": WSMAN})
    etree.SubElement(parameters, w + "ResourceURI").text = class_uri(path.namespace, path.cls)
    selectors = etree.SubElement(parameters, w + "SelectorSet")
    etree.SubElement(selectors, w + "Selector", Name="__cimnamespace").text = path.namespace
    for name, value in path.keys:
        selector = etree.SubElement(selectors, w + "Selector", Name=name)
        if isinstance(value, Path):
            add_reference(etree.SubElement(selector, a + "EndpointReference"), value)
        else:
            selector.text = str(value)


def add_value(parent, tag, kind, value):
    """One element for a value, or one with xsi:nil."""
    element = etree.SubElement(parent, tag)
    if value is None:
        element.set("{%s}nil" % XSI, "true")
    elif kind == "ref":
        add_reference(element, value)
    elif kind == "datetime":
        name = "Interval" if str(value).startswith("P") else "Datetime"
        etree.SubElement(element, "{%s}%s" % (CIM, name)).text = str(value)
    else:
        element.text = text_of(kind, value)


def add_instance(parent, instance, only=None):
    """`only`: the properties that a query names. Its answer has neither the class's namespace nor its type."""
    uri = class_uri(instance.cls.namespace, instance.cls.name)
    if only is None:
        element = etree.SubElement(parent, "{%s}%s" % (uri, instance.cls.name), nsmap={"p": uri, "xsi": XSI, "cim": CIM})
        element.set("{%s}type" % XSI, f"p:{instance.cls.name}_Type")
        prefix = "{%s}" % uri
    else:
        element = etree.SubElement(parent, "{%s}XmlFragment" % WSMAN, nsmap={"xsi": XSI, "cim": CIM})
        prefix = ""
    for one in sorted(instance.cls.properties.values(), key=lambda one: one.name):
        if only is not None and one.name.lower() not in only:
            continue
        value = instance.values.get(one.name)
        for item in (value or [None]) if one.array else [value]:
            add_value(element, prefix + one.name, one.type, item)
    return element


# ---- CIM-XML -------------------------------------------------------------------------------------------------

PARSER = dict(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True)


def parse_xml(data):
    """Parses XML that somebody sent; a document type is refused, as Windows does."""
    try:
        root = etree.fromstring(data, etree.XMLParser(**PARSER))
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Invalid(f"the XML can't be read: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise Invalid("the XML has a document type")
    return root


def write_cimxml(instance):
    root = etree.Element("INSTANCE", CLASSNAME=instance.cls.name)
    for one in instance.cls.properties.values():
        value = instance.values.get(one.name)
        if value is None or one.type == "ref":
            continue
        element = etree.SubElement(root, "PROPERTY.ARRAY" if one.array else "PROPERTY", NAME=one.name, TYPE=one.type)
        if one.array:
            element = etree.SubElement(element, "VALUE.ARRAY")
        for item in value if one.array else [value]:
            etree.SubElement(element, "VALUE").text = text_of(one.type, item)
    return etree.tostring(root, encoding="unicode")


def read_cimxml(text, namespace):
    """An embedded instance. What is no property of the class, or not of its type, is Invalid; so is MOF."""
    if not text.lstrip().startswith("<"):
        raise Invalid("an embedded instance is CIM-XML here, not MOF")
    root = parse_xml(text.strip().encode())
    if root.tag != "INSTANCE":
        raise Invalid(f"an embedded instance is the element INSTANCE, not {root.tag}")
    cls = schema.find(namespace, root.get("CLASSNAME", ""))
    if not cls:
        raise Invalid(f"no class `{root.get('CLASSNAME')}` in {namespace}")
    values = {}
    for element in root:
        if element.tag == "QUALIFIER":
            continue
        one = cls.properties.get(element.get("NAME", "").lower())
        where = f"{cls.name}.{element.get('NAME')}"
        if element.tag not in ("PROPERTY", "PROPERTY.ARRAY") or not one:
            raise Invalid(f"{where}: no such property")
        if one.array != (element.tag == "PROPERTY.ARRAY") or element.get("TYPE") != one.type:
            raise Invalid(f"{where}: is {one.type}{'[]' if one.array else ''}, not {element.get('TYPE')} in {element.tag}")
        items = [value_of(one.type, "".join(value.itertext()), where) for value in element.iter("VALUE")]
        if one.array:
            values[one.name] = items if element.find("VALUE.ARRAY") is not None else None
        else:
            values[one.name] = items[0] if items else None
    return Instance(cls, {name: value for name, value in values.items() if value is not None})
