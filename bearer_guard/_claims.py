"""The rules for registered claims (RFC 7519 §4.1, RFC 9068 §2.2, §4). Pure: `now` is an argument.

A claim that is present but of the wrong type is refused, never taken for absent. Issuer and audience are compared
exactly, code point by code point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeAlias, cast

from ._errors import ExpiredToken, InvalidClaim, InvalidToken, TokenNotYetValid, UntrustedIssuer

Claims: TypeAlias = Mapping[str, Any]
ScopeClaims: TypeAlias = Sequence[str] | Callable[[Claims], Any]

RFC9068_CLAIMS: Final = ("iss", "exp", "aud", "sub", "client_id", "iat", "jti")
# Found only in ID tokens, logout tokens, security events, DPoP proofs, introspection responses and status lists: where
# a provider gives all of them `typ: JWT`, these tell them from an access token (RFC 8725 §3.12).
_OTHER_KINDS: Final = frozenset(
    {"at_hash", "c_hash", "s_hash", "events", "htm", "htu", "token_introspection", "status_list"}
)
_STRINGS: Final = ("sub", "client_id", "jti")
_ARRAYS: Final = (list, tuple)  # a union written out in a check is made anew each time
_LATEST: Final = 2**53
_MAX_SHARED: Final = 1024
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What the claims of an acceptable token are like; `None` for issuer or audience means that it must be absent."""

    issuer: str | None
    audience: str | Container[str] | None
    leeway: float
    required: tuple[str, ...]
    max_token_age: float | None
    validate: Callable[[Claims], object] | None
    expires: bool = True
    """Whether `exp` must be there: in a JWT always, in an introspection response as the server likes."""

    def trusts_issuer_of(self, claims: Claims) -> bool:
        """Whether `iss` is exactly the configured issuer."""
        return "iss" not in claims if self.issuer is None else claims.get("iss") == self.issuer

    def check(self, claims: dict[str, Any], now: float) -> tuple[float, float]:
        """Raise the InvalidToken that these claims deserve at `now` (a NumericDate), or return their `window`."""
        if claims.get("iss") != self.issuer or (self.issuer is None and "iss" in claims):
            raise UntrustedIssuer(f"expected issuer {self.issuer!r}")
        if not claims.keys().isdisjoint(_OTHER_KINDS):
            raise InvalidClaim("typ", "claims of another kind of token", reason="type_not_allowed")
        begins, ends = window = self.window(claims)
        if not begins <= now < ends:  # said so that a clock which returns NaN lets nobody in
            self._refuse_for_time(begins, ends, now)
        self._check_audience(claims)
        for name in _STRINGS:
            if type(claims.get(name, "")) is not str:
                raise InvalidClaim(name, f"claim {name!r} is not a string")
        if "cnf" in claims and not isinstance(claims["cnf"], Mapping):
            raise InvalidClaim("cnf", "claim 'cnf' is not an object")
        for name in self.required:
            if claims.get(name) is None:
                raise InvalidClaim(name, f"required claim {name!r} is absent")
        if self.validate is not None and self.validate(MappingProxyType(claims)) is False:
            raise InvalidClaim("validate", "validate returned False")
        return window

    @property
    def live(self) -> bool:
        """Whether something beside the clock may change what these rules say about the same claims."""
        return self.validate is not None or not isinstance(self.audience, str | None)

    def window(self, claims: Claims) -> tuple[float, float]:
        """From when, and until before when, these claims are in their time, leeway included (RFC 7519 §4.1.4-4.1.6).

        Raises InvalidClaim for what is no NumericDate, and for `exp` or `iat` absent where they are needed.
        """
        expires, not_before, issued = claims.get("exp"), claims.get("nbf"), claims.get("iat")
        # Most are whole numbers, and told to be dates without a call.
        if type(expires) is not int or not 0 <= expires <= _LATEST:
            expires = _numeric_date(claims, "exp")
        if type(not_before) is not int or not 0 <= not_before <= _LATEST:
            not_before = _numeric_date(claims, "nbf")
        if type(issued) is not int or not 0 <= issued <= _LATEST:
            issued = _numeric_date(claims, "iat")
        if expires is None and self.expires:
            raise InvalidClaim("exp", "required claim 'exp' is absent")
        ends = math.inf if expires is None else expires + self.leeway
        if self.max_token_age is not None:
            if issued is None:
                raise InvalidClaim("iat", "claim 'iat' is absent, and max_token_age needs it")
            ends = min(ends, issued + self.max_token_age + self.leeway)
        begins = not_before or 0.0
        if issued is not None and issued > begins:
            begins = issued
        return begins - self.leeway, ends

    def refused_by_time(self, claims: Claims, now: float) -> bool:
        """Whether `check` refuses these claims, of which nobody knows yet whether they are true, for their times."""
        try:
            begins, ends = self.window(claims)
        except InvalidToken:
            return True
        return not begins <= now < ends

    def _refuse_for_time(self, begins: float, ends: float, now: float) -> NoReturn:
        if now < begins and now < ends:
            raise TokenNotYetValid(f"nbf or iat is in the future, leeway {self.leeway:g} s")
        older = "" if self.max_token_age is None else f" or older than max_token_age {self.max_token_age:g} s"
        raise ExpiredToken(f"expired{older}, leeway {self.leeway:g} s")

    def _check_audience(self, claims: Claims) -> None:
        expected, named = self.audience, claims.get("aud")
        if expected is None:
            if "aud" in claims:
                raise InvalidClaim("aud", "expected no audience")
            return
        names: Any = (named,) if type(named) is str else named
        if not isinstance(names, _ARRAYS):
            raise InvalidClaim("aud", "claim 'aud' is neither a string nor an array of strings")
        for name in names:
            if type(name) is not str:
                raise InvalidClaim("aud", "claim 'aud' is neither a string nor an array of strings")
        if type(expected) is str:
            if expected not in names:
                raise InvalidClaim("aud", f"expected audience {expected!r}")
        elif not any(name in expected for name in names):
            raise InvalidClaim("aud", "expected another audience")


def scopes_of(
    claims: Claims, scope_claims: ScopeClaims, shared: dict[str, frozenset[str]] | None = None
) -> frozenset[str]:
    """The scopes that the first present one of `scope_claims` grants, or none at all (RFC 6749 §3.3).

    `scope` is one string, split on SP alone; an array there grants nothing unless a callable reads it. Any other claim
    may be a string or an array of strings. A callable is given the claims and returns either, or None. Raises
    InvalidClaim for any other type. What many tokens have in common is kept once in `shared`, up to a bound.
    """
    if callable(scope_claims):
        granted = scope_claims(MappingProxyType(cast("dict[str, Any]", claims)))
        return frozenset() if granted is None else _scopes("scope", granted, several=True)
    for name in scope_claims:
        granted = claims.get(name)
        if shared is not None and type(granted) is str and (known := shared.get(granted)) is not None:
            return known
        if name in claims:
            return _share(granted, shared, _scopes(name, granted, several=name != "scope"))
    return frozenset()


def _share(granted: object, shared: dict[str, frozenset[str]] | None, scopes: frozenset[str]) -> frozenset[str]:
    if shared is not None and isinstance(granted, str) and len(shared) < _MAX_SHARED:
        shared[granted] = scopes
    return scopes


def _scopes(name: str, granted: object, *, several: bool) -> frozenset[str]:
    if isinstance(granted, str):
        return frozenset(granted.split(" ")) - {""}
    if isinstance(granted, list | tuple | set | frozenset):
        names = cast("Sequence[Any]", granted)
        if all(isinstance(scope, str) for scope in names):
            return frozenset(names) - {""} if several else frozenset()
    raise InvalidClaim(name, f"scope claim {name!r} is not of a type that is configured")


def _numeric_date(claims: Claims, name: str) -> float | None:
    value = claims.get(name, _ABSENT)
    if value is _ABSENT:
        return None
    if type(value) in (int, float) and 0 <= value <= _LATEST:  # NaN compares as false
        return cast("float", value)
    raise InvalidClaim(name, f"claim {name!r} is not a NumericDate")
