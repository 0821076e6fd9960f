"""A guard that remembers tokens beside one that does not, through whatever may happen: a hit never admits what the cold
path would now refuse, and says the same of what both admit."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bearer_guard import AccessDenied, AccessToken, Guard, IncomingRequest, JWTVerifier
from bearer_guard._cache import TokenCache
from bearer_guard._jwks import KeySet, load_jwks
from bearer_guard._keys import FixedKeys
from bearer_guard.issuer import SigningKey
from bearer_guard.testing import ABSENT, LocalIssuer, encode

API = "https://api.example.com"
START = 1_800_000_000.0
ISSUERS = [LocalIssuer(API, issuer=f"https://{name}.example.com", clock=lambda: START) for name in ("one", "two")]
KEYS = [SigningKey.generate("Ed25519") for _ in range(3)]


class PublishedKeys(FixedKeys):
    """What an issuer publishes at the moment, as a source would hold it after a fetch."""

    def publish(self, keys: KeySet) -> None:
        self._keys = keys


class RememberingAndForgetful(RuleBasedStateMachine):
    tokens = Bundle("tokens")
    hits: ClassVar[list[int]] = [0]

    @initialize(size=st.sampled_from([1, 2, 3, 10]), live=st.booleans())
    def two_guards(self, size: int, live: bool) -> None:
        self.now = START
        self.published = [0, 1]
        self.keys = PublishedKeys(_set_of(self.published), name="keys", algorithms=frozenset({"Ed25519"}))
        self.audiences = {API, "another"}
        self.banned: set[str] = set()
        rules: dict[str, Any] = {"audience": API, "scope_claims": ("scope",)}
        if live:
            rules = {"audience": self.audiences, "validate": lambda claims: claims.get("sub") not in self.banned}
        self.cached = self._guard(0, cache_size=size, **rules)
        self.uncached = self._guard(0, **rules)
        # Others that share the keys and, for the first, the kind of cache; nothing of theirs may count for the first.
        self.other_api = self._guard(0, cache_size=size, audience="another")
        self.other_issuer = self._guard(1, cache_size=size, audience=API)

    def _guard(self, issuer: int, **options: Any) -> Guard:
        name = ISSUERS[issuer].issuer
        return Guard(JWTVerifier(issuer=name, keys=self.keys, leeway=5, clock=lambda: self.now, **options))

    @rule(
        target=tokens,
        key=st.integers(0, 2),
        issuer=st.integers(0, 1),
        begins=st.sampled_from([-50, 0, 50]),
        lasts=st.sampled_from([10, 100, 1_000]),
        aud=st.sampled_from([API, "another", [API, "another"]]),
        scope=st.sampled_from(["", "read", "read write"]),
        sub=st.sampled_from(["a", "b"]),
        cnf=st.sampled_from([ABSENT, ABSENT, {"jkt": "x"}]),
    )
    def issued(self, key: int, issuer: int, begins: int, lasts: int, **claims: Any) -> str:
        begins_at, signer = self.now + begins, KEYS[key]
        times = {"iat": begins_at, "nbf": begins_at, "exp": self.now + lasts}
        header = {"alg": signer.algorithm, "kid": signer.kid, "typ": "at+jwt"}
        return encode(header, ISSUERS[issuer].claims(**times, **claims), signer)

    @rule(target=tokens, lasts=st.sampled_from([20, 600]), scope=st.sampled_from(["read", "read write"]))
    def issued_well(self, lasts: int, scope: str) -> str:
        token = self.issued(self.published[0], 0, 0, lasts, aud=[API, "another"], scope=scope, sub="a")
        self.presented(token)
        return token

    @rule(token=tokens)
    def presented(self, token: str) -> None:
        cache: TokenCache = self.cached._verifier._cache  # type: ignore[attr-defined]
        self.hits[0] += cache.find(token, self.keys.current(), self.now) is not None
        for required in (None, "write"):
            assert _answer(self.cached, token, required) == _answer(self.uncached, token, required)

    @rule(token=tokens, tail=st.sampled_from(["A", "=", " ", ".", "\n"]))
    def presented_with_a_change(self, token: str, tail: str) -> None:
        for changed in (token + tail, token[:-1], token.swapcase()):
            assert _answer(self.cached, changed, None) == _answer(self.uncached, changed, None)

    @rule(token=tokens)
    def presented_to_other_guards(self, token: str) -> None:
        _answer(self.other_api, token, None)
        _answer(self.other_issuer, token, None)

    @rule(by=st.sampled_from([-200.0, -20.0, 3.0, 10.0, 60.0, 500.0]))
    def the_clock_steps(self, by: float) -> None:
        self.now += by

    @rule(published=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True))
    def keys_are_published(self, published: list[int]) -> None:
        if published != self.published:  # equal content keeps the key-set object
            self.published = published
            self.keys.publish(_set_of(published))

    @rule(sub=st.sampled_from(["a", "b"]), token=tokens)
    def somebody_is_banned_or_pardoned(self, sub: str, token: str) -> None:
        self.presented(token)
        self.banned ^= {sub}
        self.presented(token)

    @rule(token=tokens)
    def an_audience_comes_or_goes(self, token: str) -> None:
        self.presented(token)
        self.audiences ^= {API}
        self.presented(token)

    @invariant()
    def the_cache_is_bounded(self) -> None:
        if hasattr(self, "cached"):
            cache = self.cached._verifier._cache  # type: ignore[attr-defined]
            assert len(cache) <= cache._room.size


def _set_of(numbers: list[int]) -> KeySet:
    return load_jwks({"keys": [KEYS[number].public_jwk for number in numbers]})


def _answer(guard: Guard, token: str, required: str | None) -> tuple[str, str] | AccessToken | None:
    request = IncomingRequest("GET", "/", {"authorization": f"Bearer {token}"})
    try:
        return guard.check(request, required)
    except AccessDenied as refused:
        return refused.reason, refused.detail


def test_a_hit_never_admits_what_the_cold_path_would_now_refuse() -> None:
    bounds = settings(derandomize=True, deadline=None, max_examples=60, stateful_step_count=40, database=None)
    RememberingAndForgetful.hits[0] = 0
    run_state_machine_as_test(RememberingAndForgetful, settings=bounds)
    assert RememberingAndForgetful.hits[0] > 50
