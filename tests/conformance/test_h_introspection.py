"""Rows H of the conformance list and INT of the attack corpus: opaque tokens, asked about at a real endpoint (RFC 7662)."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
import trio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bearer_guard import (
    BadSignature,
    ConfigurationError,
    ExpiredToken,
    Guard,
    InactiveToken,
    IntrospectionVerifier,
    InvalidClaim,
    InvalidToken,
    Router,
    StaticJWKSet,
    TokenNotYetValid,
    UntrustedIssuer,
)
from tests.answers import DOWN, IR, IS, IT, OK, Answer, ask, verifier
from tests.endpoint import Asked, Endpoint, loopback_certificate, reply, server_context
from tests.granting import Clock
from tests.tokens import ABSENT, CLAIMS, ISSUER, NOW, RESOURCE, T, changed, jwk, jwks, mac, private_key, raw, signer

TOKEN = "Kz~8mX+K/1E=="
ACTIVE = {"active": True, "aud": RESOURCE, "sub": "u1", "client_id": "c1", "scope": "read", "exp": NOW + 300}
MEDIA_TYPE = "application/token-introspection+jwt"


class Coloured:
    """A guard whose `check` is made from a coroutine on a new event loop."""

    def __init__(self, guard: Guard, run: Callable[..., Any]) -> None:
        self.guard = guard
        self.refusal = guard.refusal
        self.run = run

    def check(self, request: Any, required: Any) -> Any:
        async def check() -> Any:
            return await self.guard.acheck(request, required)

        return self.run(check)


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def present(request: pytest.FixtureRequest) -> Callable[..., Answer]:
    """The answer to a token, in each colour and on each event loop."""
    run = {"asyncio": lambda function: asyncio.run(function()), "trio": trio.run}.get(request.param)

    def present(guard: Guard, token: str = TOKEN, required: Any = None) -> Answer:
        subject: Any = guard if run is None else Coloured(guard, run)
        return ask(subject, token, required, fetches=True)

    return present


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.now = NOW
    return clock


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(reply(ACTIVE)) as server:
        yield server


def introspecting(server: Endpoint | str, **options: Any) -> IntrospectionVerifier:
    defaults: dict[str, Any] = {
        "endpoint": server if isinstance(server, str) else server.endpoint,
        "audience": RESOURCE,
        "client_id": "api",
        "client_secret": "s3cret",
        "leeway": 0,
        "clock": lambda: NOW,
    }
    return IntrospectionVerifier(**{**defaults, **options})


def guarding(server: Endpoint, **options: Any) -> Guard:
    return Guard(introspecting(server, **options), realm="r")


def says(**members: Any) -> Any:
    """An answer about an active token with these differences."""
    return reply(changed(ACTIVE, members))


def refused(answer: Answer, error: type[InvalidToken]) -> None:
    assert (answer.kind, type(answer.error)) == (IT, error), repr(answer.error)


# H: the question


def test_H01_the_token_is_posted_in_a_form_and_never_in_the_url(endpoint: Endpoint, present: Any) -> None:
    answer = present(guarding(endpoint), TOKEN, "read")
    assert answer.kind == OK
    assert answer.token.subject == "u1"
    assert answer.token.client_id == "c1"
    assert answer.token.scopes == {"read"}
    (asked,) = endpoint.asked
    assert (asked.method, asked.path) == ("POST", "/e")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert asked.headers["accept"] == "application/json"
    assert asked.form == {"token": TOKEN, "token_type_hint": "access_token"}
    assert b"token=Kz~8mX%2BK%2F1E%3D%3D" in asked.body


@pytest.mark.parametrize(
    "url", ["http://id.example.com/i", "ftp://id.example.com/i", "https://u:p@id.example.com/i", "/i"]
)
def test_H01_the_endpoint_is_https(url: str) -> None:
    with pytest.raises(ConfigurationError, match="IntrospectionVerifier: endpoint must"):
        introspecting(url)


def test_H02_basic_url_encodes_each_half(endpoint: Endpoint) -> None:
    assert ask(guarding(endpoint, client_id="a:b%", client_secret="p +é"), TOKEN, fetches=True).kind == OK
    scheme, _, credentials = endpoint.asked[0].headers["authorization"].partition(" ")
    assert (scheme, b64decode(credentials)) == ("Basic", b"a%3Ab%25:p+%2B%C3%A9")


def test_H02_the_secret_may_be_posted_or_be_a_bearer_token_itself(endpoint: Endpoint) -> None:
    assert ask(guarding(endpoint, auth="post"), TOKEN, fetches=True).kind == OK
    assert ask(guarding(endpoint, auth="bearer", client_id=None, client_secret="abc"), TOKEN, fetches=True).kind == OK
    posted, bearer = endpoint.asked
    assert posted.form["client_id"] == "api"
    assert posted.form["client_secret"] == "s3cret"
    assert "authorization" not in posted.headers
    assert bearer.headers["authorization"] == "Bearer abc"
    assert bearer.form.keys() == {"token", "token_type_hint"}


def test_H02_an_assertion_is_made_anew_for_each_question(endpoint: Endpoint, present: Any) -> None:
    key = private_key("P-256")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    options = {"auth": "private_key_jwt", "private_key": pem, "issuer": ISSUER, "client_secret": None}
    guard = guarding(endpoint, cache_ttl=0, **options)
    assert present(guard).kind == present(guard).kind == OK
    seen = []
    for asked in endpoint.asked:
        assert "authorization" not in asked.headers
        assert asked.form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        seen.append(
            jwt.decode(
                asked.form["client_assertion"],
                key.public_key(),
                ["ES256"],
                options={"verify_aud": False, "verify_iat": False, "verify_exp": False},
            )
        )
    assert [claims["aud"] for claims in seen] == [ISSUER, ISSUER]
    assert [(claims["iss"], claims["sub"]) for claims in seen] == [("api", "api")] * 2
    assert seen[0]["jti"] != seen[1]["jti"]


def test_H02_a_client_certificate_goes_with_the_ssl_context(tmp_path: Path) -> None:
    mine, theirs = loopback_certificate(tmp_path / "client.pem"), loopback_certificate(tmp_path / "server.pem")
    context = ssl.create_default_context(cafile=theirs)
    context.load_cert_chain(mine)
    with Endpoint(reply(ACTIVE), context=server_context(theirs, clients=mine)) as server:
        options = {"auth": "none", "client_secret": None}
        assert ask(guarding(server, ssl_context=context, **options), TOKEN, fetches=True).kind == OK
        assert server.asked[0].form["client_id"] == "api"
        without = ssl.create_default_context(cafile=theirs)
        assert ask(guarding(server, ssl_context=without, **options), TOKEN, fetches=True).kind == DOWN


# H: the answer


@pytest.mark.parametrize("active", ["true", "active", 1, 1.0, [True], {"a": True}, None, ABSENT, 0, ""])
def test_H03_INT_1_only_the_boolean_true_is_active(active: Any, present: Any) -> None:
    with Endpoint(says(active=active)) as server:
        refused(present(guarding(server)), InactiveToken)


@pytest.mark.parametrize("pair", [b'"active":false,"active":true', b'"active":true,"active":false'])
def test_INT_1_an_answer_that_says_both_is_trouble_and_admits_nobody(pair: bytes, present: Any) -> None:
    with Endpoint(reply(b'{"aud":"https://api.example",' + pair + b"}")) as server:
        assert present(guarding(server)).kind == DOWN


def test_H04_nothing_else_of_an_inactive_answer_counts(present: Any) -> None:
    with Endpoint(says(active=False, sub="admin", scope="admin")) as server:
        answer = present(guarding(server), TOKEN, "admin")
        refused(answer, InactiveToken)
        assert answer.token is None


TROUBLE = {
    **{f"status {status}": reply(ACTIVE, status) for status in (201, 204, 302, 400, 401, 403, 404, 429, 500, 503)},
    "HTML": reply(b"<html>active</html>", Content_Type="text/html"),
    "empty": reply(b""),
    "an array": reply([ACTIVE]),
    "a string": reply("active"),
    "true": reply(True),
    "NaN": reply(b'{"active":true,"aud":"https://api.example","exp":NaN}'),
    "UTF-16": reply('{"active":true,"aud":"https://api.example"}'.encode("utf-16")),
    "10 MB": reply(b'{"active":true,"aud":"https://api.example","x":"' + b"x" * 10**7 + b'"}'),
    "gzip": reply(b"\x1f\x8b", Content_Encoding="gzip"),
}


@pytest.mark.parametrize("answer", TROUBLE.values(), ids=TROUBLE)
def test_H05_INT_3_trouble_at_the_endpoint_is_503_and_nothing_is_remembered(answer: Any, present: Any) -> None:
    with Endpoint(answer) as server:
        guard = guarding(server)
        assert present(guard).kind == DOWN
        assert guard.status()["sources"][0]["state"] == "unavailable"
        assert guard.status()["sources"][0]["last_error"]
        server.answer = reply(ACTIVE)
        assert present(guard).kind == OK
        assert len(server.asked) == 2
        assert guard.status()["sources"][0]["fetches"] == {"begun": 2, "succeeded": 1, "failed": 1}
        assert guard.status()["sources"][0]["last_error"] is None


def test_INT_3_an_endpoint_that_hangs_or_is_down_is_503(endpoint: Endpoint, present: Any) -> None:
    released = threading.Event()

    def hang(asked: Asked) -> Any:
        released.wait(10)
        return reply(ACTIVE)

    endpoint.answer = hang
    assert present(guarding(endpoint, timeout=0.1)).kind == DOWN
    released.set()
    assert present(guarding("http://127.0.0.1:9/i"), "token").kind == DOWN  # type: ignore[arg-type]


def test_INT_3_a_certificate_that_nobody_vouches_for_is_503(tmp_path: Path, present: Any) -> None:
    context = server_context(loopback_certificate(tmp_path / "server.pem"))
    with Endpoint(reply(ACTIVE), context=context) as server:
        answer = present(guarding(server))
        assert answer.kind == DOWN
        assert "TLS certificate not trusted" in str(answer.error)
        assert server.asked == []


def test_INT_3_retry_after_is_handed_on_within_reason(present: Any) -> None:
    for asked_for, told in (("7", "7"), ("100000", "30"), ("0", "1"), ("soon", "1")):
        with Endpoint(reply({}, 429, Retry_After=asked_for)) as server:
            assert dict(present(guarding(server)).headers)["retry-after"] == told


CLAIM_CASES: list[tuple[dict[str, Any], type[InvalidToken]]] = [
    ({"aud": "https://other.example"}, InvalidClaim),
    ({"aud": ABSENT}, InvalidClaim),
    ({"aud": []}, InvalidClaim),
    ({"aud": [RESOURCE, 1]}, InvalidClaim),
    ({"exp": NOW}, ExpiredToken),
    ({"exp": NOW - 1}, ExpiredToken),
    ({"exp": str(NOW + 300)}, InvalidClaim),
    ({"exp": True}, InvalidClaim),
    ({"exp": None}, InvalidClaim),
    ({"nbf": NOW + 1}, TokenNotYetValid),
    ({"iat": NOW + 1}, TokenNotYetValid),
    ({"nbf": "now"}, InvalidClaim),
    ({"iss": "https://other.example"}, UntrustedIssuer),
    ({"iss": [ISSUER]}, UntrustedIssuer),
    ({"iss": None}, UntrustedIssuer),
    ({"sub": 5}, InvalidClaim),
    ({"client_id": ["c1"]}, InvalidClaim),
]


@pytest.mark.parametrize(("members", "error"), CLAIM_CASES)
def test_H06_INT_2_an_active_token_is_judged_here_all_the_same(members: Any, error: Any, present: Any) -> None:
    with Endpoint(says(**members)) as server:
        guard = guarding(server, issuer=ISSUER)
        refused(present(guard), error)


@pytest.mark.parametrize(
    "members", [{}, {"iss": ISSUER}, {"aud": ["x", RESOURCE]}, {"exp": ABSENT}, {"nbf": NOW, "iat": NOW}]
)
def test_H06_what_fits_or_is_left_out_where_it_may_be_gets_in(members: Any, present: Any) -> None:
    with Endpoint(says(**members)) as server:
        assert present(guarding(server, issuer=ISSUER)).kind == OK


def test_H06_without_an_issuer_the_endpoint_vouches_for_whatever_it_names(present: Any) -> None:
    with Endpoint(says(iss="https://whoever.example")) as server:
        assert present(guarding(server)).kind == OK


def test_H06_house_rules_and_required_claims_count_too(present: Any) -> None:
    with Endpoint(says(tenant="a")) as server:
        refused(present(guarding(server, required_claims=["jti"])), InvalidClaim)
        refused(present(guarding(server, validate=lambda claims: claims["tenant"] == "b")), InvalidClaim)
        assert present(guarding(server, validate=lambda claims: claims["tenant"] == "a")).kind == OK


# H: what is remembered


def test_H07_a_yes_counts_for_the_ttl_and_never_past_exp(endpoint: Endpoint, clock: Clock, present: Any) -> None:
    guard = guarding(endpoint, clock=clock, cache_ttl=60)
    for seconds, asked in ((0, 1), (59.9, 1), (0.2, 2)):
        clock.now += seconds
        assert present(guard).kind == OK
        assert len(endpoint.asked) == asked
    clock.now += 60
    endpoint.answer = says(exp=clock.now + 5)
    assert present(guard).kind == OK
    clock.now += 4.9
    assert present(guard).kind == OK
    assert len(endpoint.asked) == 3
    clock.now += 0.1
    endpoint.answer = reply({"active": False})
    refused(present(guard), InactiveToken)
    assert len(endpoint.asked) == 4


def test_H07_without_exp_only_the_ttl_counts(endpoint: Endpoint, clock: Clock) -> None:
    endpoint.answer = says(exp=ABSENT)
    guard = guarding(endpoint, clock=clock, cache_ttl=10)
    for seconds, asked in ((0, 1), (9, 1), (1, 2)):
        clock.now += seconds
        assert ask(guard, TOKEN, fetches=True).kind == OK
        assert len(endpoint.asked) == asked


def test_H08_a_no_counts_for_its_own_short_time(endpoint: Endpoint, clock: Clock, present: Any) -> None:
    guard = guarding(endpoint, clock=clock, negative_ttl=5)
    endpoint.answer = reply({"active": False})
    refused(present(guard), InactiveToken)
    endpoint.answer = reply(ACTIVE)
    clock.now += 4.9
    refused(present(guard), InactiveToken)
    assert len(endpoint.asked) == 1
    clock.now += 0.1
    assert present(guard).kind == OK


def test_H08_trouble_is_never_remembered_as_a_no(endpoint: Endpoint, present: Any) -> None:
    guard = guarding(endpoint)
    endpoint.answer = reply({}, 500)
    assert [present(guard).kind for _ in range(2)] == [DOWN, DOWN]
    endpoint.answer = reply(ACTIVE)
    assert present(guard).kind == OK


def test_H09_INT_8_neither_token_nor_secret_is_kept_shown_or_logged(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    token, secret = "0123456789abcdef-the-token", "fedcba9876543210-the-secret"
    subject = introspecting(endpoint, client_secret=secret)
    guard = Guard(subject, realm="r")
    with caplog.at_level(logging.DEBUG):
        assert ask(guard, token, fetches=True).kind == OK
        endpoint.answer = reply({}, 500)
        down = ask(guard, token + "2", fetches=True)
    kept = repr([vars(subject._answers), *map(vars, _entries(subject))])
    shown = " ".join([kept, repr(subject), repr(guard), repr(guard.status()), repr(down.error), caplog.text])
    for text in (token, secret, token[:16], secret[:16]):
        assert text not in shown


def _entries(subject: IntrospectionVerifier) -> list[Any]:
    return [subject._answers._process.here()]


def test_H10_INT_4_a_flood_of_made_up_tokens_takes_bounded_room_and_pushes_out_none_in_use(
    endpoint: Endpoint, clock: Clock
) -> None:
    subject = introspecting(endpoint, cache_size=20, clock=clock)
    guard = Guard(subject, realm="r")
    assert ask(guard, TOKEN, fetches=True).kind == OK
    endpoint.answer = reply({"active": False})
    for number in range(100):
        assert ask(guard, f"made-up-{number}", fetches=True).kind == IT
    kept = subject._answers._process.here()
    assert (len(kept.active), len(kept.inactive)) == (1, 20)
    assert ask(guard, TOKEN, fetches=True).kind == OK
    assert len(endpoint.asked) == 101
    assert kept.flights == {}


def test_H10_INT_4_fifty_requests_with_one_token_make_one_question(endpoint: Endpoint) -> None:
    gate = threading.Event()

    def held(asked: Asked) -> Any:
        assert gate.wait(10)
        return reply(ACTIVE)

    endpoint.answer = held
    guard = guarding(endpoint)
    with ThreadPoolExecutor(50) as threads:
        answers = [threads.submit(guard._verifier.verify, TOKEN) for _ in range(50)]
        endpoint.wait_for_requests(1)
        gate.set()
        assert {answer.result(10).subject for answer in answers} == {"u1"}
    assert len(endpoint.asked) == 1


def test_H10_INT_7_two_verifiers_share_nothing_and_spelling_counts(endpoint: Endpoint) -> None:
    first, second = guarding(endpoint), guarding(endpoint, audience="https://other.example")
    assert ask(first, TOKEN, fetches=True).kind == OK
    refused(ask(second, TOKEN, fetches=True), InvalidClaim)
    for token in (TOKEN, TOKEN.lower(), TOKEN[:-1], TOKEN + "="):
        assert ask(first, token, fetches=True).kind == OK
    assert [asked.form["token"] for asked in endpoint.asked] == [
        TOKEN,
        TOKEN,
        TOKEN.lower(),
        TOKEN[:-1],
        TOKEN + "=",
    ]


def test_INT_6_a_revoked_token_is_refused_when_the_ttl_is_over(endpoint: Endpoint, clock: Clock) -> None:
    guard = guarding(endpoint, clock=clock, cache_ttl=30)
    assert ask(guard, TOKEN, fetches=True).kind == OK
    endpoint.answer = reply({"active": False})
    clock.now += 29.9
    assert ask(guard, TOKEN, fetches=True).kind == OK
    clock.now += 0.1
    refused(ask(guard, TOKEN, fetches=True), InactiveToken)


@pytest.mark.parametrize(
    "token", ["x&token_type_hint=y", "x;y", "x%26y", "x y", "x\ny", "é", "\ud800", "x=y"], ids=ascii
)
def test_INT_5_no_parameter_can_be_smuggled_into_the_form(endpoint: Endpoint, token: str) -> None:
    guard = guarding(endpoint)
    assert ask(guard, token, fetches=True).kind == IR
    assert endpoint.asked == []
    if token.isascii():
        guard._verifier.verify(token)
        assert endpoint.asked[0].form == {"token": token, "token_type_hint": "access_token"}
    else:
        with pytest.raises(InvalidToken, match="not ASCII"):
            guard._verifier.verify(token)


def test_INT_5_a_plus_and_a_percent_sign_reach_the_endpoint_as_they_are(endpoint: Endpoint) -> None:
    assert ask(guarding(endpoint), "a+b/c~d==", fetches=True).kind == OK
    assert endpoint.asked[0].form["token"] == "a+b/c~d=="


# H: what the answer means


@pytest.mark.parametrize(
    "members",
    [
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"cnf": {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}, "token_type": "Bearer"},
        {"cnf": {}},
        {"cnf": None},
        {"cnf": "x"},
        {"token_type": "DPoP"},
        {"token_type": "dpop"},
        {"token_type": "DPoP", "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    ],
)
def test_H11_INT_10_a_sender_constrained_token_is_no_bearer_token(members: Any, present: Any) -> None:
    with Endpoint(says(**members)) as server:
        answer = present(guarding(server))
        refused(answer, InvalidClaim)
        assert answer.error.claim == "cnf"


@pytest.mark.parametrize(
    "members",
    [
        {"token_type": "refresh_token"},
        {"token_use": "id_token"},
        {"token_type": "MAC"},
        {"token_type": ["refresh_token"]},
        {"token_use": {"is": "id_token"}},
        {"token_type": None},
    ],
)
def test_a_token_of_another_kind_is_refused_though_it_is_active(members: Any, present: Any) -> None:
    with Endpoint(says(**members)) as server:
        refused(present(guarding(server)), InvalidClaim)


@pytest.mark.parametrize(
    "members", [{"token_type": "bearer"}, {"token_type": "access_token"}, {"token_use": "access_token"}]
)
def test_an_answer_may_name_the_kind_of_token(members: Any) -> None:
    with Endpoint(says(**members)) as server:
        assert ask(guarding(server), TOKEN, fetches=True).kind == OK


@pytest.mark.parametrize(
    ("scope", "kind"),
    [(["read"], IS), (["read", "write"], IS), ({"read": True}, IT), (1, IT), (None, IT), (True, IT), (ABSENT, IS)],
)
def test_H12_a_scope_that_is_no_string_grants_nothing(scope: Any, kind: str, present: Any) -> None:
    with Endpoint(says(scope=scope)) as server:
        assert present(guarding(server), TOKEN, "read").kind == kind


def test_H12_a_scope_is_split_at_spaces(present: Any) -> None:
    with Endpoint(says(scope="read write")) as server:
        answer = present(guarding(server), TOKEN, "write")
        assert answer.token.scopes == {"read", "write"}


# H: signed answers


RESPONSE = {"iss": ISSUER, "aud": RESOURCE, "iat": NOW, "token_introspection": ACTIVE}
HEADER = {"alg": "ES256", "typ": "token-introspection+jwt", "kid": "k1"}


def signed(header: Any = None, /, by: Any = None, content_type: str = MEDIA_TYPE, **members: Any) -> Any:
    """A signed answer with these differences."""
    token = raw(changed(HEADER, header or {}), changed(RESPONSE, members), by or signer())
    return reply(token.encode(), Content_Type=content_type)


def reading_signed(server: Endpoint, **options: Any) -> Guard:
    return guarding(server, issuer=ISSUER, signed=StaticJWKSet(jwks()), **options)


@pytest.mark.parametrize("aud", [RESOURCE, "api", [RESOURCE, "x"], ["api"]])
def test_H13_a_signed_answer_for_this_api_or_client_counts(aud: Any, present: Any) -> None:
    with Endpoint(signed(aud=aud)) as server:
        answer = present(reading_signed(server), TOKEN, "read")
        assert answer.kind == OK
        assert answer.token.subject == "u1"
        assert server.asked[0].headers["accept"] == MEDIA_TYPE


UNACCEPTABLE = {
    "plain JSON": reply(ACTIVE),
    "plain JSON by another name": reply(ACTIVE, Content_Type=MEDIA_TYPE),
    "another media type": signed(content_type="application/jwt"),
    "no media type": signed(content_type=""),
    "typ JWT": signed({"typ": "JWT"}),
    "typ at+jwt": signed({"typ": "at+jwt"}),
    "no typ": signed({"typ": ABSENT}),
    "another issuer": signed(iss="https://other.example"),
    "no issuer": signed(iss=ABSENT),
    "another audience": signed(aud="https://other.example"),
    "no audience": signed(aud=ABSENT),
    "an audience that is none": signed(aud=[1, {}]),
    "an audience that is a number": signed(aud=7),
    "another key": signed(by=signer(number=1)),
    "an unknown key": signed({"kid": "k2"}),
    "a shared secret": signed({"alg": "HS256"}, by=mac(b"x" * 32)),
    "alg none": signed({"alg": "none"}, by=lambda _: b""),
    "nothing about a token": signed(token_introspection=ABSENT),
    "no object about a token": signed(token_introspection=[ACTIVE]),
    "no time": signed(iat=ABSENT),
    "a time that is none": signed(iat="now"),
    "a boolean for a time": signed(iat=True),
    "made a minute ago": signed(iat=NOW - 60),
    "made in a minute": signed(iat=NOW + 60),
    "five segments": reply(b"a.b.c.d.e", Content_Type=MEDIA_TYPE),
    "not ASCII": reply("é".encode(), Content_Type=MEDIA_TYPE),
}


@pytest.mark.parametrize("answer", UNACCEPTABLE.values(), ids=UNACCEPTABLE)
def test_H13_INT_9_an_answer_that_is_not_signed_for_us_is_trouble_at_the_endpoint(answer: Any, present: Any) -> None:
    with Endpoint(answer) as server:
        assert present(reading_signed(server)).kind == DOWN


def test_INT_9_the_answer_about_another_token_does_not_serve_later(endpoint: Endpoint, clock: Clock) -> None:
    endpoint.answer = signed()
    guard = reading_signed(endpoint, clock=clock, leeway=10)
    assert ask(guard, TOKEN, fetches=True).kind == OK
    clock.now += 12
    assert ask(guard, "another", fetches=True).kind == DOWN


def test_H14_INT_9_what_stands_beside_the_member_about_the_token_counts_for_nothing(present: Any) -> None:
    beside = {"active": True, "sub": "admin", "exp": NOW + 300, "scope": "admin"}
    with Endpoint(signed(**beside, token_introspection={**ACTIVE, "active": False})) as server:
        refused(present(reading_signed(server)), InactiveToken)
    with Endpoint(signed(**beside, token_introspection=changed(ACTIVE, {"sub": ABSENT, "scope": ABSENT}))) as server:
        answer = present(reading_signed(server))
        assert (answer.token.subject, answer.token.scopes) == (None, set())


def test_H15_a_signed_answer_is_no_access_token() -> None:
    jwt_guard = Guard(verifier(), realm="r")
    for header in (HEADER, {**HEADER, "typ": "JWT"}, {**HEADER, "typ": "at+jwt"}):
        for members in (RESPONSE, {**CLAIMS, **RESPONSE}):
            answer = ask(jwt_guard, raw(header, members, signer()), fetches=True)
            assert answer.kind == IT
            assert type(answer.error) in (InvalidToken, InvalidClaim, ExpiredToken)


def test_H16_a_forged_jwt_is_never_asked_about(endpoint: Endpoint, present: Any) -> None:
    guard = Guard(Router(jwt=verifier(keys=StaticJWKSet(jwks(jwk()))), opaque=introspecting(endpoint)), realm="r")
    refused(present(guard, T(by=signer(number=1))), BadSignature)
    refused(present(guard, T(iss="https://other.example")), UntrustedIssuer)
    assert endpoint.asked == []
    assert present(guard, TOKEN).kind == OK
    assert present(guard, T()).kind == OK
    assert len(endpoint.asked) == 1
