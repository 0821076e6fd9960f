"""The issuer's `respond`: token endpoint, clients, JWK Set, metadata; rows M of the conformance list by their ids."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from bearer_guard import ConfigurationError, Guard, IncomingRequest, JWTVerifier, RemoteJWKSet, StaticJWKSet
from bearer_guard._flow import Request, Response
from bearer_guard.dialects import camel_case_words
from bearer_guard.issuer import (
    JSON_BODY,
    STANDARD,
    Client,
    Clients,
    Dialect,
    Grant,
    Issuer,
    IssuerRequest,
    IssuerResponse,
    JWTFormat,
    KeyRing,
    MemoryStore,
    SQLiteStore,
    lifetime_alone,
)

AS = "https://id.example.com"
API = "https://api.example.com"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
NOW = 1_800_000_000


class Bench:
    def __init__(self, url: str = AS, **options: Any) -> None:
        self.issuer = Issuer(url, dialects=(STANDARD, JSON_BODY), clock=lambda: NOW + 0.75, **options)
        self.client, self.secret = self.issuer.clients.add(audience=[API, f"{API}/v2"], scopes="read write")
        self.good = {
            "client_id": self.client.client_id,
            "client_secret": self.secret,
            "grant_type": "client_credentials",
        }

    def get(self, path: str, method: str = "GET", **headers: str) -> IssuerResponse:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.issuer.respond(IssuerRequest(method, path, fields))

    def form(
        self, *more: tuple[str, str], headers: dict[str, str] | None = None, **changes: str | None
    ) -> IssuerResponse:
        members = {name: value for name, value in {**self.good, **changes}.items() if value is not None}
        return self.raw(urlencode([*members.items(), *more]).encode(), {**FORM, **(headers or {})})

    def json(self, headers: dict[str, str] | None = None, **changes: Any) -> IssuerResponse:
        members = {name: value for name, value in {**self.good, **changes}.items() if value is not None}
        return self.raw(json.dumps(members).encode(), {**JSON, **(headers or {})}, JSON_BODY.path)

    def basic(self, user: str, secret: str, **changes: str | None) -> IssuerResponse:
        credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
        without = {"client_id": None, "client_secret": None}
        return self.form(headers={"authorization": f"Basic {credentials}"}, **{**without, **changes})

    def raw(self, body: bytes, headers: Any, path: str = STANDARD.path, method: str = "POST") -> IssuerResponse:
        return self.issuer.respond(IssuerRequest(method, path, headers, body))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def content(response: IssuerResponse) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(response.body)
    return decoded


def claims_of(response: IssuerResponse) -> dict[str, Any]:
    payload = content(response)["access_token"].split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return decoded


def outcome(response: IssuerResponse) -> tuple[int, str]:
    return response.status, content(response)["error"]


def test_provider_000_a_json_request_gets_the_documents_answer(bench: Bench) -> None:
    response = bench.json()
    answer = content(response)
    assert response.status == 200
    assert answer.pop("access_token").count(".") == 2
    assert answer == {"token_type": "Bearer", "expires_in": 3600, "scope": "read write"}
    assert dict(response.headers)["cache-control"] == "no-store"
    assert dict(response.headers)["content-type"] == "application/json"


def test_an_issued_token_passes_a_guard_that_reads_the_published_keys(bench: Bench) -> None:
    keys = StaticJWKSet(content(bench.get("/.well-known/jwks.json")))
    verifier = JWTVerifier(issuer=AS, audience=API, keys=keys, profile="rfc9068", leeway=0, clock=lambda: NOW + 1)
    token = content(bench.json())["access_token"]
    access = Guard(verifier).check(IncomingRequest("GET", "/", {"authorization": f"Bearer {token}"}), "read")
    assert access is not None
    assert access.is_client
    assert access.issued_at == NOW
    assert access.expires_at == NOW + 3600


def test_m01_only_post_is_taken(bench: Bench) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        response = bench.get(STANDARD.path, method)
        assert response.status == 405
        assert dict(response.headers)["allow"] == "POST"


def test_m01_a_json_body_at_a_form_endpoint_and_a_form_at_a_json_one_are_refused(bench: Bench) -> None:
    body = json.dumps(bench.good).encode()
    assert outcome(bench.raw(body, JSON)) == (400, "invalid_request")
    assert outcome(bench.raw(urlencode(bench.good).encode(), FORM, JSON_BODY.path)) == (400, "invalid_request")


def test_a_content_type_must_be_there_once_and_may_have_parameters(bench: Bench) -> None:
    body = urlencode(bench.good).encode()
    twice = [("content-type", FORM["content-type"]), ("content-type", FORM["content-type"])]
    assert outcome(bench.raw(body, {})) == (400, "invalid_request")
    assert outcome(bench.raw(body, twice)) == (400, "invalid_request")
    assert bench.raw(body, {"Content-Type": "Application/X-WWW-Form-URLencoded; charset=utf-8"}).status == 200


def test_m02_empty_parameters_count_as_omitted_unknown_ones_are_ignored(bench: Bench) -> None:
    assert bench.form(scope="", foo="1").status == 200
    assert bench.json(scope="", foo="1").status == 200
    assert outcome(bench.form(grant_type="")) == (400, "invalid_request")


def test_m02_a_repeated_parameter_is_refused(bench: Bench) -> None:
    assert outcome(bench.form(("grant_type", "client_credentials"))) == (400, "invalid_request")
    repeated = json.dumps(bench.good)[:-1] + ', "grant_type": "client_credentials"}'
    assert outcome(bench.raw(repeated.encode(), JSON, JSON_BODY.path)) == (400, "invalid_request")


def test_m03_credentials_may_come_in_the_body_or_by_basic(bench: Bench) -> None:
    assert bench.form().status == 200
    assert bench.basic(bench.client.client_id, bench.secret).status == 200
    assert bench.basic(bench.client.client_id, bench.secret, client_id=bench.client.client_id).status == 200


def test_m04_the_halves_of_basic_are_form_url_decoded_after_the_split(bench: Bench) -> None:
    client, secret = bench.issuer.clients.add(audience=API, client_id="a:b ü")
    assert bench.basic(quote_plus(client.client_id), quote_plus(secret)).status == 200
    assert outcome(bench.basic(client.client_id, secret)) == (401, "invalid_client")


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Basic YQ==", "Bearer x", "Basic /w==", "Basic JWZmOmI=", ""])
def test_an_authorization_field_that_is_no_basic_is_refused_as_that_of_a_wrong_client(bench: Bench, value: str) -> None:
    response = bench.form(client_id=None, client_secret=None, headers={"authorization": value})
    assert outcome(response) == (401, "invalid_client")
    assert dict(response.headers)["www-authenticate"].startswith('Basic realm="')


def test_m05_more_than_one_way_of_authentication_is_refused(bench: Bench) -> None:
    both = {"client_id": bench.client.client_id, "client_secret": bench.secret}
    assert outcome(bench.basic(bench.client.client_id, bench.secret, **both)) == (400, "invalid_request")
    credentials = "Basic " + base64.b64encode(f"{bench.client.client_id}:{bench.secret}".encode()).decode()
    twice = [*FORM.items(), ("authorization", credentials), ("authorization", credentials)]
    assert outcome(bench.raw(b"grant_type=client_credentials", twice)) == (400, "invalid_request")
    assert outcome(bench.json(headers={"authorization": credentials})) == (400, "invalid_request")
    assert outcome(bench.basic(bench.client.client_id, bench.secret, client_id="another")) == (400, "invalid_request")


def test_m06_failed_basic_gets_a_challenge_of_that_scheme(bench: Bench) -> None:
    response = bench.basic(bench.client.client_id, "wrong")
    assert outcome(response) == (401, "invalid_client")
    assert dict(response.headers)["www-authenticate"] == 'Basic realm="token", charset="UTF-8"'
    assert outcome(bench.form(client_secret="wrong")) == (401, "invalid_client")
    assert outcome(bench.form(client_secret=None)) == (401, "invalid_client")
    assert outcome(bench.form(client_id=None)) == (401, "invalid_client")


def test_m07_an_unknown_client_and_a_wrong_secret_get_identical_answers(bench: Bench) -> None:
    assert bench.form(client_id="nobody") == bench.form(client_secret="wrong")
    assert bench.json(client_id="nobody") == bench.json(client_secret="wrong")


def test_m07_a_secret_beyond_ascii_is_wrong_and_breaks_nothing(bench: Bench) -> None:
    assert outcome(bench.form(client_secret="gehéim\u2603")) == (401, "invalid_client")
    assert outcome(bench.basic(bench.client.client_id, "gehéim")) == (401, "invalid_client")
    assert bench.issuer.clients.authenticate(bench.client.client_id, "\ud800") is None


def test_m08_refusals_carry_the_codes_of_rfc_6749(bench: Bench) -> None:
    assert outcome(bench.form(grant_type=None)) == (400, "invalid_request")
    assert outcome(bench.form(grant_type="password")) == (400, "unsupported_grant_type")
    assert outcome(bench.json(grant_type="authorization_code")) == (400, "unsupported_grant_type")
    assert outcome(bench.json(grant_type=1)) == (400, "invalid_request")


def test_m09_every_answer_of_the_token_endpoint_is_kept_out_of_caches(bench: Bench) -> None:
    answers = [
        bench.form(),
        bench.form(client_id="x"),
        bench.form(grant_type="x"),
        bench.get(STANDARD.path),
        bench.json(),
    ]
    for response in answers:
        assert ("cache-control", "no-store") in response.headers
        assert ("pragma", "no-cache") in response.headers


def test_m10_m11_an_answer_names_the_granted_scope_and_holds_no_refresh_token(bench: Bench) -> None:
    answer = content(bench.form(scope="read"))
    assert answer.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer["scope"] == "read"
    assert type(answer["expires_in"]) is int


def test_a_client_without_scopes_gets_a_token_without_the_claim(bench: Bench) -> None:
    client, secret = bench.issuer.clients.add(audience=API, token_lifetime=60)
    response = bench.json(client_id=client.client_id, client_secret=secret)
    assert "scope" not in content(response)
    assert "scope" not in claims_of(response)
    assert content(response)["expires_in"] == 60


@pytest.mark.parametrize("scope", ["nope", 'a"b', "read nope", "READ"])
def test_m13_a_scope_that_is_unknown_or_not_granted_is_refused(bench: Bench, scope: str) -> None:
    assert outcome(bench.form(scope=scope)) == (400, "invalid_scope")


def test_m15_m16_resources_become_the_audience_and_without_one_it_is_the_clients(bench: Bench) -> None:
    assert claims_of(bench.form())["aud"] == [API, f"{API}/v2"]
    assert claims_of(bench.form(resource=API))["aud"] == API
    assert claims_of(bench.form(("resource", API), resource=f"{API}/v2"))["aud"] == [f"{API}/v2", API]
    assert claims_of(bench.json(resource=[API]))["aud"] == API


@pytest.mark.parametrize("resource", ["https://other.example", "/relative", f"{API}#fragment"])
def test_m15_a_resource_that_is_not_the_clients_is_refused(bench: Bench, resource: str) -> None:
    assert outcome(bench.form(resource=resource)) == (400, "invalid_target")


def test_m17_the_subject_is_the_client_whatever_the_request_says(bench: Bench) -> None:
    claims = claims_of(bench.form(sub="admin", client="admin"))
    assert claims["sub"] == claims["client_id"] == bench.client.client_id


BODIES: dict[str, bytes] = {
    "empty": b"",
    "nul": b"\0" * 100,
    "invalid utf-8": b"grant_type=\xff",
    "invalid utf-8, escaped": b"grant_type=%ff",
    "many parameters": b"&".join(b"a%d=1" % n for n in range(5_000)),
    "deep": b"[" * 20_000,
    "array": b"[]",
    "many digits": b'{"a":' + b"9" * 6000 + b"}",
    "surrogate": b'{"client_id":"\\ud800"}',
    "object in a member": b'{"grant_type":{}}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize(("headers", "path"), [(FORM, STANDARD.path), (JSON, JSON_BODY.path)], ids=["form", "json"])
def test_a_malformed_body_is_the_clients_fault_and_never_an_exception(
    bench: Bench, body: bytes, headers: dict[str, str], path: str
) -> None:
    response = bench.raw(body, headers, path)
    assert response.status in (400, 401)
    assert content(response)["error"] in ("invalid_request", "invalid_client")


def test_a_body_above_the_bound_is_answered_with_413(bench: Bench) -> None:
    response = bench.raw(b"a" * 65_537, FORM)
    assert response.status == 413
    assert content(response)["error"] == "invalid_request"


def test_a_refusal_says_nothing_of_what_was_sent(bench: Bench) -> None:
    response = bench.form(client_id="marker-4711", client_secret="marker-4712", scope="marker-4713")
    assert b"marker" not in response.body + repr(response.headers).encode()


def test_m22_the_key_set_is_cacheable_and_a_known_etag_gets_304(bench: Bench) -> None:
    first = bench.get("/.well-known/jwks.json")
    fields = dict(first.headers)
    assert fields["cache-control"] == "public, max-age=600"
    for value in (fields["etag"], f'"other", W/{fields["etag"]}', "*"):
        unchanged = bench.get("/.well-known/jwks.json", if_none_match=value)
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert dict(unchanged.headers) == {"cache-control": fields["cache-control"], "etag": fields["etag"]}
    assert bench.get("/.well-known/jwks.json", if_none_match='"other"').status == 200
    bench.issuer.keys.rotate()
    changed = bench.get("/.well-known/jwks.json", if_none_match=fields["etag"])
    assert changed.status == 200
    assert len(content(changed)["keys"]) == 2


def test_documents_take_get_and_head_and_nothing_else(bench: Bench) -> None:
    whole, head = bench.get("/.well-known/jwks.json"), bench.get("/.well-known/jwks.json", "HEAD")
    assert head.headers == whole.headers
    assert head.body == b""
    refused = bench.get("/.well-known/jwks.json", "POST")
    assert refused.status == 405
    assert dict(refused.headers)["allow"] == "GET, HEAD"


def test_an_unknown_path_is_not_found(bench: Bench) -> None:
    assert bench.get("/").status == 404
    assert bench.get("/.well-known/jwks.json/").status == 404
    assert bench.get("/", "HEAD").body == b""


@pytest.mark.parametrize(
    ("url", "oauth", "openid"),
    [
        (AS, "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
        (f"{AS}/t1", "/.well-known/oauth-authorization-server/t1", "/t1/.well-known/openid-configuration"),
    ],
)
def test_metadata_is_at_both_well_known_places_and_matches_the_issuer(url: str, oauth: str, openid: str) -> None:
    bench = Bench(url)
    metadata = content(bench.get(oauth))
    assert metadata == content(bench.get(openid)) == bench.issuer.metadata()
    assert metadata["issuer"] == url
    assert metadata["token_endpoint"] == f"{url}/oauth2/token"
    assert metadata["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ]
    assert metadata["jwks_uri"] == f"{url}/.well-known/jwks.json"
    assert bench.issuer.token_endpoints == (f"{url}/oauth2/token", f"{url}/v1/oauth/token")
    assert bench.get(metadata["jwks_uri"].removeprefix(AS)).status == 200


def test_a_guard_discovers_the_issuer_through_its_metadata() -> None:
    bench = Bench(f"{AS}/t1")

    class Direct:
        def send(self, request: Request) -> Response:
            answer = bench.issuer.respond(IssuerRequest(request.method, request.url.removeprefix(AS), request.headers))
            return Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    keys = RemoteJWKSet.discover(f"{AS}/t1", transport=Direct())
    verifier = JWTVerifier(issuer=f"{AS}/t1", audience=API, keys=keys, clock=lambda: NOW + 1)
    token = content(bench.issuer.respond(_json_request(bench, "/t1")))["access_token"]
    assert verifier.verify(token).client_id == bench.client.client_id


def _json_request(bench: Bench, prefix: str) -> IssuerRequest:
    return IssuerRequest("POST", prefix + JSON_BODY.path, JSON, json.dumps(bench.good).encode())


def test_a_dialect_is_a_value_that_sets_path_spelling_statuses_and_error_members() -> None:
    dialect = Dialect(
        path="/token",
        body="json",
        basic=None,
        private_key_jwt=False,
        token_type="bearer",
        statuses={"invalid_client": 403},
        words=camel_case_words,
    )
    issuer = Issuer(AS, dialects=[dialect])
    client, secret = issuer.clients.add(audience=API)
    good = {"client_id": client.client_id, "client_secret": secret, "grant_type": "client_credentials"}

    def post(body: dict[str, str]) -> IssuerResponse:
        return issuer.respond(IssuerRequest("POST", "/token", JSON, json.dumps(body).encode()))

    assert content(post(good))["token_type"] == "bearer"
    refused = post({**good, "client_secret": "wrong"})
    assert refused.status == 403
    assert content(refused).keys() == {"error", "errorDescription"}
    assert "www-authenticate" not in dict(refused.headers)
    assert issuer.metadata()["token_endpoint_auth_methods_supported"] == ["client_secret_post"]


def test_a_secret_is_made_here_shown_once_and_kept_as_a_salted_hash() -> None:
    clients = Clients()
    first, secret = clients.add(audience=API)
    second, other = clients.add(audience=API)
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert secret != other
    assert first.secret is not None
    assert second.secret is not None
    assert first.secret.salt != second.secret.salt
    assert secret not in repr(first) + repr(clients)
    assert repr(first.secret.digest) not in repr(first) + repr(first.secret)
    assert clients.authenticate(first.client_id, secret) is first
    assert clients.authenticate(first.client_id, other) is None
    assert len(clients) == 2


@pytest.mark.parametrize(
    ("add", "problem"),
    [
        (lambda clients: clients.add(audience=""), "audience"),
        (lambda clients: clients.add(audience=[]), "audience"),
        (lambda clients: clients.add(audience=API, scopes=['a"b']), "scope"),
        (lambda clients: clients.add(audience=API, token_lifetime=0), "token_lifetime"),
        (lambda clients: clients.add(audience=API, client_id=""), "client_id"),
        (lambda clients: clients.add(audience=API, client_id="taken"), "client_id"),
    ],
    ids=["empty audience", "no audience", "scope", "lifetime", "empty identifier", "taken identifier"],
)
def test_a_client_that_makes_no_sense_is_a_configuration_error(
    add: Callable[[Clients], tuple[Client, str]], problem: str
) -> None:
    clients = Clients()
    clients.add(audience=API, client_id="taken")
    with pytest.raises(ConfigurationError, match=problem):
        add(clients)
    assert len(clients) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"identifier": "http://id.example.com"}, "url must be https"),
        ({"identifier": "An ID"}, "url must be an absolute https URL"),
        ({"identifier": f"{AS}?a=b"}, "query"),
        ({"dialects": ()}, "at least one"),
        ({"dialects": (STANDARD, STANDARD)}, "a path each"),
        ({"jwks_max_age": -1}, "jwks_max_age"),
    ],
)
def test_an_issuer_that_makes_no_sense_is_a_configuration_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Issuer(**{"identifier": AS, **options})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"path": "token"}, "path must be a string that begins with /"),
        ({"path": 5}, "path must be"),
        ({"body": "xml"}, "body must be 'form' or 'json'"),
        ({"basic": "plain"}, "basic must be 'encoded', 'raw' or None"),
        ({"basic": None, "in_body": False, "private_key_jwt": False}, "no client could authenticate"),
        ({"required": "grant_type"}, "required must be a tuple"),
        ({"required": (5,)}, "required must be a tuple"),
        ({"token": "jwt"}, "token must be a JWTFormat"),
        ({"token_type": ""}, "token_type must be a string"),
        ({"members": {"expires_in": 60}}, "must be callables"),
        ({"words": None}, "must be callables"),
        ({"statuses": {"invalid_client": 200}}, "statuses and too_large must be HTTP statuses of refusals"),
        ({"too_large": "413"}, "statuses and too_large must be HTTP statuses of refusals"),
    ],
)
def test_a_dialect_that_makes_no_sense_is_a_configuration_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Dialect(**options)


def test_every_mistake_of_a_dialect_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Dialect(path="token", too_large=1000)
    assert len(caught.value.problems) == 2


def test_an_identifier_that_is_no_url_is_fine_beside_a_url() -> None:
    issuer = Issuer("An ID", url=AS, keys=KeyRing("HS256"))
    assert issuer.metadata()["issuer"] == "An ID"
    assert issuer.jwks_uri == f"{AS}/.well-known/jwks.json"


def test_an_answer_with_a_token_does_not_show_it_in_repr(bench: Bench) -> None:
    response = bench.json()
    assert content(response)["access_token"] not in repr(response)


def test_a_dialect_may_take_raw_basic_alone_and_answer_with_the_lifetime_alone() -> None:
    dialect = Dialect(path="/t", basic="raw", in_body=False, required=(), members=lifetime_alone)
    issuer = Issuer(AS, dialects=[dialect, Dialect(path="/post", basic=None)])
    client, secret = issuer.clients.add(audience=API, client_id="a%41+b")

    def post(body: bytes, path: str = "/t", value: str = f"a%41+b:{secret}") -> IssuerResponse:
        basic = "Basic " + base64.b64encode(value.encode()).decode()
        return issuer.respond(IssuerRequest("POST", path, {**FORM, "authorization": basic}, body))

    good = b"grant_type=client_credentials"
    assert content(post(good)).keys() == {"access_token", "token_type", "expires_in"}
    assert claims_of(post(good))["client_id"] == client.client_id
    assert outcome(post(b"")) == (400, "invalid_request")
    assert outcome(post(good, "/post")) == (400, "invalid_request")


def test_a_grant_knows_the_key_that_signs_and_a_longer_token_keeps_it_published() -> None:
    grants: list[Grant] = []

    def claims(grant: Grant) -> dict[str, Any]:
        grants.append(grant)
        return {"exp": grant.issued_at + 100_000}

    now = [float(NOW)]
    issuer = Issuer(AS, dialects=[Dialect(token=JWTFormat(claims=claims))], clock=lambda: now[0])
    client, _ = issuer.clients.add(audience=API)
    issuer.token(client, [API], "")
    key = grants[0].key
    assert key is issuer.keys.current
    assert issuer.rotate() is not key
    now[0] += 100_000
    assert key in issuer.keys.keys
    now[0] += 1000
    assert key not in issuer.keys.keys
    issuer.token(client, [API], "")  # also the one that tidies up
    kept = issuer.store.keys()
    assert [stored.kid for stored in kept] == [issuer.keys.current.kid]


def test_keys_are_tended_by_requests_and_trouble_with_it_is_a_503(tmp_path: Path) -> None:
    now = [float(NOW)]
    store = SQLiteStore(tmp_path / "issuer.db", patience=0.05)
    issuer = Issuer(AS, store=store, keys=KeyRing(store=store, rotate_every=1000, clock=lambda: now[0]))
    jwks = IssuerRequest("GET", "/.well-known/jwks.json")
    now[0] += 1000
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert asyncio.run(issuer.arespond(jwks)).status == 503
        assert issuer.respond(jwks).status == 503
    assert len(content(asyncio.run(issuer.arespond(jwks)))["keys"]) == 2
    assert len(content(issuer.respond(jwks))["keys"]) == 2


def test_an_issuer_whose_parts_do_not_fit_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Issuer(
            AS,
            keys=KeyRing(publish_ahead=10),
            clients=Clients(),
            store=MemoryStore(),
            dialects=[Dialect(path="/oauth2/revoke")],
        )
    assert len(caught.value.problems) == 3
    assert Issuer(AS, jwks_max_age=86_400).keys.publish_ahead > 86_400


def test_tokens_are_issued_over_a_real_server_under_load_without_an_error_or_a_duplicate() -> None:
    from tests.benchmarks.issuance import under_load

    seen = under_load(requests=480, clients=16)
    assert seen.statuses == {200: 480}
    assert seen.distinct == 480
