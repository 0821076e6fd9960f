"""What an issuer says about its tokens (RFC 7662), and verification of opaque tokens in its own store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bearer_guard import (
    AccessToken,
    AuthorityUnavailable,
    ConfigurationError,
    ExpiredToken,
    Guard,
    InactiveToken,
    IncomingRequest,
    IntrospectionVerifier,
    InvalidClaim,
    JWTVerifier,
    MalformedToken,
    UnknownKey,
)
from bearer_guard._flow import Request, Response
from bearer_guard.issuer import (
    STANDARD,
    Dialect,
    Issuer,
    IssuerKeys,
    IssuerRequest,
    JWTFormat,
    KeyRing,
    MemoryStore,
    OpaqueFormat,
    SigningKey,
    SQLiteStore,
    Store,
    StoreVerifier,
    plain_header,
    rfc9068_claims,
)
from bearer_guard.issuer._tokens import access_token_claims, header_for, signed

AS = "https://id.example.com"
API, OTHER = "https://api.example.com", "https://other.example.com"
FORM = {"content-type": "application/x-www-form-urlencoded"}
OPAQUE = Dialect(path="/opaque", token=OpaqueFormat())


def of_a_kind(claims: Mapping[str, Any]) -> None:
    if claims.get("kind") != "access":
        raise InvalidClaim("kind", "another kind of token")


def house_claims(grant: Any) -> dict[str, Any]:
    claims = {name: value for name, value in rfc9068_claims(grant).items() if name not in ("iss", "client_id")}
    return {**claims, "kind": "access", "scope": ["not", "read"], "scopes": ["a", "list"]}


HOUSE = Dialect(
    path="/house",
    token=JWTFormat(
        claims=house_claims,
        header=plain_header,
        validate=of_a_kind,
        identified=False,
        scope_claims=["scopes"],
        client_claim="sub",
    ),
)


class Bench:
    def __init__(self, store: Store | None = None) -> None:
        self.now = 1_800_000_000.0
        self.issuer = Issuer(AS, dialects=(STANDARD, OPAQUE, HOUSE), store=store, clock=lambda: self.now)
        self.caller = self.client(audience=API, scopes="b a")
        self.watcher = self.client(audience="nothing", introspects=[API])
        self.stranger = self.client(audience=API, introspects=OTHER)

    def client(self, **options: Any) -> dict[str, str]:
        client, secret = self.issuer.clients.add(**options)
        return {"client_id": client.client_id, "client_secret": secret}

    def post(self, path: str, credentials: dict[str, str], **members: str) -> dict[str, Any]:
        body = urlencode({**credentials, **members}).encode()
        response = self.issuer.respond(IssuerRequest("POST", path, FORM, body))
        assert response.status == 200, response.body
        answer: dict[str, Any] = json.loads(response.body)
        return answer

    def token(self, path: str = STANDARD.path) -> str:
        return str(self.post(path, self.caller, grant_type="client_credentials")["access_token"])

    def introspect(self, token: str, credentials: dict[str, str] | None = None) -> dict[str, Any]:
        return self.post("/oauth2/introspect", credentials or self.watcher, token=token)


@pytest.fixture(params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return Bench(MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "issuer.db"))


@pytest.mark.parametrize("path", [STANDARD.path, OPAQUE.path], ids=["a JWT", "an opaque token"])
def test_an_active_token_is_described_to_its_client_and_to_who_may_introspect_its_audience(
    bench: Bench, path: str
) -> None:
    token = bench.token(path)
    told = bench.introspect(token)
    assert told == bench.introspect(token, bench.caller)
    identifier = bench.caller["client_id"]
    assert told.pop("jti")
    assert told == {
        "active": True, "token_type": "Bearer", "iss": AS, "aud": API, "sub": identifier, "client_id": identifier,
        "iat": 1_800_000_000, "exp": 1_800_003_600, "scope": "a b",
    }  # fmt: skip


@pytest.mark.parametrize("path", [STANDARD.path, OPAQUE.path, HOUSE.path], ids=["a JWT", "an opaque token", "house"])
def test_a_client_that_may_not_see_a_token_learns_what_it_learns_of_none(bench: Bench, path: str) -> None:
    assert bench.introspect(bench.token(path), bench.stranger) == {"active": False}
    assert bench.introspect(bench.token(path) + "x", bench.watcher) == {"active": False}


@pytest.mark.parametrize("path", [STANDARD.path, OPAQUE.path, HOUSE.path], ids=["a JWT", "an opaque token", "house"])
def test_a_token_that_has_expired_is_inactive(bench: Bench, path: str) -> None:
    token = bench.token(path)
    bench.now += 3599
    assert bench.introspect(token)["active"] is True
    bench.now += 1
    assert bench.introspect(token) == {"active": False}


def test_a_client_that_is_called_as_a_subject_is_neither_told_of_its_token_nor_may_revoke_it(bench: Bench) -> None:
    user = bench.client(client_id="1302", audience=OTHER)
    claims = {**access_token_claims(issuer=AS, audience=(API,), client_id="app", scope="", issued_at=int(bench.now),
                                    lifetime=60), "sub": "1302"}  # fmt: skip
    key = bench.issuer.keys.current
    for token in (signed(header_for(key), claims, key), signed(header_for(key), {**claims, "client_id": None}, key)):
        assert bench.introspect(token, user) == {"active": False}
        refused = bench.issuer.respond(
            IssuerRequest("POST", "/oauth2/revoke", FORM, urlencode({**user, "token": token}).encode())
        )
        assert json.loads(refused.body).get("error") in ("invalid_grant", None)


def test_a_jwt_of_the_house_is_told_from_other_kinds_and_its_scopes_are_read_where_they_are(bench: Bench) -> None:
    told = bench.introspect(bench.token(HOUSE.path))
    assert told["active"] is True
    assert told["scope"] == "a list"
    assert "iss" not in told
    key = bench.issuer.keys.current
    claims = access_token_claims(issuer=AS, audience=API, client_id="c", issued_at=bench.now, lifetime=60)
    for header, members in [
        (header_for(key), {**claims, "iss": "https://another.example.com"}),
        (plain_header(key), {**claims, "kind": "access"}),  # names an issuer, as no token of the house does
        (plain_header(key), {name: value for name, value in claims.items() if name != "iss"}),
        ({**header_for(key), "typ": "JWT"}, claims),
    ]:
        assert bench.introspect(signed(header, members, key)) == {"active": False}
    other = SigningKey.generate()
    assert bench.introspect(signed(header_for(other), claims, other)) == {"active": False}
    assert bench.introspect(signed(header_for(key), claims, key))["active"] is True


def test_a_token_of_a_withdrawn_key_is_inactive(bench: Bench) -> None:
    token = bench.token()
    bench.issuer.rotate()
    assert bench.introspect(token)["active"] is True
    bench.issuer.keys.rotate(keep_old=False)
    assert bench.introspect(token) == {"active": False}


def test_a_guard_that_introspects_takes_both_kinds_of_tokens(bench: Bench) -> None:
    class Direct:
        def send(self, request: Request) -> Response:
            asked = IssuerRequest(request.method, request.url.removeprefix(AS), request.headers, request.body or b"")
            answer = bench.issuer.respond(asked)
            return Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    verifier = IntrospectionVerifier(
        endpoint=bench.issuer.metadata()["introspection_endpoint"],
        audience=API,
        issuer=AS,
        **bench.watcher,
        clock=lambda: bench.now,
        transport=Direct(),
    )
    for path in (STANDARD.path, OPAQUE.path):
        assert verifier.verify(bench.token(path)).scopes == {"a", "b"}
    with pytest.raises(InactiveToken):
        verifier.verify("unknown")


# --- in the issuer's own process ------------------------------------------------------------------------------------


def verified(verifier: Any, token: str) -> AccessToken:
    """The same in both colours."""
    found: AccessToken = verifier.verify(token)
    assert asyncio.run(verifier.averify(token)) == found
    return found


def test_an_opaque_token_is_verified_in_the_store_that_it_is_kept_in(bench: Bench) -> None:
    verifier = StoreVerifier(bench.issuer.store, audience=API, clock=lambda: bench.now)
    token = bench.token(OPAQUE.path)
    access = verified(verifier, token)
    assert access.is_client
    assert (access.client_id, access.audience, access.scopes) == (bench.caller["client_id"], (API,), {"a", "b"})
    assert repr(verifier) == "StoreVerifier()"
    with pytest.raises(InvalidClaim):
        StoreVerifier(bench.issuer.store, audience=OTHER, clock=lambda: bench.now).verify(token)
    with pytest.raises(InactiveToken):
        verifier.verify("unknown")
    with pytest.raises(MalformedToken):
        verifier.verify("x" * 20_000)
    bench.now += 3600
    with pytest.raises(InactiveToken):
        verifier.verify(token)
    bench.now -= 3600
    bench.post("/oauth2/revoke", bench.caller, token=token)
    with pytest.raises(InactiveToken):
        verifier.verify(token)


def test_a_store_that_keeps_too_long_lets_nobody_in() -> None:
    class Forgetless(MemoryStore):
        def token(self, digest: bytes, now: float) -> Any:
            return self._tokens.get(digest)

    bench = Bench(Forgetless())
    token = bench.token(OPAQUE.path)
    bench.now += 3600
    with pytest.raises(ExpiredToken):
        StoreVerifier(bench.issuer.store, audience=API, clock=lambda: bench.now).verify(token)


def test_a_store_verifier_wants_an_audience() -> None:
    with pytest.raises(ConfigurationError, match="audience"):
        StoreVerifier(MemoryStore())


def test_a_guard_by_the_issuers_own_keys_follows_its_rotations(bench: Bench) -> None:
    keys = IssuerKeys(bench.issuer.keys)
    guard = Guard(JWTVerifier(issuer=AS, audience=API, keys=keys, leeway=0, clock=lambda: bench.now))
    guard.warm()
    assert "issuer's own keys" in str(guard.status())
    assert repr(keys) == "IssuerKeys()"
    before = bench.token()
    bench.issuer.keys.rotate()
    after = bench.token()

    def check(token: str) -> AccessToken | None:
        return guard.check(IncomingRequest("GET", "/", {"authorization": f"Bearer {token}"}), "a")

    assert check(before) is not None
    assert check(after) is not None
    bench.issuer.keys.withdraw_old()
    with pytest.raises(UnknownKey):
        check(before)
    stranger = SigningKey.generate()
    with pytest.raises(UnknownKey):
        check(signed(header_for(stranger), rfc9068_claims_of(bench), stranger))


def rfc9068_claims_of(bench: Bench) -> dict[str, Any]:
    return access_token_claims(issuer=AS, audience=API, client_id="c", issued_at=bench.now, lifetime=60)


def test_a_key_that_another_process_has_added_is_looked_for_in_the_store(tmp_path: Path) -> None:
    here, there = (KeyRing(store=SQLiteStore(tmp_path / "issuer.db")) for _ in range(2))
    verifier = JWTVerifier(issuer=AS, audience=API, keys=IssuerKeys(here))
    key = there.rotate()
    claims = access_token_claims(issuer=AS, audience=API, client_id="c", issued_at=0, lifetime=2**40)
    token = signed(header_for(key), claims, key)
    assert verified(verifier, token).client_id == "c"


def test_a_shared_secret_signs_and_verifies_in_one_process() -> None:
    ring = KeyRing("HS256")
    claims = access_token_claims(issuer=AS, audience=API, client_id="c", issued_at=0, lifetime=2**40)
    token = signed(header_for(ring.current), claims, ring.current)
    assert JWTVerifier(issuer=AS, audience=API, keys=IssuerKeys(ring)).verify(token).client_id == "c"


def test_a_store_of_keys_that_is_away_is_a_503_and_no_refused_token(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "issuer.db")
    verifier = JWTVerifier(issuer=AS, audience=API, keys=IssuerKeys(KeyRing(store=store)))
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    other = SigningKey.generate()
    claims = access_token_claims(issuer=AS, audience=API, client_id="c", issued_at=0, lifetime=2**40)
    with pytest.raises(AuthorityUnavailable):
        verifier.verify(signed(header_for(other), claims, other))
