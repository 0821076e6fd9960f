"""What a JWTVerifier was told to accept, checked as a whole: every mistake of one construction is reported at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from ._claims import RFC9068_CLAIMS, ClaimRules, Claims, ScopeClaims
from ._discovery import issuer_problem
from ._errors import raise_problems
from ._flow import Transport
from ._jose import ALGORITHMS, SYMMETRIC
from ._jws import media_type
from ._keys import KeySource
from ._remote import RemoteJWKSet

LONGEST_LEEWAY: Final = 300.0
_TYPES: Final = {"jwt": frozenset({None, "jwt", "at+jwt"}), "rfc9068": frozenset({"at+jwt"})}


class _Required:
    """Stands for a parameter that was left out, so that one error can name every mistake."""

    def __repr__(self) -> str:
        return "<required>"


REQUIRED: Final = cast("Any", _Required())


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The parameters of a JWTVerifier as given. Raises ConfigurationError when they make no sense together."""

    issuer: str | None
    audience: str | Container[str] | None
    keys: KeySource | None
    algorithms: Sequence[str] | None
    profile: str
    types: Iterable[str | None]
    leeway: float
    scope_claims: ScopeClaims
    required_claims: Sequence[str]
    max_token_age: float | None
    validate: Callable[[Claims], object] | None
    cache_size: int
    clock: Callable[[], float]
    transport: Transport | None

    def __post_init__(self) -> None:
        problems = [*self._identity_problems(), *self._key_problems(), *self._type_problems()]
        raise_problems("JWTVerifier", [*problems, *self._claim_problems(), *self._other_problems()])

    def rules(self) -> ClaimRules:
        of_profile = RFC9068_CLAIMS if self.profile == "rfc9068" else ()
        return ClaimRules(
            issuer=self.issuer,
            audience=self.audience,
            leeway=float(self.leeway),
            required=tuple(dict.fromkeys((*of_profile, *self.required_claims))),
            max_token_age=self.max_token_age,
            validate=self.validate,
        )

    def key_source(self) -> KeySource:
        if self.keys is not None:
            return self.keys
        return RemoteJWKSet.discover(str(self.issuer), transport=self.transport)

    def accepted_types(self) -> frozenset[str | None]:
        given = frozenset(None if typ is None else media_type(typ) for typ in self.types)
        return given or _TYPES[self.profile]

    def _identity_problems(self) -> Iterable[str]:
        issuer, audience = cast("object", self.issuer), cast("object", self.audience)
        if issuer is REQUIRED or (issuer is not None and not (isinstance(issuer, str) and issuer)):
            yield 'issuer is required: the exact `iss` of the tokens, such as issuer="https://id.example.com"'
        elif issuer is None and self.keys is None:
            yield "issuer=None needs keys=: there is nothing to discover them from"
        elif issuer is None and self.profile == "rfc9068":
            yield 'issuer=None contradicts profile="rfc9068", which demands `iss` (RFC 9068 §2.2)'
        yield from audience_problems(audience)
        if audience is None and self.profile == "rfc9068":
            yield 'audience=None contradicts profile="rfc9068", which demands `aud` (RFC 9068 §2.2)'

    def _key_problems(self) -> Iterable[str]:
        keys = cast("object", self.keys)
        if keys is None:
            if isinstance(self.issuer, str) and self.issuer and (problem := issuer_problem(self.issuer)):
                yield problem
        elif not isinstance(keys, KeySource):
            yield "keys must be a RemoteJWKSet(url), a StaticJWKSet(document) or a SharedSecret(secret)"
        elif self.transport is not None:
            yield "transport belongs to keys=RemoteJWKSet(url, transport=...) when keys are given"
        if self.algorithms is None:
            return
        if not isinstance(self.algorithms, tuple) or not self.algorithms:
            yield 'algorithms must be a list of names, such as ["RS256"]'
            return
        for name in self.algorithms:
            if not isinstance(name, str) or name not in ALGORITHMS:
                yield f"algorithm {name!r} is not supported: choose from {', '.join(ALGORITHMS)}"
            elif name not in (keys.algorithms if isinstance(keys, KeySource) else ALGORITHMS.keys() - SYMMETRIC):
                yield f"algorithm {name!r} does not fit: HS* needs keys=SharedSecret(...), all others public keys"

    def _type_problems(self) -> Iterable[str]:
        if not isinstance(self.profile, str) or self.profile not in _TYPES:
            yield f"profile must be one of {', '.join(map(repr, _TYPES))}"
        if not isinstance(self.types, tuple) or not all(typ is None or isinstance(typ, str) for typ in self.types):
            yield 'types must be a list of strings, None for an absent typ, such as types=["at+jwt", None]'
        elif self.profile == "rfc9068" and self.types:
            yield 'types cannot be chosen with profile="rfc9068", which demands at+jwt'

    def _claim_problems(self) -> Iterable[str]:
        yield from claim_name_problems("required_claims", self.required_claims)
        if not callable(self.scope_claims):
            yield from claim_name_problems("scope_claims", self.scope_claims)
            if not self.scope_claims:
                yield "scope_claims is empty: name a claim, or leave the parameter out"
        if self.validate is not None and not callable(self.validate):
            yield "validate must be a callable that takes the claims and raises InvalidClaim"

    def _other_problems(self) -> Iterable[str]:
        yield from leeway_problems(self.leeway)
        if self.max_token_age is not None and not (
            _is_number(self.max_token_age) and 0 < self.max_token_age < math.inf
        ):
            yield "max_token_age must be a number of seconds greater than 0, or None"
        if not isinstance(self.cache_size, int) or isinstance(self.cache_size, bool) or self.cache_size < 0:
            yield "cache_size must be a number of tokens, 0 for no cache"
        if not callable(self.clock):
            yield "clock must be a callable that returns seconds since the epoch, such as time.time"


def audience_problems(audience: object) -> Iterable[str]:
    """What is wrong with an audience that a verifier was given, or not given."""
    if audience is REQUIRED or audience == "" or isinstance(audience, bytes | bytearray | memoryview):
        yield 'audience is required: this API\'s identifier in `aud`, such as audience="https://api.example.com"'
    elif audience is not None and not isinstance(audience, str | Container):
        yield "audience must be a string or a container of strings"
    elif isinstance(audience, list | tuple | frozenset) and not audience:
        yield "audience is empty and would admit nobody: name this API's identifier"
    elif isinstance(audience, list | tuple | set | frozenset) and not all(
        isinstance(name, str) and name for name in audience
    ):
        yield "audience must hold strings, none of them empty"


def as_listed(given: Any) -> Any:
    """`given` as a tuple where it is a series, since it is read more than once; anything else is left to be judged."""
    return tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else given


def leeway_problems(leeway: object) -> Iterable[str]:
    """What is wrong with a leeway."""
    if not _is_number(leeway) or not 0 <= cast("float", leeway) <= LONGEST_LEEWAY:
        yield f"leeway must be 0 to {LONGEST_LEEWAY:g} seconds"


def claim_name_problems(parameter: str, names: object) -> Iterable[str]:
    """What is wrong with a list of claim names."""
    if isinstance(names, str) or not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        yield f'{parameter} must be a list of claim names, such as {parameter}=["scp"]'


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
