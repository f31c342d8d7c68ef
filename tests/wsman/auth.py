"""Who is at the other end of a connection: Basic, and NTLM under the scheme Negotiate, as WinRM offers it.

NTLM is that of gss-ntlmssp (Debian: gss-ntlmssp, python3-gssapi): three messages on one connection, which is that account's
from then on. Kerberos, where the server is given a keytab, is MIT's: one message.

NTLM needs MD4 and RC4, which OpenSSL 3 has in its legacy provider alone. Without it gss-ntlmssp takes each password for wrong.
"""

import base64
import binascii
import ctypes
import ctypes.util
import hashlib
import os
import struct

try:
    import gssapi
    import gssapi.raw
except ImportError:
    gssapi = None

MECHANISM = "1.3.6.1.4.1.311.2.2.10"
SIGNATURE = b"NTLMSSP\0"
END_POINT = b"tls-server-end-point:"
# Of an AUTHENTICATE_MESSAGE: where the length and the offset of the NTLMv2 response are, what is before its pairs, their kind.
RESPONSE_FIELDS, BEFORE_PAIRS, CHANNEL_BINDINGS = 20, 44, 10
CHANNEL_BOUND = 0x800  # GSS_C_CHANNEL_BOUND_FLAG of MIT 1.19


def missing():
    """Why this machine can't serve NTLM, or an empty text."""
    if gssapi is None:
        return "no python3-gssapi"
    wanted = gssapi.OID.from_int_seq(MECHANISM)
    return "" if wanted in gssapi.raw.indicate_mechs() else "no gss-ntlmssp"


def load_legacy():
    """Gives this process MD4 and RC4. The default provider is named too, as it is no longer implied then."""
    library = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
    library.OSSL_PROVIDER_load.restype = ctypes.c_void_p
    for name in (b"default", b"legacy"):
        if not library.OSSL_PROVIDER_load(None, name):
            raise RuntimeError(f"OpenSSL has no provider `{name.decode()}`, which NTLM needs")


def write_accounts(path, hosts, accounts):
    """The file from which gss-ntlmssp knows the passwords; must be called before the first logon."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        for one in accounts:
            file.writelines(f"{domain}:{one.name}:{one.password}\n" for domain in [*hosts, "WORKGROUP"])
    os.environ["NTLM_USER_FILE"] = path
    # What challenges name as their target; else it were this machine's own name.
    os.environ["NETBIOS_COMPUTER_NAME"] = os.environ["NETBIOS_DOMAIN_NAME"] = hosts[0]
    load_legacy()


def bound(message, certificate):
    """Whether an AUTHENTICATE_MESSAGE is bound to the TLS channel of this certificate (MS-NLMP 2.2.2.1, MsvAvChannelBindings).
    gss-ntlmssp lets in who isn't bound at all, which CbtHardeningLevel Strict does not."""
    data = END_POINT + hashlib.sha256(certificate).digest()
    wanted = hashlib.md5(bytes(16) + struct.pack("<I", len(data)) + data).digest()
    length, offset = struct.unpack_from("<HxxI", message, RESPONSE_FIELDS)
    pairs = message[offset + BEFORE_PAIRS:offset + length]
    while len(pairs) >= 4:
        kind, size = struct.unpack_from("<HH", pairs)
        if kind == CHANNEL_BINDINGS:
            return pairs[4:4 + size] == wanted
        pairs = pairs[4 + size:]
    return False


class Connection:
    """One connection's authentication: feed it the header Authorization, it says who that is."""

    def __init__(self, accounts, schemes, certificate_der, strict_binding, keytab):
        self.accounts = {one.name.lower(): one for one in accounts}
        self.schemes, self.strict = schemes, strict_binding
        self.certificate, self.keytab = certificate_der, keytab
        self.account, self.scheme, self.context = None, "", None

    def challenges(self, token=b""):
        """The values of WWW-Authenticate."""
        found = []
        if "Negotiate" in self.schemes:
            found.append("Negotiate" + (f" {base64.b64encode(token).decode()}" if token else ""))
        if "Basic" in self.schemes and not token:
            found.append('Basic realm="WSMAN"')
        return found

    def take(self, header):
        """Returns (account, token): the account, or None and the token for the next challenge."""
        scheme, _, rest = (header or "").partition(" ")
        if not header:
            return self.account, b""  # A connection that NTLM opened stays open.
        self.account = None
        try:
            data = base64.b64decode(rest, validate=True)
        except (binascii.Error, ValueError):
            return None, b""
        if scheme.lower() == "basic" and "Basic" in self.schemes:
            return self._basic(data), b""
        if scheme.lower() == "negotiate" and "Negotiate" in self.schemes and data.startswith(SIGNATURE):
            return self._ntlm(data)
        if scheme.lower() == "negotiate" and "Negotiate" in self.schemes and self.keytab:
            return self._kerberos(data), b""
        return None, b""

    def _find(self, name):
        return self.accounts.get(name.rpartition("\\")[2].rstrip("\0").lower())  # gss-ntlmssp's names end in a zero.

    def _basic(self, data):
        name, _, password = data.decode("utf-8", "replace").partition(":")
        found = self._find(name)
        self.scheme = "Basic"
        return found if found and found.password == password else None

    def _kerberos(self, data):
        """A ticket that is bound to another channel is refused in any case, one that is not bound by Strict alone."""
        bindings = gssapi.raw.ChannelBindings(application_data=END_POINT + hashlib.sha256(self.certificate).digest())
        try:
            credentials = gssapi.Credentials(usage="accept", store={"keytab": self.keytab})
            context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)
            context.step(data)
        except gssapi.exceptions.GSSError:
            return None
        self.scheme = "Kerberos"
        if not context.complete or self.strict and not context.actual_flags & CHANNEL_BOUND:
            return None
        return self._find(str(context.initiator_name).partition("@")[0])

    def _ntlm(self, data):
        if data[8:12] == b"\1\0\0\0":
            mechanism = gssapi.OID.from_int_seq(MECHANISM)
            credentials = gssapi.Credentials(usage="accept", mechs=[mechanism])
            self.context = gssapi.SecurityContext(creds=credentials, usage="accept")
        context = self.context
        if context is None:
            return None, b""
        try:
            token = context.step(data)
        except gssapi.exceptions.GSSError:
            self.context = None
            return None, b""
        if not context.complete:
            return None, token
        self.context, self.scheme = None, "NTLM"
        if self.strict and not bound(data, self.certificate):
            return None, b""
        self.account = self._find(str(context.initiator_name))
        return self.account, b""
