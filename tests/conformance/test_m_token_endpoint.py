"""Rows M of the conformance list: the token endpoint in the standard dialect, revocation, and what is published.

M20 (DPoP) is not here: the issuer does not bind tokens to keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from bearer_guard._strict import b64url_decode
from bearer_guard.issuer import (
    JSON_BODY,
    STANDARD,
    Clients,
    Dialect,
    Issuer,
    IssuerRequest,
    IssuerResponse,
    JWTFormat,
    OpaqueFormat,
    SigningKey,
    SQLiteStore,
    plain_header,
    rfc9068_claims,
)
from bearer_guard.issuer._tokens import signed

AS = "https://id.example.com"
API = "https://api.example.com"
FORM = {"content-type": "application/x-www-form-urlencoded"}
NOW = 1_800_000_000
GRANT = {"grant_type": "client_credentials"}
ASSERTION = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
CODES = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
}


def unidentified(grant: Any) -> dict[str, Any]:
    return {name: value for name, value in rfc9068_claims(grant).items() if name != "jti"}


class Bench:
    """An issuer with a client of each kind."""

    def __init__(self, clients: Clients | None = None) -> None:
        dialects = [
            STANDARD,
            JSON_BODY,
            Dialect(path="/opaque", token=OpaqueFormat()),
            Dialect(path="/bare", token=JWTFormat(claims=unidentified, header=plain_header)),
        ]
        self.now = NOW + 0.5
        self.issuer = Issuer(AS, dialects=dialects, clients=clients, clock=lambda: self.now)
        self.client, self.secret = self.issuer.clients.add(audience=[API, f"{API}/v2"], scopes="a b")
        self.good = {"client_id": self.client.client_id, "client_secret": self.secret}
        self.key = SigningKey.generate("ES256")
        self.keyed = self.issuer.clients.add_with_keys({"keys": [self.key.public_jwk]}, audience=API, scopes="a")

    def ask(
        self, *more: tuple[str, str], path: str = STANDARD.path, headers: dict[str, str] | None = None, **members: str
    ) -> IssuerResponse:
        body = urlencode([*members.items(), *more]).encode()
        return self.issuer.respond(IssuerRequest("POST", path, {**FORM, **(headers or {})}, body))

    def token(self, path: str = STANDARD.path, **members: str) -> str:
        return str(content(self.ask(path=path, **GRANT, **self.good, **members))["access_token"])

    def basic(self, user: str, secret: str, *more: tuple[str, str]) -> IssuerResponse:
        credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
        return self.ask(*more, headers={"authorization": f"Basic {credentials}"}, **GRANT)

    def assertion(self, header: dict[str, Any] | None = None, key: SigningKey | None = None, **changes: Any) -> str:
        identifier = self.keyed.client_id
        claims = {"iss": identifier, "sub": identifier, "aud": AS, "exp": NOW + 60, "jti": f"j{time.perf_counter_ns()}"}
        kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return signed({"alg": "ES256", **(header or {})}, kept, key or self.key)

    def asserted(self, assertion: str, **members: str) -> IssuerResponse:
        return self.ask(**GRANT, **ASSERTION, client_assertion=assertion, **members)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def content(response: IssuerResponse) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(response.body)
    return decoded


def outcome(response: IssuerResponse) -> tuple[int, str]:
    return response.status, content(response)["error"]


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    return json.loads(b64url_decode(header.encode())), json.loads(b64url_decode(claims.encode()))


def test_m01_post_alone_with_parameters_in_a_form_alone(bench: Bench) -> None:
    asked = urlencode({**GRANT, **bench.good})
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = bench.issuer.respond(IssuerRequest(method, STANDARD.path, FORM, asked.encode()))
        assert (response.status, dict(response.headers)["allow"]) == (405, "POST")
    as_json = IssuerRequest(
        "POST", STANDARD.path, {"content-type": "application/json"}, json.dumps({**GRANT, **bench.good}).encode()
    )
    assert outcome(bench.issuer.respond(as_json)) == (400, "invalid_request")
    # Adapters hand over the path without its query: what was only there is missing.
    assert outcome(bench.ask()) == (400, "invalid_request")


def test_m02_empty_means_omitted_unknown_is_ignored_and_twice_is_refused(bench: Bench) -> None:
    assert bench.ask(**GRANT, **bench.good, scope="", foo="1").status == 200
    assert outcome(bench.ask(("grant_type", "client_credentials"), **GRANT, **bench.good)) == (400, "invalid_request")
    assert outcome(bench.ask(("client_secret", "x"), **GRANT, **bench.good)) == (400, "invalid_request")


@pytest.mark.parametrize("value", [None, 1, True, ["a"], {"a": "b"}])
def test_m02_an_unknown_member_of_a_json_body_is_ignored_and_a_known_one_is_a_string(bench: Bench, value: Any) -> None:
    def asked(**members: Any) -> IssuerResponse:
        body = json.dumps({**GRANT, **bench.good, **members}).encode()
        return bench.issuer.respond(IssuerRequest("POST", JSON_BODY.path, {"content-type": "application/json"}, body))

    assert asked(extra=value).status == 200
    assert outcome(asked(scope=value)) == (400, "invalid_request")


def test_m03_basic_and_post_are_both_taken(bench: Bench) -> None:
    assert bench.ask(**GRANT, **bench.good).status == 200
    assert bench.basic(bench.client.client_id, bench.secret).status == 200


def test_m04_basic_is_split_at_the_first_colon_and_each_half_decoded(bench: Bench) -> None:
    brought = "p%+:" + secrets.token_urlsafe(24)
    bench.issuer.clients.add(audience=API, client_id="a:bé", secret=brought)
    assert bench.basic(quote_plus("a:bé"), quote_plus(brought)).status == 200
    assert outcome(bench.basic("a:bé", brought)) == (401, "invalid_client")
    assert outcome(bench.basic(quote_plus("a:bé"), quote_plus(brought + "x"))) == (401, "invalid_client")


@pytest.mark.parametrize(
    "value",
    [
        "Basic",
        "Basic YWI=",
        "Basic ===",
        "Basic /w==",
        "Basic Og==",
        "Basic YTo=",
        "Bearer x",
        "Basic " + "YTph" * 250_000,
    ],
    ids=["nothing", "no colon", "padding", "latin-1", "both empty", "no secret", "bearer", "1 MB"],
)
def test_m04_a_basic_field_that_makes_no_sense_is_a_wrong_client(bench: Bench, value: str) -> None:
    assert outcome(bench.ask(headers={"authorization": value}, **GRANT)) == (401, "invalid_client")


def test_m05_two_methods_at_once_are_refused(bench: Bench) -> None:
    client_id, secret = bench.client.client_id, bench.secret
    assert outcome(bench.basic(client_id, secret, ("client_secret", secret))) == (400, "invalid_request")
    assert outcome(bench.asserted(bench.assertion(), **bench.good)) == (400, "invalid_request")
    assert outcome(bench.basic(client_id, secret, ("client_id", "another"))) == (400, "invalid_request")
    other, other_secret = bench.issuer.clients.add(audience=API)
    assert outcome(bench.basic(client_id, other_secret)) == (401, "invalid_client")
    assert bench.basic(other.client_id, other_secret).status == 200


def test_m06_failed_authentication_by_basic_gets_401_and_a_challenge_of_basic(bench: Bench) -> None:
    response = bench.basic(bench.client.client_id, "wrong")
    assert outcome(response) == (401, "invalid_client")
    assert dict(response.headers)["www-authenticate"].startswith('Basic realm="')
    assert outcome(bench.ask(**GRANT, client_id=bench.client.client_id, client_secret="wrong"))[1] == "invalid_client"


def test_m07_an_unknown_client_and_a_wrong_secret_get_the_same_answer_whatever_kinds_of_secrets_there_are(
    bench: Bench,
) -> None:
    clients = bench.issuer.clients
    brought, _ = clients.add(audience=API, secret="7Gq2Lx9Vt4Rz8Wm1Kc6Hb3Nf5")
    public = clients.add_public()
    names = ["nobody", bench.client.client_id, brought.client_id, bench.keyed.client_id, public.client_id]
    answers = [bench.ask(**GRANT, client_id=name, client_secret="wrong") for name in names]
    assert answers == answers[:1] * len(names)
    assert outcome(answers[0]) == (401, "invalid_client")
    assert outcome(bench.ask(**GRANT, client_id=names[1], client_secret="gehéim☃")) == (401, "invalid_client")


def _work(monkeypatch: pytest.MonkeyPatch, clients: Clients, client_id: str) -> list[str]:
    """What is hashed, and read from the store, for one wrong secret of this client."""
    done: list[str] = []
    scrypt, sha256 = hashlib.scrypt, hashlib.sha256
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "scrypt", lambda *a, **k: done.append("scrypt") or scrypt(*a, **k))
        patch.setattr(hashlib, "sha256", lambda *a: done.append("sha256") or sha256(*a))
        assert clients.authenticate(client_id, "wrong") is None
    return done


@pytest.mark.parametrize("mixed", [False, True], ids=["made secrets alone", "made and brought secrets"])
def test_m07_an_unknown_client_costs_the_same_work_as_a_wrong_secret(
    monkeypatch: pytest.MonkeyPatch, mixed: bool
) -> None:
    clients = Clients()
    names = [clients.add(audience=API)[0].client_id, "nobody", clients.add_public().client_id]
    if mixed:
        names.append(clients.add(audience=API, secret="7Gq2Lx9Vt4Rz8Wm1Kc6Hb3Nf5")[0].client_id)
    work = [_work(monkeypatch, clients, name) for name in names]
    assert work == [["sha256", "scrypt"] if mixed else ["sha256"]] * len(names)


def test_m07_the_time_of_a_wrong_secret_says_neither_that_the_client_is_there_nor_how_much_is_right() -> None:
    clients = Clients(clock=lambda: 0.0)
    client, secret = clients.add(audience=API)
    attempts = {
        "unknown": ("nobody", "x" * 43),
        "wrong": (client.client_id, "x" * 43),
        "nearly": (client.client_id, secret[:-1] + "!"),
    }
    clients._brake._allowed = 10**9
    times: dict[str, list[float]] = {name: [] for name in attempts}
    for _ in range(1000):
        for name, (client_id, presented) in attempts.items():
            begun = time.perf_counter()
            clients.authenticate(client_id, presented)
            times[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    assert max(medians.values()) < 2 * min(medians.values())


def test_m07_a_brake_stops_who_guesses_and_never_the_client_with_a_made_secret(bench: Bench) -> None:
    wrong = {**GRANT, "client_id": bench.client.client_id, "client_secret": "wrong"}
    unknown = {**wrong, "client_id": "nobody"}
    for _ in range(20):
        assert "retry-after" not in dict(bench.ask(**wrong).headers)
        bench.ask(**unknown)
    braked = bench.ask(**wrong)
    assert outcome(braked) == (401, "invalid_client")
    assert int(dict(braked.headers)["retry-after"]) >= 1
    assert braked == bench.ask(**unknown)
    assert bench.ask(**GRANT, **bench.good).status == 200
    bench.now += 7
    assert "retry-after" not in dict(bench.ask(**wrong).headers)


def test_m08_every_refusal_is_a_json_object_with_a_code_of_the_rfc_in_its_characters(bench: Bench) -> None:
    refused = {
        bench.ask(**bench.good): (400, "invalid_request"),
        bench.ask(grant_type="password", **bench.good): (400, "unsupported_grant_type"),
        bench.ask(grant_type="client_credentials\x1f", **bench.good): (400, "invalid_request"),
        bench.ask(**GRANT, **bench.good, scope="nope"): (400, "invalid_scope"),
        bench.ask(**GRANT, **bench.good, resource="https://other.example.com"): (400, "invalid_target"),
        bench.ask(**GRANT, client_id="nobody"): (401, "invalid_client"),
        bench.ask(**GRANT): (401, "invalid_client"),
    }
    for response, expected in refused.items():
        assert outcome(response) == expected
        members = content(response)
        assert members["error"] in CODES
        assert all(" " <= char <= "~" and char not in '"\\' for text in members.values() for char in text)
        assert dict(response.headers)["content-type"] == "application/json"


def test_m09_successes_and_errors_are_kept_out_of_caches(bench: Bench) -> None:
    answers = [bench.ask(**GRANT, **bench.good), bench.ask(), bench.basic("x", "y"), bench.ask(path="/nowhere")]
    token = bench.token()
    answers += [bench.ask(path=f"/oauth2/{name}", token=token, **bench.good) for name in ("introspect", "revoke")]
    for response in answers:
        assert {("cache-control", "no-store"), ("pragma", "no-cache")} <= set(response.headers)


def test_m10_m11_an_answer_holds_token_type_lifetime_scope_and_no_refresh_token(bench: Bench) -> None:
    answer = content(bench.ask(**GRANT, **bench.good, scope="b"))
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 3600, "b")
    assert type(answer["expires_in"]) is int
    assert content(bench.ask(**GRANT, **bench.good))["scope"] == "a b"


def test_m12_a_public_client_is_not_for_this_grant(bench: Bench) -> None:
    public = bench.issuer.clients.add_public()
    assert outcome(bench.ask(**GRANT, client_id=public.client_id)) == (400, "unauthorized_client")
    assert outcome(bench.ask(**GRANT, client_id=bench.client.client_id)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "scope", ["nope", 'a"b', "a nope", " ", " a", "a ", "a  b", "A", "a\x00", "a\tb", "é", "x" * 60_000]
)
def test_m13_a_scope_that_is_unknown_malformed_or_not_granted_is_refused(bench: Bench, scope: str) -> None:
    expected = "invalid_request" if not scope.isprintable() else "invalid_scope"
    assert outcome(bench.ask(**GRANT, **bench.good, scope=scope)) == (400, expected)


def test_m13_a_scope_named_twice_is_granted_once(bench: Bench) -> None:
    assert content(bench.ask(**GRANT, **bench.good, scope="a a b a"))["scope"] == "a b"


def test_m14_an_issued_jwt_has_the_type_and_the_claims_of_rfc_9068(bench: Bench) -> None:
    header, claims = decoded(bench.token(scope="a", resource=API))
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": bench.issuer.keys.current.kid}
    assert len(b64url_decode(claims.pop("jti").encode())) >= 16
    identifier = bench.client.client_id
    assert claims == {
        "iss": AS, "aud": API, "sub": identifier, "client_id": identifier, "iat": NOW, "exp": NOW + 3600, "scope": "a",
    }  # fmt: skip
    tokens = {decoded(bench.token())[1]["jti"] for _ in range(200)}
    assert len(tokens) == 200


@pytest.mark.parametrize("resource", ["/relative", f"{API}#x", "https://other.example.com", API.upper(), f"{API}/"])
def test_m15_a_resource_that_is_relative_or_unknown_or_has_a_fragment_is_refused(bench: Bench, resource: str) -> None:
    assert outcome(bench.ask(**GRANT, **bench.good, resource=resource)) == (400, "invalid_target")


def test_m15_several_resources_become_the_audience_and_fifty_are_refused(bench: Bench) -> None:
    both = [("resource", API), ("resource", f"{API}/v2")]
    assert decoded(content(bench.ask(*both, **GRANT, **bench.good))["access_token"])[1]["aud"] == [API, f"{API}/v2"]
    assert outcome(bench.ask(*[("resource", API)] * 50, **GRANT, **bench.good)) == (400, "invalid_target")


def test_m16_without_a_resource_the_audience_is_the_clients(bench: Bench) -> None:
    assert decoded(bench.token())[1]["aud"] == [API, f"{API}/v2"]
    assert decoded(content(bench.asserted(bench.assertion()))["access_token"])[1]["aud"] == API


def test_m17_no_parameter_chooses_subject_or_client(bench: Bench) -> None:
    claims = decoded(bench.token(sub="admin", subject="admin", azp="admin"))[1]
    assert claims["sub"] == claims["client_id"] == bench.client.client_id


def test_m18_an_assertion_of_the_client_for_this_issuer_proves_it_once(bench: Bench) -> None:
    assertion = bench.assertion()
    assert bench.asserted(assertion).status == 200
    assert outcome(bench.asserted(assertion)) == (401, "invalid_client")
    assert bench.asserted(bench.assertion(aud=[AS]), client_id=bench.keyed.client_id).status == 200
    bench.now += 80  # within the leeway, in which it has to be remembered
    assert outcome(bench.asserted(assertion)) == (401, "invalid_client")


_WRONG: dict[str, Callable[[Bench], str]] = {
    "for the token endpoint": lambda b: b.assertion(aud=f"{AS}/oauth2/token"),
    "for the issuer and another": lambda b: b.assertion(aud=[AS, "https://other.example.com"]),
    "for nobody": lambda b: b.assertion(aud=None),
    "without end": lambda b: b.assertion(exp=None),
    "for ten years": lambda b: b.assertion(exp=NOW + 10 * 365 * 86_400),
    "expired": lambda b: b.assertion(exp=NOW - 31),
    "without jti": lambda b: b.assertion(jti=None),
    "without subject": lambda b: b.assertion(sub=None),
    "subject a number": lambda b: b.assertion(sub=1),
    "of another issuer": lambda b: b.assertion(iss="another"),
    "of a client with a secret": lambda b: b.assertion(iss=b.client.client_id, sub=b.client.client_id),
    "of nobody": lambda b: b.assertion(iss="nobody", sub="nobody"),
    "by another key": lambda b: b.assertion(key=SigningKey.generate("ES256")),
    "alg none": lambda b: b.assertion({"alg": "none"}),
    "HS256 with the public key": lambda b: b.assertion({"alg": "HS256"}, SigningKey(b.key.public_pem.encode(), algorithm="HS256")),
    "typ at+jwt": lambda b: b.assertion({"typ": "at+jwt"}),
    "an access token": lambda b: b.token(),
    "no JWT": lambda b: "abc",
}  # fmt: skip


@pytest.mark.parametrize("make", _WRONG.values(), ids=_WRONG.keys())
def test_m18_any_other_assertion_proves_nothing(bench: Bench, make: Callable[[Bench], str]) -> None:
    assert outcome(bench.asserted(make(bench))) == (401, "invalid_client")


def test_m18_an_assertion_of_one_client_is_not_taken_for_another(bench: Bench) -> None:
    assert outcome(bench.asserted(bench.assertion(), client_id=bench.client.client_id)) == (401, "invalid_client")
    half = bench.ask(**GRANT, client_assertion=bench.assertion())
    assert outcome(half) == (400, "invalid_request")


def test_m18_an_assertion_is_good_once_for_all_processes_that_share_a_store(tmp_path: Any) -> None:
    first = Bench(Clients(SQLiteStore(tmp_path / "issuer.db")))
    second = Issuer(AS, store=SQLiteStore(tmp_path / "issuer.db"), clock=lambda: NOW)
    assertion = first.assertion()
    assert first.asserted(assertion).status == 200
    body = urlencode({**GRANT, **ASSERTION, "client_assertion": assertion}).encode()
    assert outcome(second.respond(IssuerRequest("POST", STANDARD.path, FORM, body))) == (401, "invalid_client")


def test_m19_the_explicit_type_is_taken_and_not_required(bench: Bench) -> None:
    for typ in ("client-authentication+jwt", "application/Client-Authentication+JWT", "JWT"):
        assert bench.asserted(bench.assertion({"typ": typ})).status == 200


@pytest.mark.parametrize("path", [STANDARD.path, "/opaque"], ids=["a JWT", "an opaque token"])
def test_m21_a_client_revokes_its_own_tokens_and_no_others(bench: Bench, path: str) -> None:
    other, secret = bench.issuer.clients.add(audience=API)
    theirs = {"client_id": other.client_id, "client_secret": secret}
    token = bench.token(path)

    def active() -> bool:
        return bool(content(bench.ask(path="/oauth2/introspect", token=token, **bench.good))["active"])

    assert outcome(bench.ask(path="/oauth2/revoke", token=token, **theirs)) == (400, "invalid_grant")
    assert active()
    for _ in range(2):  # the second time it is unknown
        assert (
            bench.ask(path="/oauth2/revoke", token=token, token_type_hint="refresh_token", **bench.good).status == 200
        )
        assert not active()


def test_m21_revocation_wants_post_a_client_and_a_token_and_takes_unknown_ones(bench: Bench) -> None:
    path = "/oauth2/revoke"
    assert bench.issuer.respond(IssuerRequest("GET", path)).status == 405
    assert outcome(bench.ask(path=path, token="x")) == (401, "invalid_client")
    assert outcome(bench.ask(path=path, **bench.good)) == (400, "invalid_request")
    for token in ("x", "a.b.c", bench.token() + "x"):
        assert bench.ask(path=path, token=token, **bench.good).status == 200
    assert outcome(bench.ask(path=path, token=bench.token("/bare"), **bench.good)) == (400, "unsupported_token_type")


def test_m22_what_is_published_holds_public_parts_alone_and_agrees_with_the_issuer(bench: Bench) -> None:
    metadata = content(bench.issuer.respond(IssuerRequest("GET", "/.well-known/oauth-authorization-server")))
    assert metadata["issuer"] == AS
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"):
        method = "GET" if name == "jwks_uri" else "POST"
        answer = bench.issuer.respond(IssuerRequest(method, metadata[name].removeprefix(AS), FORM))
        assert answer.status == (200 if name == "jwks_uri" else 400), name
    keys = content(bench.issuer.respond(IssuerRequest("GET", metadata["jwks_uri"].removeprefix(AS))))["keys"]
    assert [key["kid"] for key in keys] == [bench.issuer.keys.current.kid]
    assert not {"d", "p", "q", "k"} & set(keys[0])
