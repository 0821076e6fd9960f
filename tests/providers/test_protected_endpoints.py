"""What each guard takes, and what it refuses in its document's own words with RFC 6750's challenge beside them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import jwt
import pytest

from bearer_guard import InvalidToken
from bearer_guard.issuer import SigningKey, TokenRecord
from tests.tokens import ABSENT, SECRET, Signer, changed, mac, raw, signer, unsigned

from .documents import parts
from .refusals import denied, in_words
from .systems import BY_NAME, Question, Running, System, each


@each()
def test_a_token_is_taken_again_and_again_until_it_expires(running: Running) -> None:
    token = running.token()
    for _ in range(3):
        assert running.call(token).status == 200


@each()
def test_the_scopes_are_read_from_where_this_provider_puts_them(running: Running) -> None:
    token = running.guard._verifier.verify(running.token())
    assert token.scopes == set(running.issuer.clients.get(running.client[0]).scopes)
    assert running.system.needs in token.scopes


@each()
def test_a_client_that_is_registered_while_the_server_runs_is_admitted(running: Running) -> None:
    assert running.call(running.token(running.new_client())).status == 200


@each()
def test_what_is_presented_at_the_other_application_counts_there_too(running: Running, serve: Any) -> None:
    for colour in ("asgi", "wsgi"):
        assert serve(running.system.name, colour).call(running.token()).status == 200


@each(systems=["sqr_b2b", "sqr_b2b_hs256"])
def test_the_onboarding_token_is_a_second_protected_endpoint(running: Running) -> None:
    path = "/v1/onboarding-token"
    assert running.call(running.token(), path).json() == {"asked_by": running.client[0]}
    unscoped = running.token(running.new_client(scopes=""))
    assert running.call(unscoped, path).status == 200
    denied(running, running.call(unscoped), 403, "insufficient_scope", scope="read:users")
    denied(running, running.call(None, path), 401, None)


@each(systems=["orocommerce", "orocommerce_storefront"])
def test_orocommerce_answers_as_json_api_and_says_which_side_it_is(running: Running) -> None:
    answer = running.call(running.token())
    assert answer.headers["content-type"] == "application/vnd.api+json"
    assert answer.json()["meta"] == {"side": running.system.realm, "askedBy": running.client[0]}


@each(systems=["sqr_b2b", "sqr_b2b_hs256"])
def test_no_guard_takes_both_algorithms_of_sqr(running: Running) -> None:
    with pytest.raises(InvalidToken) as refused:
        running.guard._verifier.verify(of_the_other_configuration(running))
    assert refused.value.reason == "algorithm_not_allowed"


@each(systems=["orocommerce", "orocommerce_storefront"])
def test_orocommerces_key_is_a_pem_text_and_no_key_set(running: Running) -> None:
    key, token = running.module.PUBLIC_KEY, running.token()
    assert key.startswith("-----BEGIN PUBLIC KEY-----")
    assert jwt.decode(token, key, ["RS256"], audience=running.client[0])["sub"] == running.client[0]
    for path in ("/.well-known/jwks.json", "/.well-known/oauth-authorization-server"):
        assert running.call(token, path).status == 404


@each(systems=["screening_eagle"])
def test_screening_eagle_tells_whose_token_it_was(running: Running) -> None:
    assert running.call(running.token()).json() == {"userID": 1302, "userRegion": "SG"}


# --- refused


def resigned(running: Running, header: dict[str, Any] | None = None, /, by: Signer | None = None, **claims: Any) -> str:
    """A token of the system with these differences, signed again by its own key, or by another."""
    its_header, its_claims = parts(running.token())
    return raw(changed(its_header, header or {}), changed(its_claims, claims), by or running.issuer.keys.current.sign)


def kept(running: Running, *, audience: str, expires_in: float) -> str:
    """An opaque token that is put into the store, whatever its issuer would say to it."""
    token, now = sha256(str(time.perf_counter_ns()).encode()).hexdigest()[:56], time.time()
    claims = {"aud": audience, "client_id": running.client[0], "exp": now + expires_in, "scope": running.system.needs}
    record = TokenRecord(client_id=running.client[0], expires_at=now + expires_in, claims=claims)
    running.issuer.store.add_token(sha256(token.encode()).digest(), record, now)
    return token


@dataclass(frozen=True)
class Refused:
    """A token that is refused: with which status and code, and which systems it says something about."""

    name: str
    make: Callable[[Running], str | None]
    error: str | None = "invalid_token"
    status: int = 401
    only: Callable[[System], bool] = lambda system: True

    def concerns(self, system: System) -> bool:
        return self.only(system)


def signs(*algorithms: str) -> Callable[[System], bool]:
    """The systems whose tokens are JWTs, or those of these algorithms."""
    return lambda system: system.algorithm in algorithms if algorithms else system.algorithm is not None


def named(*names: str) -> Callable[[System], bool]:
    return lambda system: system.name in names


def opaque(system: System) -> bool:
    return system.algorithm is None


def flipped(token: str, position: int) -> str:
    """`token` with another character at this place, of which no bit is padding."""
    other = "0" if token[position] != "0" else "1"
    return token[:position] + other + token[position + 1 :]


def payload_of_another(running: Running) -> str:
    header, _, signature = running.token().split(".")
    return ".".join((header, running.token().split(".")[1], signature))


def public_key_as_secret(spelling: Callable[[SigningKey], bytes]) -> Callable[[Running], str]:
    def forged(running: Running) -> str:
        return resigned(running, {"alg": "HS256"}, by=mac(spelling(running.issuer.keys.current)))

    return forged


def stranger(algorithm: str) -> Signer:
    """What signs with a key that no system has."""
    return signer(algorithm) if algorithm == "RS256" else mac(SECRET)


def another_key(running: Running) -> str:
    return resigned(running, by=stranger(str(running.system.algorithm)))


def of_the_other_side(running: Running) -> str:
    module = running.module
    if running.system.name == "orocommerce":
        return running.token((module.STOREFRONT_CLIENT_ID, module.STOREFRONT_CLIENT_SECRET))
    return running.token((module.CLIENT_ID, module.CLIENT_SECRET))


def of_the_other_configuration(running: Running) -> str:
    """What the same API in its other configuration would sign, claim for claim."""
    other = "HS256" if running.system.algorithm == "RS256" else "RS256"
    return resigned(running, {"alg": other}, by=stranger(other))


ago = -(10 * 604_800.0)
soon = 3_600.0


def times(**shifts: float) -> Callable[[Running], str]:
    return lambda running: resigned(running, **{name: time.time() + shift for name, shift in shifts.items()})


REFUSED = [
    Refused("no token", lambda running: None, None),
    Refused("two words", lambda running: "a b", "invalid_request", 400),
    Refused("a word", lambda running: "abc"),
    Refused("three segments", lambda running: "a.b.c"),
    Refused("the client's secret", lambda running: running.client[1]),
    # tampered
    Refused("signature tampered", lambda running: flipped(running.token(), -20), only=signs()),
    Refused("payload of another token", payload_of_another, only=signs()),
    Refused("one character changed", lambda running: flipped(running.token(), 28), only=opaque),
    Refused("in capitals", lambda running: running.token()[:-4].upper() + "ABCD", only=opaque),
    Refused("one character short", lambda running: running.token()[:-1]),
    Refused("signature removed", lambda running: running.token().rpartition(".")[0] + ".", only=signs()),
    # forged
    Refused("alg none", lambda running: resigned(running, {"alg": "none"}, by=unsigned), only=signs()),
    Refused("alg none with a signature", lambda running: resigned(running, {"alg": "none"}), only=signs()),
    Refused("alg in lower case", lambda running: resigned(running, {"alg": "hs256"}), only=signs()),
    Refused("another key", another_key, only=signs()),
    Refused("HS256 by the public PEM", public_key_as_secret(lambda key: key.public_pem.encode()), only=signs("RS256")),
    Refused(
        "HS256 by the stripped PEM",
        public_key_as_secret(lambda key: key.public_pem.strip().encode()),
        only=signs("RS256"),
    ),
    Refused(
        "HS256 by the modulus",
        public_key_as_secret(lambda key: str((key.public_jwk or {})["n"]).encode()),
        only=signs("RS256"),
    ),
    Refused("HS256 by nothing", lambda running: resigned(running, {"alg": "HS256"}, by=mac(b"")), only=signs()),
    Refused("the other configuration", of_the_other_configuration, only=named("sqr_b2b", "sqr_b2b_hs256")),
    # out of its time
    Refused("expired", times(iat=ago - soon, nbf=ago - soon, exp=ago), only=signs()),
    Refused("expires not", lambda running: resigned(running, exp=ABSENT), only=signs()),
    Refused("expires as a text", lambda running: resigned(running, exp=str(time.time() + soon)), only=signs()),
    Refused("not valid yet", times(nbf=soon, exp=2 * soon), only=signs()),
    Refused("issued tomorrow", times(iat=24 * soon, exp=25 * soon), only=signs()),
    Refused("expired", lambda running: kept(running, audience="https://api.example.com", expires_in=-1), only=opaque),
    # for somebody else
    Refused(
        "of a client for another API", lambda running: running.token(running.new_client("https://other.example.com"))
    ),
    Refused("for another audience", lambda running: resigned(running, aud="https://other.example.com"), only=signs()),
    Refused("for no audience", lambda running: resigned(running, aud=ABSENT), only=signs()),
    Refused(
        "for another audience",
        lambda running: kept(running, audience="https://other.example.com", expires_in=60),
        only=opaque,
    ),
    Refused("of another issuer", lambda running: resigned(running, iss="https://other.example.com"), only=signs()),
    Refused(
        "of no issuer",
        lambda running: resigned(running, iss=ABSENT),
        only=named("sqr_b2b", "sqr_b2b_hs256", "screening_eagle", "sqr_oauth_token"),
    ),
    Refused("of the other side", of_the_other_side, only=named("orocommerce", "orocommerce_storefront")),
    # of another kind
    Refused("an id_token", lambda running: running.asked().json()["id_token"], only=named("screening_eagle")),
    Refused("a refresh_token", lambda running: running.asked().json()["refresh_token"], only=named("screening_eagle")),
    Refused("a logout token", lambda running: resigned(running, {"typ": "logout+jwt"}), only=signs()),
    Refused("without jti", lambda running: resigned(running, jti=ABSENT), only=signs()),
    Refused("without sub", lambda running: resigned(running, sub=ABSENT), only=signs()),
    Refused("scopes as a text", lambda running: resigned(running, scopes={"all": 1}), only=named("orocommerce")),
]


@each(REFUSED, systems=[name for name in BY_NAME if name != "orocommerce_storefront"])
def test_a_token_is_refused_with_the_documents_status_and_words(running: Running, case: Refused) -> None:
    denied(running, running.call(case.make(running)), case.status, case.error)


FOR_BOTH_SIDES = {"no token", "expired", "another key", "of a client for another API", "of the other side"}


@each([case for case in REFUSED if case.name in FOR_BOTH_SIDES], systems=["orocommerce_storefront"])
def test_the_storefront_refuses_as_the_back_office_does(running: Running, case: Refused) -> None:
    denied(running, running.call(case.make(running)), case.status, case.error)


@each()
def test_a_good_token_without_the_scope_gets_403(running: Running) -> None:
    client = running.new_client(scopes="other")
    token = running.token(client, **({"scope": "other"} if running.system.scope else {}))
    denied(running, running.call(token), 403, "insufficient_scope", scope=running.system.needs)


@each()
def test_what_is_signed_again_without_a_difference_is_taken(running: Running) -> None:
    """The other side of the table: its tokens are refused for their one difference and nothing else."""
    if running.system.algorithm is None:
        assert running.call(kept(running, audience="https://api.example.com", expires_in=60)).status == 200
    else:
        assert running.call(resigned(running)).status == 200


@each()
def test_a_token_of_every_other_system_is_refused(running: Running, serve: Any) -> None:
    for other in (
        "sqr_b2b",
        "sqr_b2b_hs256",
        "alternative_payments",
        "screening_eagle",
        "orocommerce",
        "sqr_oauth_token",
    ):
        if other != running.system.name:
            denied(running, running.call(serve(other, "asgi").token()), 401, "invalid_token")


@each()
def test_credentials_of_another_scheme_are_no_token(running: Running) -> None:
    denied(running, running.call(None, Authorization="Basic YTpi"), 401, None)


@each()
def test_an_unknown_path_is_a_404_in_the_documents_shape(running: Running) -> None:
    answer = running.call(running.token(), "/nowhere")
    assert answer.status == 404
    assert in_words(answer, running.system.words)["error"] == "not_found"


@each()
def test_another_method_is_a_405_in_the_documents_shape(running: Running) -> None:
    fields = {"Authorization": f"Bearer {running.token()}"}
    answer = running.send(Question("PATCH", running.system.path, None, fields))
    assert answer.status == 405
    assert running.system.method in answer.headers["allow"].split(", ")
    assert in_words(answer, running.system.words)["error"] == "method_not_allowed"
