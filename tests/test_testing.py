"""LocalIssuer: good tokens, broken ones, rotation, outage, slowness, override and serving."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    BadSignature,
    ConfigurationError,
    Guard,
    IncomingRequest,
    InvalidClaim,
    JWTVerifier,
    RemoteJWKSet,
    UnknownKey,
    UntrustedIssuer,
    Verifier,
)
from bearer_guard._errors import (
    ExpiredToken,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MalformedToken,
    MissingToken,
    TokenNotYetValid,
)
from bearer_guard._flow import ExchangeFailed, Request
from bearer_guard._jose import ALGORITHMS
from bearer_guard._strict import b64url_decode
from bearer_guard.testing import ABSENT, BrokenToken, LocalIssuer, LocalServer, encode

API = "https://api.example.com"
NOW = 1_800_000_000.0
FAMILIES = ["ES256", "RS256", "PS384", "HS256", "HS512", "Ed25519", "EdDSA", "ML-DSA-44"]


def asking(authorization: str) -> IncomingRequest:
    return IncomingRequest("GET", "/", {"Authorization": authorization})


def verified(guard: Guard, token: str) -> AccessToken:
    access = guard.check(asking(f"Bearer {token}"))
    assert access is not None
    return access


def claims_of(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(b64url_decode(token.split(".")[1].encode()))
    return decoded


def header_of(token: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(b64url_decode(token.partition(".")[0].encode()))
    return decoded


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    made = LocalIssuer(audience=API)
    yield made
    made.restore()


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_token_of_every_algorithm_passes_the_issuers_own_verifier(algorithm: str) -> None:
    issuer = LocalIssuer(audience=API, algorithm=algorithm)
    access = issuer.verifier(profile="rfc9068").verify(issuer.token(scope="a b"))
    assert access.scopes == {"a", "b"}
    assert (access.subject, access.client_id) == ("local-user", "local-client")


def test_claims_and_headers_replace_what_would_be_there_and_absent_removes_it(issuer: LocalIssuer) -> None:
    token = issuer.token(scope=["a", "b"], headers={"typ": "JWT", "kid": ABSENT}, sub="u1", jti=ABSENT, house=[1])
    assert header_of(token) == {"alg": "ES256", "typ": "JWT"}
    claims = claims_of(token)
    assert (claims["scope"], claims["sub"], claims["house"]) == ("a b", "u1", [1])
    assert "jti" not in claims
    assert repr(ABSENT) == "ABSENT"


def test_authorization_is_the_header_field_of_a_token(issuer: LocalIssuer) -> None:
    fields = issuer.authorization(scope="read", sub="u1")
    access = Guard(issuer.verifier()).check(IncomingRequest("GET", "/", fields), "read")
    assert access is not None
    assert access.subject == "u1"


def test_a_token_expires_by_the_issuers_clock_without_leeway() -> None:
    clock = itertools.repeat(NOW)
    issuer = LocalIssuer(audience=API, clock=lambda: next(clock))
    guard = Guard(issuer.verifier())
    assert verified(guard, issuer.token(expires_in=1)).expires_at == NOW + 1
    for expires_in in (0, -60):
        with pytest.raises(ExpiredToken):
            verified(guard, issuer.token(expires_in=expires_in))
    assert verified(Guard(issuer.verifier(leeway=61)), issuer.token(expires_in=-60)).expires_at == NOW - 60


def test_every_verifier_parameter_may_be_given_and_comes_first(issuer: LocalIssuer) -> None:
    keys = issuer.keys()
    other = issuer.verifier(audience="https://other.example", keys=keys, scope_claims=("roles",))
    assert other.verify(issuer.token(aud="https://other.example", roles=["admin"])).scopes == {"admin"}
    with pytest.raises(InvalidClaim):
        other.verify(issuer.token())


def test_an_explicit_issuer_is_kept_whether_it_is_a_url_or_not() -> None:
    for identifier in ("https://id.example.com/t1", "An ID"):
        issuer = LocalIssuer(audience=API, issuer=identifier)
        assert issuer.verifier().verify(issuer.token()).issuer == identifier
        with issuer.serve():
            assert issuer.issuer == identifier


def test_two_issuers_do_not_trust_each_other() -> None:
    first, second = LocalIssuer(audience=API), LocalIssuer(audience=API, issuer="https://second.example")
    with pytest.raises(UnknownKey):
        first.verifier().verify(LocalIssuer(audience=API).token())
    with pytest.raises(UntrustedIssuer):
        first.verifier().verify(second.token())


def test_metadata_can_be_discovered_through_the_transport(issuer: LocalIssuer) -> None:
    keys = RemoteJWKSet.discover(issuer.issuer, transport=issuer.transport)
    assert issuer.verifier(keys=keys).verify(issuer.token()).issuer == "https://issuer.example"


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_after_a_rotation_tokens_of_both_keys_pass(algorithm: str) -> None:
    issuer = LocalIssuer(audience=API, algorithm=algorithm)
    guard = Guard(issuer.verifier())
    tokens = [issuer.token()]
    verified(guard, tokens[0])
    for _ in range(3):
        issuer.rotate()
        tokens.append(issuer.token())
        for token in tokens:
            verified(guard, token)


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_after_a_rotation_without_overlap_old_tokens_are_refused(algorithm: str) -> None:
    issuer = LocalIssuer(audience=API, algorithm=algorithm)
    guard = Guard(issuer.verifier())
    old = issuer.token()
    verified(guard, old)
    issuer.rotate(keep_old=False)
    verified(guard, issuer.token())
    with pytest.raises(InvalidToken):
        verified(guard, old)


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_in_an_outage_a_warm_guard_admits_and_a_cold_one_answers_503(algorithm: str) -> None:
    issuer = LocalIssuer(audience=API, algorithm=algorithm)
    warm, cold = Guard(issuer.verifier()), Guard(issuer.verifier())
    token = issuer.token()
    verified(warm, token)
    with issuer.outage():
        verified(warm, token)
        with pytest.raises(AuthorityUnavailable):
            verified(cold, token)
    assert verified(Guard(issuer.verifier()), token).issuer == issuer.issuer


def test_a_key_that_appears_in_an_outage_is_503_and_never_401(issuer: LocalIssuer) -> None:
    guard = Guard(issuer.verifier())
    verified(guard, issuer.token())
    issuer.outage()
    issuer.rotate()
    with pytest.raises(AuthorityUnavailable):
        verified(guard, issuer.token())


def test_a_secret_is_handed_out_by_its_age_and_not_in_an_outage() -> None:
    issuer = LocalIssuer(audience=API, algorithm="HS256")
    old = issuer.key.secret
    issuer.rotate()
    assert [issuer._secret_number(number)() for number in range(3)] == [issuer.key.secret, old, old]
    with issuer.outage(), pytest.raises(OSError, match="down"):
        issuer._secret_number(0)()


def send(issuer: LocalIssuer, timeout: float = 5.0) -> int:
    request = Request(method="GET", url="https://issuer.example/.well-known/jwks.json", timeout=timeout)
    return issuer.transport.send(request).status


def test_trouble_ends_with_its_block_by_itself_or_all_at_once(issuer: LocalIssuer) -> None:
    first = issuer.outage()
    with issuer.outage():
        pass
    with pytest.raises(ExchangeFailed, match="down"):
        send(issuer)
    first.end()
    first.end()
    assert send(issuer) == 200
    issuer.outage()
    issuer.slow(60)
    issuer.restore()
    assert send(issuer) == 200
    assert repr(issuer.transport) == "InProcess()"


def test_an_answer_slower_than_the_request_has_patience_is_no_answer(issuer: LocalIssuer) -> None:
    with issuer.slow(60), pytest.raises(ExchangeFailed, match="in time"):
        send(issuer, timeout=0.01)


def test_a_slow_answer_comes_in_the_end(issuer: LocalIssuer) -> None:
    with issuer.slow(0.01):
        assert send(issuer) == 200


@pytest.mark.parametrize("ending", ["restore", "outage"])
def test_whoever_waits_for_a_slow_answer_notices_at_once_what_happens(issuer: LocalIssuer, ending: str) -> None:
    issuer.slow(60)
    seen: list[object] = []

    def ask() -> None:
        try:
            seen.append(send(issuer, timeout=60))
        except ExchangeFailed as failure:
            seen.append(str(failure))

    asking = threading.Thread(target=ask)
    asking.start()
    getattr(issuer, ending)()
    asking.join(10)
    assert seen == ([200] if ending == "restore" else ["the local issuer is down"])


class Closed(Verifier):
    def verify(self, token: str) -> AccessToken:
        raise InvalidClaim("aud")


def test_override_makes_one_guard_verify_by_this_issuer_until_the_end_of_the_block(issuer: LocalIssuer) -> None:
    guard, other = Guard(Closed()), Guard(Closed())
    token = issuer.token()
    with issuer.override(guard) as same:
        assert same is guard
        verified(guard, token)
        assert asyncio.run(guard.acheck(asking(f"Bearer {token}"))) is not None
        with pytest.raises(InvalidClaim):
            verified(other, token)
    with pytest.raises(InvalidClaim):
        verified(guard, token)


def test_overrides_nest_and_end_also_when_the_block_fails(issuer: LocalIssuer) -> None:
    guard, second = Guard(Closed()), LocalIssuer(audience=API, issuer="https://second.example")

    def fail() -> None:
        with issuer.override(guard), second.override(guard, audience="https://other.example"):
            verified(guard, second.token(aud="https://other.example"))
            with pytest.raises(UntrustedIssuer):
                verified(guard, issuer.token())
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with issuer.override(guard):
        with second.override(guard):
            verified(guard, second.token())
        verified(guard, issuer.token())
    with pytest.raises(InvalidClaim):
        verified(guard, issuer.token())


@pytest.mark.parametrize("profile", ["jwt", "rfc9068"])
@pytest.mark.parametrize("algorithm", FAMILIES)
def test_every_broken_token_is_refused_with_the_announced_status_and_error(algorithm: str, profile: Any) -> None:
    issuer = LocalIssuer(audience=API, algorithm=algorithm)
    guard = Guard(issuer.verifier(profile=profile))
    assert guard.check(IncomingRequest("GET", "/", issuer.authorization(scope="a")), "a") is not None
    wrong: list[tuple[str, object]] = []
    for bad in issuer.broken_tokens(scope="a", profile=profile):
        try:
            guard.check(asking(bad.authorization), "a")
        except AccessDenied as refused:
            if (refused.status, refused.error) != (bad.status, bad.error):
                wrong.append((bad.name, refused))
        else:
            wrong.append((bad.name, "admitted"))
    assert wrong == []


def test_broken_tokens_meet_every_kind_of_refusal_that_a_request_can() -> None:
    issuer = LocalIssuer(audience=API)
    guard = Guard(issuer.verifier())
    met: set[type] = set()
    for bad in issuer.broken_tokens(scope=["a"]):
        with pytest.raises(AccessDenied) as caught:
            guard.check(asking(bad.authorization), "a")
        met.add(caught.type)
    assert met >= {
        MissingToken,
        InvalidRequest,
        MalformedToken,
        UntrustedIssuer,
        UnknownKey,
        BadSignature,
        ExpiredToken,
        TokenNotYetValid,
        InvalidClaim,
        InsufficientScope,
    }


def test_no_broken_token_is_good_where_audience_and_issuer_have_no_case() -> None:
    numbered = LocalIssuer(audience="407408718192", issuer="12345")
    guard = Guard(numbered.verifier())
    for bad in numbered.broken_tokens():
        with pytest.raises(AccessDenied):
            guard.check(asking(bad.authorization), "a")


def test_broken_tokens_have_unique_slugs_and_hide_their_credentials(issuer: LocalIssuer) -> None:
    broken = list(issuer.broken_tokens(profile="rfc9068"))
    names = [bad.name for bad in broken]
    assert len(names) == len(set(names)) > 150
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in names)
    assert "lacks-scope" not in names
    assert {f"{claim}-absent" for claim in ("iss", "aud", "exp", "sub", "client-id", "iat", "jti")} < set(names)
    assert all(bad.authorization not in repr(bad) for bad in broken)
    assert broken[0] == BrokenToken(name="other-scheme", authorization="Basic Zm9vOmJhcg==", error=None)


def test_encode_signs_whatever_it_is_given(issuer: LocalIssuer) -> None:
    assert encode(b"{", b"}", lambda _: b"") == "ew.fQ."
    token = encode({"alg": "ES256", "kid": issuer.key.kid}, issuer.claims(), issuer.key)
    assert issuer.verifier().verify(token).subject == "local-user"


def post(url: str, body: str, content_type: str) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": content_type})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def token_from(server: LocalServer, client: tuple[str, str] | None = None) -> str:
    client_id, secret = client or (server.client_id, server.client_secret)
    body = {"client_id": client_id, "client_secret": secret, "grant_type": "client_credentials"}
    status, answer = post(server.json_token_endpoint, json.dumps(body), "application/json")
    assert status == 200
    token: str = answer["access_token"]
    return token


def test_serve_is_a_real_issuer_on_loopback(issuer: LocalIssuer) -> None:
    with issuer.serve(scopes="read write") as server:
        guard = Guard(JWTVerifier(issuer=server.url, audience=API))
        assert issuer.issuer == server.url
        assert verified(guard, token_from(server)).scopes == {"read", "write"}
        assert verified(guard, issuer.token(sub="u1")).subject == "u1"
        form = f"grant_type=client_credentials&client_id={server.client_id}&client_secret={server.client_secret}"
        assert post(server.token_endpoint, form, "application/x-www-form-urlencoded")[0] == 200
        assert server.jwks_uri == f"{server.url}/.well-known/jwks.json"
        assert server.requests == [
            "/v1/oauth/token",
            "/.well-known/oauth-authorization-server",
            "/.well-known/jwks.json",
            "/oauth2/token",
        ]
        assert repr(server) == f"LocalServer('{server.url}')"
        assert server.client_secret not in repr(issuer) + repr(server)
    assert issuer.issuer == "https://issuer.example"
    with pytest.raises(ConnectionRefusedError):
        token_from(server)


def test_a_served_issuer_in_an_outage_refuses_connections_and_comes_back_on_its_port(issuer: LocalIssuer) -> None:
    with issuer.serve() as server:
        guard = Guard(JWTVerifier(issuer=server.url, audience=API))
        token = token_from(server)
        verified(guard, token)
        with issuer.outage():
            with pytest.raises(ConnectionRefusedError):
                token_from(server)
            verified(guard, token)
        verified(guard, token_from(server))


def test_an_outage_cuts_off_whoever_waits_for_a_slow_answer(issuer: LocalIssuer) -> None:
    with issuer.serve() as server:
        parts = urlsplit(server.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        with issuer.slow(60):
            connection.request("GET", "/.well-known/jwks.json")
            with issuer.outage(), pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                connection.getresponse()
        connection.close()


def test_further_clients_have_scopes_and_an_audience_of_their_own(issuer: LocalIssuer) -> None:
    with issuer.serve() as server:
        claims = claims_of(token_from(server, server.add_client("a", audience="https://b.example", token_lifetime=5)))
        assert (claims["aud"], claims["scope"], claims["exp"] - claims["iat"]) == ("https://b.example", "a", 5)


def test_an_issuer_is_served_once_at_a_time_and_closing_twice_does_nothing_more(issuer: LocalIssuer) -> None:
    first = issuer.serve()
    with pytest.raises(ConfigurationError, match="close that server first"):
        issuer.serve()
    first.close()
    with issuer.serve() as second:
        first.close()
        assert issuer.issuer == second.url


def test_repr_names_audience_issuer_and_algorithm(issuer: LocalIssuer) -> None:
    expected = f"LocalIssuer(audience={API!r}, issuer='https://issuer.example', algorithm='ES256')"
    assert repr(issuer) == expected
    assert [jwk["kid"] for jwk in issuer.jwks()["keys"]] == [issuer.key.kid]
