"""Opaque tokens, and what the authorization server says about them (RFC 7662, RFC 9701).

The server knows whether a token is active; whether it is meant for this API is judged here as for a JWT. Trouble at the
endpoint is never a client's fault: 503, and no answer is made of it.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, Final, cast

from ._answers import Answers
from ._claims import ClaimRules, Claims, scopes_of
from ._client_auth import ClientAuthentication, Secret, authentication_problems
from ._credentials import MAX_TOKEN_LENGTH
from ._errors import (
    ConfigurationError,
    InactiveToken,
    InvalidClaim,
    MalformedToken,
    duration_problems,
    raise_problems,
)
from ._flow import Flow, Transport
from ._introspector import Introspector
from ._keys import KeySource
from ._policy import REQUIRED, audience_problems, claim_name_problems, leeway_problems
from ._questions import NOBODYS_TOKEN, Questions, key_of
from ._signed_answer import SignedAnswer
from ._token import AccessToken
from ._transport import HTTPTransport, transport_problems
from ._urls import url_problem
from ._verifier import Source, SourceStatus, Verifier
from ._workers import Threaded

# What `token_type` and `token_use` say of a token that is active and yet no access token: RFC 7662 §2.1 lets a server
# speak of refresh tokens, too.
_OTHER_KINDS: Final = frozenset({"refresh", "refresh_token", "id_token", "mac", "pop"})


class IntrospectionVerifier(Verifier):
    """Asks the authorization server about each token, and remembers the answer for a while.

    `endpoint` is an https URL (http on loopback). `audience` is compared with each element of the answer's `aud`;
    None, written out, means that the answer must have none. `issuer`, when given, must equal `iss` where there is one.
    `auth` says how this API proves who it is: `basic` (url-encoded), `basic_raw`, `post`, `private_key_jwt` (with
    `private_key`, a PEM text, and `issuer` as its audience), `bearer` (the secret is the token), `none`. A yes is
    remembered for `cache_ttl` seconds and never past `exp`, a no for `negative_ttl`, `cache_size` tokens each. After a
    question that kept its caller waiting, or when it asks for that, the endpoint is left alone for 1 to 30 seconds and
    requests are answered at once; in any trouble a yes serves for `stale_if_error` more seconds (0: never). `signed`
    are the keys that signed answers must verify with (RFC 9701): plain ones are refused then. `timeout` is a total
    deadline in seconds of real time; `clock` returns NumericDates.

    Checked: `active` is true, `aud`, `exp`, `nbf`, `iat`, `iss`, `required_claims`, `validate`. Not checked: `cnf`,
    which the guard judges. A revoked token may pass for `cache_ttl` seconds. Raises ConfigurationError.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        audience: str | Container[str] | None = REQUIRED,
        issuer: str | None = None,
        client_id: str | None = None,
        client_secret: Secret | None = None,
        auth: str = "basic",
        leeway: float = 30.0,
        required_claims: Sequence[str] = (),
        validate: Callable[[Claims], object] | None = None,
        cache_ttl: float = 60.0,
        negative_ttl: float = 5.0,
        cache_size: int = 10_000,
        timeout: float = 5.0,
        signed: KeySource | None = None,
        ssl_context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
        transport: Transport | None = None,
        private_key: str | bytes | None = None,
        algorithm: str | None = None,
        stale_if_error: float = 0.0,
        proxy: str | None = None,
        unsafe_http: bool = False,
    ) -> None:
        credentials: dict[str, Any] = {
            "method": auth,
            "client_id": client_id,
            "client_secret": client_secret,
            "private_key": private_key,
            "algorithm": algorithm,
            "assertion_audience": issuer,
        }
        problems = [f"endpoint {problem}"] if (problem := url_problem(endpoint, unsafe_http=unsafe_http)) else []
        problems += [*audience_problems(audience), *leeway_problems(leeway), *authentication_problems(**credentials)]
        problems += claim_name_problems("required_claims", required_claims)
        problems += duration_problems({"timeout": timeout})
        problems += duration_problems(
            {"cache_ttl": cache_ttl, "negative_ttl": negative_ttl, "stale_if_error": stale_if_error}, zero=True
        )
        problems += _cache_problems(cache_size, stale_if_error)
        problems += _other_problems(issuer, signed, validate, clock)
        problems += transport_problems(transport, ssl_context, proxy)
        try:
            transport = transport or Threaded(HTTPTransport(ssl_context=ssl_context, proxy=proxy))
        except ConfigurationError as error:
            problems += error.problems
        raise_problems("IntrospectionVerifier", problems)
        keys = None if signed is None else SignedAnswer(signed, str(issuer), (client_id, audience), leeway, timeout)
        self._introspector: Final = Introspector(
            endpoint, cast("Transport", transport), ClientAuthentication(**credentials), keys
        )
        self._answers: Final = Answers(
            cache_size, positive=cache_ttl, negative=negative_ttl, grace=stale_if_error, clock=clock
        )
        self._questions: Final = Questions(self._introspector, self._answers, timeout, clock)
        self._clock: Final = clock
        self._issuer: Final = issuer
        self._rules: Final = ClaimRules(
            issuer=issuer,
            audience=audience,
            leeway=float(leeway),
            required=tuple(required_claims),
            max_token_age=None,
            validate=validate,
            expires=False,
        )

    def _flow(self, token: str) -> Flow[AccessToken]:
        if len(token) > MAX_TOKEN_LENGTH:
            raise MalformedToken(f"token longer than {MAX_TOKEN_LENGTH} characters", reason="token_too_long")
        if not token.isascii():
            raise MalformedToken("not ASCII")
        if token == NOBODYS_TOKEN:  # what it is asked about says how things are: no request may
            raise InactiveToken("it is nobody's")
        now = self._clock()
        key = key_of(token)
        answer = self._answers.find(key, now)
        if answer is None:
            answer = yield from self._questions.answer(token, key, now)
        if answer.claims is None:
            raise InactiveToken("the introspection endpoint says so")
        return self._judged(answer.claims, now)

    def _judged(self, claims: Claims, now: float) -> AccessToken:
        if any(not isinstance(claims.get(name, ""), str) for name in ("token_type", "token_use")):
            raise InvalidClaim("token_type", "not a string", reason="type_not_allowed")
        kinds = {claims.get(name, "").lower() for name in ("token_type", "token_use")}
        if kinds & _OTHER_KINDS:
            raise InvalidClaim("token_type", "another kind of token", reason="type_not_allowed")
        if "dpop" in kinds and "cnf" not in claims:
            raise InvalidClaim("cnf", "a DPoP token without a confirmation")
        known = dict(claims)
        if self._issuer is None:
            known.pop("iss", None)  # nobody said what it should be: the endpoint vouches for its own tokens
        elif "iss" not in known:
            known["iss"] = self._issuer
        self._rules.check(known, now)
        return AccessToken.from_claims(claims, scopes_of(known, ("scope",)))

    def status(self) -> SourceStatus:
        return self._questions.status()

    def rouse(self) -> None:
        """Begin a question, about no token of anybody's, where it is not known whether the endpoint answers."""
        self._questions.rouse()

    def warming(self) -> Flow[None]:
        return self._questions.warming()

    def _sources(self) -> Iterable[Source]:
        signed = self._introspector.signed
        return (self,) if signed is None else (self, signed.keys)

    def __repr__(self) -> str:
        return f"IntrospectionVerifier(endpoint={self._introspector.endpoint!r})"


def _cache_problems(cache_size: object, stale_if_error: object) -> Iterable[str]:
    if not isinstance(cache_size, int) or isinstance(cache_size, bool) or cache_size < 0:
        yield "cache_size must be a number of tokens, 0 for no cache"
    elif cache_size == 0 and stale_if_error:
        yield "stale_if_error serves remembered answers and cache_size=0 remembers none: leave one of them out"


def _other_problems(issuer: object, signed: object, validate: object, clock: object) -> Iterable[str]:
    if issuer is not None and not (isinstance(issuer, str) and issuer):
        yield "issuer must be a string, or None where the endpoint vouches for its own tokens"
    if signed is not None and not isinstance(signed, KeySource):
        yield "signed must be the keys of the server, such as RemoteJWKSet(url)"
    elif signed is not None and not issuer:
        yield "signed answers need issuer, which they must name (RFC 9701 §5)"
    if validate is not None and not callable(validate):
        yield "validate must be a callable that takes the claims and raises InvalidClaim"
    if not callable(clock):
        yield "clock must be a callable that returns seconds since the epoch, such as time.time"
