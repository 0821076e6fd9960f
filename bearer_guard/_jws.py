"""A compact JWS taken apart, strictly and once (RFC 7515 §3.1, §4.1, §7.1).

What is refused here needs no key and no clock: another number of segments, another alphabet or spelling, a header that
is not one unambiguous JSON object, critical extensions (none is implemented), unencoded or compressed payloads, nested
tokens. Header parameters that carry or locate keys are not looked at (RFC 8725 §3.10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ._credentials import MAX_TOKEN_LENGTH
from ._errors import InvalidToken, MalformedToken
from ._strict import b64url_decode, b64url_encode, json_object

_DOT: Final = ord(".")
_RESERVED: Final = frozenset({"crit", "b64", "zip", "cty"})
"""Header parameters that say how the rest is to be read."""
TOO_LONG: Final = f"token longer than {MAX_TOKEN_LENGTH} characters"


class Header(NamedTuple):
    """The header parameters that count; `typ` in lower case and without `application/` (RFC 7515 §4.1.9)."""

    algorithm: str
    kid: str | None
    typ: str | None


class CompactJWS:
    """The parts of a token, none of them verified: whoever reads `unverified_claims` before the signature says so."""

    __slots__ = ("_claims", "_encoded_signature", "_payload", "_segment", "header", "new_header", "signing_input")

    def __init__(
        self, header: Header, segment: bytes, signing_input: bytes, encoded_signature: bytes, new_header: bool = True
    ) -> None:
        self.header: Header = header
        self._segment = segment
        self._encoded_signature = encoded_signature
        self._payload: bytes | None = None
        self._claims: dict[str, Any] | None = None
        self.new_header: bool = new_header
        self.signing_input: bytes = signing_input

    def signature(self) -> bytes:
        """The octets of the signature. Raises MalformedToken for another spelling than the canonical one."""
        try:
            return b64url_decode(self._encoded_signature)
        except ValueError:
            raise MalformedToken("the signature is not canonical base64url") from None

    def unverified_claims(self) -> dict[str, Any]:
        """The payload's claims set. Raises MalformedToken when it is not one."""
        claims = self._claims
        if claims is None:
            try:
                self._payload = payload = b64url_decode(self._segment)
                self._claims = claims = json_object(payload)
            except ValueError:
                raise _no_object() from None
        return claims

    def header_segment(self) -> bytes:
        """The header as it was spelled."""
        return self.signing_input[: -len(self._segment) - 1]

    def payload(self) -> bytes:
        """The octets of the payload."""
        return b64url_decode(self._segment) if self._payload is None else self._payload


def parse(token: str, known: Mapping[bytes, Header] = MappingProxyType({})) -> CompactJWS:
    """The parts of `token`. Raises MalformedToken, or InvalidToken for a header that must not be accepted.

    Payload and signature are decoded, or refused, when somebody asks for them: of most strangers' tokens nobody does.
    `known` are headers that have been read already, by their segment.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise MalformedToken(TOO_LONG, reason="token_too_long")
    try:
        octets = token.encode("ascii")
    except UnicodeEncodeError:
        raise MalformedToken("not ASCII") from None
    signing_input, _, encoded_signature = octets.rpartition(b".")
    segment, dot, encoded_payload = signing_input.partition(b".")
    if not dot or _DOT in encoded_payload:
        raise MalformedToken("not three segments")
    header = known.get(segment)
    new_header = header is None
    if header is None:
        header = read_header(_object(segment))
    return CompactJWS(header, encoded_payload, signing_input, encoded_signature, new_header)


def read_header(members: dict[str, Any]) -> Header:
    """The header in these members. Unknown ones are ignored (RFC 7515 §4)."""
    algorithm, kid, typ = members.get("alg"), members.get("kid"), members.get("typ")
    if type(algorithm) is not str:
        raise MalformedToken("alg is not a string")
    if type(kid) is not str and "kid" in members:
        raise MalformedToken("kid is not a string")
    if not _RESERVED.isdisjoint(members):
        _check_reserved(members)
    if type(typ) is not str and "typ" in members:
        raise InvalidToken("typ is not a string", reason="type_not_allowed")
    return Header(algorithm, kid, None if typ is None else media_type(typ))


def _check_reserved(members: dict[str, Any]) -> None:
    content_type = members.get("cty")
    if "crit" in members:
        raise MalformedToken("crit names an extension that is not implemented (RFC 7515 §4.1.11)")
    if "b64" in members or "zip" in members:
        raise MalformedToken("the payload is not plain base64url (RFC 7797 §7)")
    if not (isinstance(content_type, str) and media_type(content_type) != "jwt"):
        raise MalformedToken("a token nested in a token (RFC 7519 §5.2)")


def media_type(text: str) -> str:
    """`text` as RFC 7515 §4.1.9 compares it: in lower case, `application/` left out where nothing else has a slash."""
    lowered = text.lower() if text.isascii() else text  # some characters outside ASCII have lower case inside it
    if "/" not in lowered:
        return lowered
    prefix, _, rest = lowered.partition("/")
    return rest if prefix == "application" and "/" not in rest else lowered


def compact(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """The compact JWS of a header and a payload, as they are, with what `sign` makes of the signing input."""
    signing_input = b64url_encode(header) + b"." + b64url_encode(payload)
    return (signing_input + b"." + b64url_encode(sign(signing_input))).decode("ascii")


def looks_like_jws(token: str) -> bool:
    """Whether `token` has three segments of which the first spells a JSON object: a claim to be one, no more."""
    segments = token.split(".", 3) if len(token) <= MAX_TOKEN_LENGTH else []
    try:
        if len(segments) == 3:
            _object(segments[0].encode("utf-8", "replace"))
            return True
    except MalformedToken:
        pass
    return False


def _object(segment: bytes) -> dict[str, Any]:
    try:
        return json_object(b64url_decode(segment))
    except ValueError:
        raise _no_object() from None


def _no_object() -> MalformedToken:
    return MalformedToken("a segment is not canonical base64url of a JSON object")
