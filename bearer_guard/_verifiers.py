"""Verifiers of JSON Web Tokens: by one issuer's keys, by several, or by a token's shape (RFC 7519 §7.2, RFC 9068).

The order of the checks is part of the design: what needs no trust comes first (size, shape, algorithm, type), then
the signature, then the claims. Nothing is fetched for a token of an issuer that is not trusted, and a claim of an
unverified token decides one thing only: which of the configured issuers' policies the token has to meet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final, cast

from ._cache import Entry, TokenCache
from ._claims import Claims, ScopeClaims, scopes_of
from ._credentials import MAX_TOKEN_LENGTH
from ._errors import BadSignature, InvalidToken, MalformedToken, UntrustedIssuer, raise_problems
from ._flow import Begun, Flow, Transport
from ._jwks import KeySet
from ._jws import TOO_LONG, CompactJWS, Header, looks_like_jws, parse
from ._keys import KeySource
from ._policy import REQUIRED, Policy, as_listed
from ._signature import SignatureCheck
from ._strict import json_object
from ._token import AccessToken, Facts, token_of
from ._verifier import Source, Verifier, begin, known, overrides, works

MAX_HEADERS: Final = 64
"""Headers of verified tokens that a verifier remembers: an issuer has as many as it has keys."""


class JWTVerifier(Verifier):
    """Verifies JWT access tokens of one issuer for one API.

    `issuer` is compared exactly with `iss`; `audience`, a string or a container that answers `in`, with each element
    of `aud`. Both are required; None, written out, means that the claim must be absent. `keys` is a `RemoteJWKSet`, a
    `StaticJWKSet` or a `SharedSecret`; without it the keys of `issuer` are discovered. `algorithms` limits what a
    header may name, by default to what the keys are for. `profile="rfc9068"` demands `typ: at+jwt` and every claim of
    RFC 9068 §2.2; `types` replaces the types that the default profile accepts (absent, `JWT`, `at+jwt`). `leeway`,
    0-300 seconds, applies to `exp`, `nbf` and `iat`; `max_token_age` bounds the seconds since `iat`. The first of
    `scope_claims` that is present grants the scopes. `validate` gets the claims last, and raises `InvalidClaim` (or
    returns False) to refuse. `cache_size` tokens are remembered once verified. `clock` returns NumericDates.

    Checked: RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725. Not checked: revocation, and `cnf`, which the guard judges.
    Raises ConfigurationError while constructing, with every mistake at once.
    """

    def __init__(
        self,
        *,
        issuer: str | None = REQUIRED,
        audience: str | Container[str] | None = REQUIRED,
        keys: KeySource | None = None,
        algorithms: Sequence[str] | None = None,
        profile: str = "jwt",
        types: Iterable[str | None] = (),
        leeway: float = 30.0,
        scope_claims: ScopeClaims = ("scope", "scp"),
        required_claims: Sequence[str] = (),
        max_token_age: float | None = None,
        validate: Callable[[Claims], object] | None = None,
        cache_size: int = 0,
        clock: Callable[[], float] = time.time,
        transport: Transport | None = None,
    ) -> None:
        policy = Policy(
            issuer=issuer,
            audience=audience,
            keys=keys,
            algorithms=as_listed(algorithms),
            profile=profile,
            types=as_listed(types),
            leeway=leeway,
            scope_claims=scope_claims if callable(scope_claims) else as_listed(scope_claims),
            required_claims=as_listed(required_claims),
            max_token_age=max_token_age,
            validate=validate,
            cache_size=cache_size,
            clock=clock,
            transport=transport,
        )
        self.issuer: Final = issuer
        self._signatures: Final = SignatureCheck(policy.key_source(), policy.algorithms)
        self._rules: Final = policy.rules()
        self._types: Final = policy.accepted_types()
        self._allowed_types: Final = f"allowed: {', '.join(sorted(map(str, self._types)))}"
        self._scope_claims: Final = policy.scope_claims
        self._shared_scopes: Final[dict[str, frozenset[str]]] = {}
        self._clock: Final = clock
        self._cache: Final = TokenCache(cache_size) if cache_size else None
        self._live: Final = self._rules.live or callable(scope_claims)
        self._headers: Final[dict[bytes, Header]] = {}

    def _known(self, token: str) -> AccessToken | None:
        if len(token) > MAX_TOKEN_LENGTH:  # here already: a stranger's token costs as little as can be
            raise MalformedToken(TOO_LONG, reason="token_too_long")
        cache = self._cache
        if cache is None:
            return None
        now = self._clock()
        facts = cache.find(token, self._signatures.keys.current(), now)
        if facts is None:
            return None
        return token_of(self._judged_again(facts, now) if self._live else facts)

    def _begin(self, token: str) -> Begun[AccessToken]:
        return self.begin(token, parse(token, self._headers))

    def begin(self, token: str, jws: CompactJWS) -> Begun[AccessToken]:
        """The decision about `token`, which is not remembered, taken apart as `jws`."""
        now, signatures = self._clock(), self._signatures
        if jws.new_header:  # one that is known was that of a token which passed these
            signatures.check_algorithm(jws)
            self._check_type(jws)
        keys = signatures.keys.current()
        if keys is not None:
            if signatures.verified(jws, keys):
                return self._judged(token, jws, keys, now)
            signatures.check_refetch(jws, keys, now, self._check_worth)
        return self._judged_by_others(token, jws, keys, now)

    def _judged_by_others(self, token: str, jws: CompactJWS, tried: KeySet | None, now: float) -> Flow[AccessToken]:
        keys = yield from self._signatures.keys_that_verify(jws, tried, now, self._check_issuer, self._check_worth)
        return self._judged(token, jws, keys, now)

    def _judged(self, token: str, jws: CompactJWS, keys: KeySet, now: float) -> AccessToken:
        """The token whose signature `keys` have verified, by its claims."""
        claims = jws.unverified_claims()  # verified by now
        window = self._rules.check(claims, now)
        access_token = AccessToken.from_claims(claims, scopes_of(claims, self._scope_claims, self._shared_scopes))
        if jws.new_header and len(self._headers) < MAX_HEADERS:
            self._headers[jws.header_segment()] = jws.header
        if self._cache is not None:
            facts = jws.payload(), access_token.scopes, access_token.confirmation
            self._cache.keep(token, Entry(facts, window, keys))
        return access_token

    def _judged_again(self, facts: Facts, now: float) -> Facts:
        payload, _, confirmation = facts
        claims = json_object(cast("bytes", payload))
        self._rules.check(claims, now)
        return payload, scopes_of(claims, self._scope_claims), confirmation

    def _check_type(self, jws: CompactJWS) -> None:
        if jws.header.typ not in self._types:
            raise InvalidToken(self._allowed_types, reason="type_not_allowed")

    def _check_issuer(self, jws: CompactJWS) -> None:
        if not self._rules.trusts_issuer_of(jws.unverified_claims()):
            raise UntrustedIssuer(f"expected issuer {self.issuer!r}")

    def _check_worth(self, jws: CompactJWS, now: float) -> None:
        """Refuse a token that would be refused anyway, before other keys are asked for on its account."""
        self._check_issuer(jws)
        if self._rules.refused_by_time(jws.unverified_claims(), now):
            raise BadSignature("not verified by the keys at hand, and out of its time as well")

    def _sources(self) -> Iterable[Source]:
        return (self._signatures.keys,)

    def __repr__(self) -> str:
        return f"JWTVerifier(issuer={self.issuer!r})"


class MultiIssuer(Verifier):
    """Verifies tokens of several issuers, each by its own JWTVerifier: the one whose `issuer` equals the token's `iss`.

    The map is static: nothing is fetched for an issuer that is not on it (RFC 8725 §3.8). Raises ConfigurationError
    unless it is given JWTVerifiers of distinct issuers.
    """

    def __init__(self, *jwt_verifiers: JWTVerifier) -> None:
        raise_problems("MultiIssuer", _multi_issuer_problems(jwt_verifiers))
        self._by_issuer = {verifier.issuer: verifier for verifier in jwt_verifiers}
        self._by_header: Final[dict[str, JWTVerifier]] = {}

    def _known(self, token: str) -> AccessToken | None:
        likely = self._likely(token)  # what is found in its cache is its issuer's, by the whole token
        return None if likely is None else likely._known(token)

    def _likely(self, token: str) -> JWTVerifier | None:
        """The one that has verified a token with this header, told before anything is decoded."""
        return self._by_header.get(_header_of(token)) if len(token) <= MAX_TOKEN_LENGTH else None

    def _begin(self, token: str) -> Begun[AccessToken]:
        likely = self._likely(token)
        jws = parse(token) if likely is None else parse(token, likely._headers)
        issuer = jws.unverified_claims().get("iss")
        verifier = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if verifier is None:
            raise UntrustedIssuer(f"expected one of {', '.join(map(repr, self._by_issuer))}")
        if verifier is not likely:
            jws = parse(token)  # that another knows this header says nothing here
        if overrides(verifier):
            return begin(verifier, token)
        begun = verifier._known(token) or verifier.begin(token, jws)
        if isinstance(begun, AccessToken) and len(self._by_header) < MAX_HEADERS * len(self._by_issuer):
            self._by_header.setdefault(_header_of(token), verifier)  # only of tokens that have been verified
        return begun

    def _parts(self) -> Iterable[Verifier]:
        return self._by_issuer.values()


class Router(Verifier):
    """Sends a token to `jwt` or to `opaque` by its shape, and never to the second because the first refused it.

    JWT-shaped is what has three segments of which the first decodes to a JSON object; everything else is opaque.
    """

    def __init__(self, *, jwt: Verifier, opaque: Verifier) -> None:
        parts: dict[str, object] = {"jwt": jwt, "opaque": opaque}
        raise_problems(
            "Router",
            [
                f"{name} must be a Verifier that decides"
                for name, part in parts.items()
                if not (isinstance(part, Verifier) and works(part))
            ],
        )
        self._jwt = jwt
        self._opaque = opaque

    def _known(self, token: str) -> AccessToken | None:
        return known(self._jwt, token) if len(token) <= MAX_TOKEN_LENGTH else None

    def _begin(self, token: str) -> Begun[AccessToken]:
        return begin(self._jwt if looks_like_jws(token) else self._opaque, token)

    def _parts(self) -> Iterable[Verifier]:
        return (self._jwt, self._opaque)


def _header_of(token: str) -> str:
    return token[: token.find(".")]


def _multi_issuer_problems(verifiers: Sequence[object]) -> Iterable[str]:
    if not verifiers:
        yield "give at least one JWTVerifier"
    issuers: set[str | None] = set()
    for verifier in verifiers:
        if not isinstance(verifier, JWTVerifier):
            yield f"{type(verifier).__name__} is not a JWTVerifier"
        elif verifier.issuer is None:
            yield "a JWTVerifier with issuer=None cannot be chosen by `iss`"
        elif verifier.issuer in issuers:
            yield f"issuer {verifier.issuer!r} is given twice: put both audiences into one JWTVerifier"
        else:
            issuers.add(verifier.issuer)
