"""JWTVerifier, MultiIssuer and Router, the verified-token cache, and verifiers that somebody else writes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from bearer_guard import (
    AccessToken,
    AuthorityUnavailable,
    BadSignature,
    ExpiredToken,
    Guard,
    InactiveToken,
    IncomingRequest,
    InvalidClaim,
    InvalidToken,
    JWTVerifier,
    MalformedToken,
    MultiIssuer,
    Router,
    TokenNotYetValid,
    UnknownKey,
    UntrustedIssuer,
    Verifier,
)
from bearer_guard._verifier import is_async_only
from bearer_guard.testing import ABSENT, LocalIssuer

API = "https://api.example.com"


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> LocalIssuer:
    return LocalIssuer(API, clock=clock)


# --- JWTVerifier ---------------------------------------------------------------------------------------------------


def test_a_token_is_what_its_claims_say_in_both_colours(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier()
    token = issuer.token(scope="b a", sub="u1", roles=["x"])
    for found in (verifier.verify(token), asyncio.run(verifier.averify(token))):
        assert (found.subject, found.scopes, found.audience) == ("u1", {"a", "b"}, (API,))
        assert found.claims["roles"] == ("x",)
    assert repr(verifier) == f"JWTVerifier(issuer={issuer.issuer!r})"


def test_house_rules_come_last_and_refuse_by_raising_or_by_false(issuer: LocalIssuer) -> None:
    def tenants(claims: Any) -> None:
        if claims["tenant"] != "eu":
            raise InvalidClaim("tenant")

    verifier = issuer.verifier(validate=tenants)
    assert verifier.verify(issuer.token(tenant="eu"))
    with pytest.raises(InvalidClaim) as raised:
        verifier.verify(issuer.token(tenant="us"))
    assert raised.value.claim == "tenant"
    with pytest.raises(InvalidClaim):
        issuer.verifier(validate=lambda claims: False).verify(issuer.token())


def test_a_live_audience_admits_whoever_is_registered_at_the_moment(issuer: LocalIssuer) -> None:
    clients: set[str] = set()
    for size in (0, 10):
        clients.clear()
        verifier, token = issuer.verifier(audience=clients, cache_size=size), issuer.token(aud="c1")
        with pytest.raises(InvalidClaim):
            verifier.verify(token)
        clients.add("c1")
        assert verifier.verify(token)
        assert verifier.verify(token)
        clients.remove("c1")
        with pytest.raises(InvalidClaim):
            verifier.verify(token)


def test_a_token_older_than_it_may_be_is_refused(issuer: LocalIssuer, clock: Clock) -> None:
    verifier = issuer.verifier(max_token_age=60)
    token = issuer.token(expires_in=3600)
    clock.now += 59
    assert verifier.verify(token)
    clock.now += 1
    with pytest.raises(ExpiredToken, match="max_token_age 60 s"):
        verifier.verify(token)
    with pytest.raises(InvalidClaim):
        verifier.verify(issuer.token(iat=ABSENT))


def test_scopes_may_be_read_by_a_callable(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier(scope_claims=lambda claims: claims.get("roles"), cache_size=5)
    for _ in range(2):
        assert verifier.verify(issuer.token(roles=["a"])).scopes == {"a"}
    assert verifier.verify(issuer.token(scope="a")).scopes == frozenset()


def test_a_token_that_is_out_of_time_spends_no_refetch(issuer: LocalIssuer, clock: Clock) -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token())
    source = verifier._signatures.keys
    begun = source.status()["fetches"]["begun"]
    with pytest.raises(BadSignature, match="out of its time"):
        verifier.verify(issuer.token(headers={"kid": "other"}, expires_in=-60))
    with pytest.raises(UntrustedIssuer):
        verifier.verify(issuer.token(headers={"kid": "other"}, iss="https://other.example"))
    assert source.status()["fetches"]["begun"] == begun
    with pytest.raises(UnknownKey):
        verifier.verify(issuer.token(headers={"kid": "other"}))
    assert source.status()["fetches"]["begun"] > begun


def test_a_signature_that_is_none_is_malformed_whatever_keys_there_are(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier()
    status = verifier._signatures.keys.status

    def respelled(**header: str) -> str:
        return issuer.token(headers=header) + "="

    with pytest.raises(MalformedToken):
        verifier.verify(respelled())
    assert status()["fetches"]["begun"] == 0  # no keys yet, and none are asked for on its account
    verifier.verify(issuer.token())
    begun = status()["fetches"]["begun"]
    for token in (respelled(), respelled(kid="other")):
        with pytest.raises(MalformedToken):
            verifier.verify(token)
    assert status()["fetches"]["begun"] == begun
    issuer.outage()
    with pytest.raises(AuthorityUnavailable):
        verifier.verify(issuer.token(headers={"kid": "other"}))
    for token in (respelled(), respelled(kid="other")):
        with pytest.raises(MalformedToken):  # and not what an outage makes of a good one
            verifier.verify(token)


def test_nothing_is_fetched_for_another_issuer_even_when_there_are_no_keys_yet(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier()
    with pytest.raises(UntrustedIssuer):
        verifier.verify(issuer.token(iss="https://other.example"))
    assert verifier._signatures.keys.status()["fetches"]["begun"] == 0


def test_only_so_many_headers_are_remembered(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier()
    for number in range(70):
        assert verifier.verify(issuer.token(headers={"x": number}))
    assert len(verifier._headers) == 64


# --- the cache -----------------------------------------------------------------------------------------------------


def test_a_remembered_token_is_not_verified_twice_and_no_request_shares_anything(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier(cache_size=10)
    token = issuer.token(scope="a", roles=[{"x": 1}])
    first, second = verifier.verify(token), verifier.verify(token)
    assert first == second
    assert first is not second
    assert second.subject == "local-user"
    with pytest.raises(TypeError):
        second.claims["roles"][0]["x"] = 2
    assert second.scopes is first.scopes


@pytest.mark.parametrize("options", [{}, {"validate": lambda claims: None}], ids=["plain", "with house rules"])
def test_a_remembered_token_is_refused_when_its_time_is_over(
    issuer: LocalIssuer, clock: Clock, options: dict[str, Any]
) -> None:
    verifier = issuer.verifier(cache_size=10, **options)
    token = issuer.token(expires_in=60, nbf=clock.now)
    assert verifier.verify(token)
    clock.now -= 1
    with pytest.raises(TokenNotYetValid):
        verifier.verify(token)
    clock.now += 61
    with pytest.raises(ExpiredToken):
        verifier.verify(token)


def test_a_remembered_token_is_forgotten_with_the_keys_that_verified_it(issuer: LocalIssuer) -> None:
    verifier = issuer.verifier(cache_size=10)
    old = issuer.token()
    assert verifier.verify(old)
    issuer.rotate(keep_old=False)
    assert verifier.verify(issuer.token())
    with pytest.raises(InvalidToken):
        verifier.verify(old)


def test_an_over_long_token_is_not_even_looked_up(issuer: LocalIssuer) -> None:
    with pytest.raises(MalformedToken):
        issuer.verifier(cache_size=10).verify("a" * 20_000)


# --- several issuers, several shapes -------------------------------------------------------------------------------


def test_each_issuer_has_its_own_keys_and_rules() -> None:
    one = LocalIssuer(API, issuer="https://one.example")
    two = LocalIssuer(API, issuer="https://two.example", algorithm="EdDSA")
    guard = Guard(MultiIssuer(one.verifier(), two.verifier(required_claims=["tenant"])))
    verifier = guard._verifier
    assert verifier.verify(one.token()).issuer == one.issuer
    assert verifier.verify(two.token(tenant="a")).issuer == two.issuer
    for wrong in (two.token(), one.token(iss=two.issuer), one.token(iss="x"), one.token(iss=["https://one.example"])):
        with pytest.raises(InvalidToken):
            verifier.verify(wrong)
    assert [source["state"] for source in guard.status()["sources"]] == ["fresh", "fresh"]


@pytest.mark.parametrize("shared", [True, False], ids=["same header", "own headers"])
def test_every_issuer_has_its_own_cache_whatever_the_headers(shared: bool, clock: Clock) -> None:
    issuers = [LocalIssuer(API, issuer=f"https://{name}.example", clock=clock) for name in ("one", "two")]
    verifier = MultiIssuer(*(issuer.verifier(cache_size=10) for issuer in issuers))
    headers = {"kid": ABSENT} if shared else {}
    tokens = [issuer.token(headers=headers, expires_in=60) for issuer in issuers]
    for _ in range(3):
        assert [verifier.verify(token).issuer for token in tokens] == [issuer.issuer for issuer in issuers]
    clock.now += 120
    for token in tokens:
        with pytest.raises(ExpiredToken):
            verifier.verify(token)


def test_a_header_that_one_of_several_issuers_may_use_is_judged_anew_for_another() -> None:
    one, two = (
        LocalIssuer(audience=API, issuer="https://one.example"),
        LocalIssuer(audience=API, issuer="https://two.example"),
    )
    verifier = MultiIssuer(one.verifier(), two.verifier(profile="rfc9068"))
    header = {"typ": "JWT", "kid": ABSENT}
    for _ in range(2):
        assert verifier.verify(one.token(headers=header)).issuer == one.issuer
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(two.token(headers=header))
    assert refused.value.reason == "type_not_allowed"
    assert verifier.verify(two.token(headers={**header, "typ": "at+jwt"})).issuer == two.issuer


def test_a_router_hands_what_is_too_long_for_a_jwt_to_the_other_verifier(issuer: LocalIssuer) -> None:
    router = Router(jwt=issuer.verifier(cache_size=10), opaque=Opaque())
    assert router.verify("x" * 20_000).subject == "opaque xxxx"
    with pytest.raises(MalformedToken):
        MultiIssuer(issuer.verifier(cache_size=10)).verify("x" * 20_000)


def test_an_issuer_whose_verifier_overrides_verify_is_asked_through_it() -> None:
    one = LocalIssuer(API)

    class Stricter(JWTVerifier):
        def verify(self, token: str) -> AccessToken:
            found = super().verify(token)
            if "admin" in found.scopes:
                raise InactiveToken("no administrators here")
            return found

    strict = Stricter(issuer=one.issuer, audience=API, keys=one.keys())
    for verifier in (strict, MultiIssuer(strict), Router(jwt=strict, opaque=strict)):
        assert verifier.verify(one.token(scope="read"))
        with pytest.raises(InactiveToken):
            verifier.verify(one.token(scope="admin"))
        with pytest.raises(InactiveToken):
            asyncio.run(verifier.averify(one.token(scope="admin")))


class Opaque(Verifier):
    def verify(self, token: str) -> AccessToken:
        return AccessToken(subject=f"opaque {token[:4]}")


def test_a_token_goes_where_its_shape_belongs_and_never_to_the_other_verifier(issuer: LocalIssuer) -> None:
    router = Router(jwt=issuer.verifier(), opaque=Opaque())
    assert router.verify(issuer.token()).subject == "local-user"
    for token in ("8xLOxBtZp8", "a.b.c", "eyJhbGciOiJkaXIifQ....", "." * 20, "é.é.é"):
        assert router.verify(token).subject == f"opaque {token[:4]}"
    with pytest.raises(InvalidToken):
        router.verify(issuer.token(aud="other"))


# --- verifiers of others -------------------------------------------------------------------------------------------


class AsyncOnly(Verifier):
    async def averify(self, token: str) -> AccessToken:
        await asyncio.sleep(0)
        return AccessToken(subject=token)


class Both(AsyncOnly):
    def verify(self, token: str) -> AccessToken:
        return AccessToken(subject="blocking")


REQUEST = IncomingRequest("GET", "/", {"authorization": "Bearer x"})


def test_a_blocking_verifier_works_in_a_coroutine_in_a_thread_of_its_own() -> None:
    class Where(Verifier):
        def verify(self, token: str) -> AccessToken:
            return AccessToken(subject=str(threading.get_ident()))

    found = asyncio.run(Guard(Where()).acheck(REQUEST))
    assert found is not None
    assert found.subject != str(threading.get_ident())
    assert asyncio.run(Where().averify("x")).subject


def test_a_coroutine_verifier_works_in_a_coroutine_only() -> None:
    found = asyncio.run(Guard(AsyncOnly()).acheck(REQUEST))
    assert found is not None
    assert found.subject == "x"
    assert is_async_only(AsyncOnly())
    assert is_async_only(Router(jwt=AsyncOnly(), opaque=Opaque()))
    assert not is_async_only(Both())
    for ask in (lambda: Guard(AsyncOnly()).check(REQUEST), lambda: AsyncOnly().verify("x")):
        with pytest.raises(TypeError, match="averify alone"):
            ask()


def test_a_verifier_of_both_colours_is_asked_in_each() -> None:
    assert Both().verify("x").subject == "blocking"
    assert asyncio.run(Both().averify("x")).subject == "x"


@pytest.mark.parametrize("result", [None, True, {"sub": "x"}, "x"])
def test_what_is_no_access_token_never_admits(result: Any) -> None:
    class Careless(Verifier):
        def verify(self, token: str) -> AccessToken:
            return result  # type: ignore[no-any-return]

    with pytest.raises(TypeError, match="not an AccessToken"):
        Guard(Careless()).check(REQUEST)


def test_a_verifier_that_overrides_nothing_says_so() -> None:
    with pytest.raises(TypeError, match="must override"):
        type("Nothing", (Verifier,), {})().verify("x")


def test_any_other_exception_of_a_verifier_propagates_and_admits_nobody() -> None:
    class Broken(Verifier):
        def verify(self, token: str) -> AccessToken:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        Guard(Broken()).check(REQUEST)
    with pytest.raises(KeyError):
        asyncio.run(Guard(Broken()).acheck(REQUEST))


def test_a_mixin_that_refuses_is_never_bypassed(issuer: LocalIssuer) -> None:
    class Audited:
        def verify(self, token: str) -> AccessToken:
            raise InactiveToken("audited")

    class Mixed(Audited, JWTVerifier):
        pass

    mixed = Mixed(issuer=issuer.issuer, audience=API, keys=issuer.keys())
    incoming = IncomingRequest("GET", "/", issuer.authorization())
    with pytest.raises(InactiveToken):
        Guard(mixed).check(incoming)
    with pytest.raises(InactiveToken):
        asyncio.run(Guard(mixed).acheck(incoming))


def test_made_up_kids_take_no_room() -> None:
    from bearer_guard import SharedSecret

    source = SharedSecret(bytes(range(7, 250, 5)))
    keys = source.current()
    assert keys is not None
    for number in range(100):
        keys.checks("HS256", f"made up {number}", listed=False)
    assert not keys._checks
