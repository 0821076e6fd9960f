"""What a verified token says: the value that handlers receive (RFC 9068 §2.2, RFC 7662 §2.2).

An `AccessToken` is frozen, and so is everything that hangs on it: `claims` is a read-only view down to the last nested
list, so that no request sees what another one did to a cached token. What few handlers ask for is computed when asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

Facts: TypeAlias = tuple[Mapping[str, Any] | bytes, frozenset[str], Mapping[str, Any] | None]
"""Of a verified token: its claims or their JSON text, its scopes, and its `cnf`, read-only."""

_Setter: TypeAlias = Callable[[object, object], None]
_set = object.__setattr__
_new = object.__new__
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def freeze(value: Any) -> Any:
    """A read-only copy of a JSON value: objects become mapping proxies, arrays become tuples."""
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return MappingProxyType({name: freeze(member) for name, member in members.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(member) for member in cast("Iterable[Any]", value))
    return value


class AccessToken:
    """What a verified access token says. Frozen; build one in a custom `Verifier` or in a test of a handler.

    `subject`, `client_id`, `issuer` and `token_id` are the claims `sub`, `client_id`, `iss` and `jti`; `expires_at` and
    `issued_at` are NumericDates in seconds; `scopes` is a frozenset, `audience` a tuple, `claims` read-only all the way
    down (arrays are tuples); `confirmation` is the `cnf` claim of a sender-constrained token (RFC 7800). It checks
    nothing itself: whoever builds it vouches for it. The token's own text is not kept.
    """

    # What is not computed yet is not set: all follows from the facts, and a guard asks at every request for what they
    # hold. A cache may share them, and nobody changes them; claims that were JSON text are kept apart once read.
    __slots__ = ("__weakref__", "_facts", "_fields", "_frozen", "_read")

    _facts: Facts
    _read: Mapping[str, Any]
    _fields: Mapping[str, Any]
    _frozen: Mapping[str, Any]

    def __init__(
        self,
        *,
        subject: str | None = None,
        client_id: str | None = None,
        issuer: str | None = None,
        audience: str | Iterable[str] = (),
        scopes: Iterable[str] = (),
        expires_at: float | None = None,
        issued_at: float | None = None,
        token_id: str | None = None,
        claims: Mapping[str, Any] = _NOTHING,
        confirmation: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(scopes, str):
            raise TypeError("scopes must be an iterable of scope names, not one string: use text.split(' ')")
        fields = {
            "subject": subject,
            "client_id": client_id,
            "issuer": issuer,
            "audience": (audience,) if isinstance(audience, str) else tuple(audience),
            "expires_at": expires_at,
            "issued_at": issued_at,
            "token_id": token_id,
        }
        frozen = freeze(claims)
        _set(self, "_frozen", frozen)
        _set(self, "_fields", fields)
        _set(self, "_facts", (frozen, frozenset(scopes), freeze(confirmation)))

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any], scopes: frozenset[str]) -> AccessToken:
        """The token that verified claims describe. Nothing is checked or copied: nobody may change `claims` again."""
        confirmation = claims.get("cnf")
        token = _new(cls)
        _set_facts(token, (claims, scopes, None if confirmation is None else freeze(confirmation)))
        return token

    @property
    def scopes(self) -> frozenset[str]:
        return self._facts[1]

    @property
    def claims(self) -> Mapping[str, Any]:
        """Every claim, read-only all the way down."""
        try:
            return self._frozen
        except AttributeError:
            _set(self, "_frozen", freeze(self._members()))
            return self._frozen

    @property
    def subject(self) -> str | None:
        return cast("str | None", self._field("subject"))

    @property
    def client_id(self) -> str | None:
        return cast("str | None", self._field("client_id"))

    @property
    def issuer(self) -> str | None:
        return cast("str | None", self._field("issuer"))

    @property
    def audience(self) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self._field("audience"))

    @property
    def expires_at(self) -> float | None:
        return cast("float | None", self._field("expires_at"))

    @property
    def issued_at(self) -> float | None:
        return cast("float | None", self._field("issued_at"))

    @property
    def token_id(self) -> str | None:
        return cast("str | None", self._field("token_id"))

    @property
    def confirmation(self) -> Mapping[str, Any] | None:
        return self._facts[2]

    @property
    def is_client(self) -> bool:
        """True when the token speaks for a client and no user: `sub` is absent or equals `client_id` (RFC 9068 §5)."""
        return self.client_id is not None and self.subject in (None, self.client_id)

    # A framework that asks "who is it?" finds the answer on the token itself (Starlette's user protocol).
    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.identity

    @property
    def identity(self) -> str:
        """`subject`, else `client_id`, else the empty string."""
        return self.subject or self.client_id or ""

    def _field(self, name: str) -> Any:
        return self._all_fields()[name]

    def _all_fields(self) -> Mapping[str, Any]:
        try:
            return self._fields
        except AttributeError:
            _set(self, "_fields", _fields_of(self._members()))
            return self._fields

    def _members(self) -> Mapping[str, Any]:
        source = self._facts[0]
        if not isinstance(source, bytes):
            return source
        try:
            return self._read
        except AttributeError:
            _set(self, "_read", json.loads(source.decode()))
            return self._read

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AccessToken):
            return NotImplemented
        return self._parts() == other._parts()

    def _parts(self) -> tuple[object, ...]:
        return self._all_fields(), self.confirmation, self.scopes, self.claims

    def __hash__(self) -> int:
        return hash((self.subject, self.client_id, self.issuer, self.token_id, self.scopes))

    def __repr__(self) -> str:
        return (
            f"AccessToken(subject={self.subject!r}, client_id={self.client_id!r}, issuer={self.issuer!r}, "
            f"scopes={sorted(self.scopes)!r}, expires_at={self.expires_at!r})"
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"AccessToken is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"AccessToken is frozen: {name} cannot be deleted")

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {**self._all_fields(), "confirmation": self.confirmation}
        return _restore, (_thaw(fields), self.scopes, _thaw(self.claims))


# The slot's own setter: the class refuses to set anything, and `object.__setattr__` takes longer.
_set_facts = cast("_Setter", vars(AccessToken)["_facts"].__set__)


def token_of(facts: Facts) -> AccessToken:
    """The token of these facts, which nobody may change again. Nothing is checked, copied or computed."""
    token = _new(AccessToken)
    _set_facts(token, facts)
    return token


def _fields_of(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    audience = claims.get("aud", ())
    return {
        "subject": claims.get("sub"),
        "client_id": claims.get("client_id"),
        "issuer": claims.get("iss"),
        "audience": (audience,) if isinstance(audience, str) else tuple(audience),
        "expires_at": claims.get("exp"),
        "issued_at": claims.get("iat"),
        "token_id": claims.get("jti"),
    }


def _thaw(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _thaw(member) for name, member in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple):
        return tuple(_thaw(member) for member in value)
    return value


def _restore(fields: dict[str, Any], scopes: frozenset[str], claims: dict[str, Any]) -> AccessToken:
    return AccessToken(scopes=scopes, claims=claims, **fields)
