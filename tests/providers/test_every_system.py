"""What holds for each of the five systems, over real sockets, as ASGI and as WSGI: asked, granted, taken, refused."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import authlib.integrations.requests_client
import pytest

from bearer_guard import JWTVerifier, RemoteJWKSet, Verifier
from bearer_guard._challenge import parse_challenges
from bearer_guard.client import TokenClient, TokenRequestFailed
from bearer_guard.issuer import MemoryStore, StoreFailed, StoreVerifier

from .systems import Answer, Running


def in_words(answer: Answer, members: frozenset[str]) -> dict[str, Any]:
    """Assert that a refusal is in the document's shape; its members."""
    content = answer.json()
    assert content.keys() == members, content
    assert answer.headers["content-type"] == "application/json"
    assert all(type(value) is (int if name == "code" else str) for name, value in content.items())
    return dict(content)


def refused(running: Running, token: str | None, status: int, error: str | None, path: str | None = None) -> Answer:
    """Assert that the protected endpoint refuses `token` in the document's shape and with RFC 6750's challenge."""
    answer = running.call(token, path)
    assert answer.status == status
    in_words(answer, running.system.client_words)
    (challenge,) = parse_challenges(answer.headers["www-authenticate"])
    assert challenge.scheme.lower() == "bearer"
    assert challenge.params.get("error") == error
    assert "realm" in challenge.params
    assert answer.headers["cache-control"] == "no-store"
    return answer


def not_granted(running: Running, answer: Answer, status: int, error: str) -> None:
    """Assert that the token endpoint refused in the document's shape."""
    assert answer.status == status, answer
    content = in_words(answer, running.system.client_words)
    if status != 403 or running.system.name != "screening_eagle":
        assert content["error"] == error
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_the_documents_request_gets_the_documents_response(running: Running) -> None:
    answer = running.asked()
    content = answer.json()
    assert answer.status == 200
    assert content.keys() == running.system.members
    assert content["token_type"] == running.system.token_type
    assert content["expires_in"] == running.system.lifetime
    assert type(content["expires_in"]) is int
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


def test_the_protected_endpoint_takes_the_token_again_and_again(running: Running) -> None:
    token = running.token()
    for _ in range(3):
        assert running.call(token).status == 200


def token_client(running: Running, **options: Any) -> TokenClient:
    system = running.system
    return TokenClient(
        running.url + system.token_path,
        client_id=running.client[0],
        **{
            "client_secret": running.client[1],
            "auth": "post" if system.json_body else "basic_raw",
            "body": "json" if system.json_body else "form",
            "scope": system.scope or None,
            **options,
        },
    )


def test_our_client_obtains_keeps_and_renews_a_token(running: Running) -> None:
    clock = [0.0]
    client = token_client(running, clock=lambda: clock[0])
    first = client.token()
    assert running.call(first).status == 200
    clock[0] = running.system.lifetime / 2
    assert client.token() == first
    clock[0] = running.system.lifetime + 1.0
    second = client.token()
    assert second != first
    assert running.call(second).status == 200


def test_our_client_obtains_a_token_from_a_coroutine(running: Running) -> None:
    token = asyncio.run(token_client(running).atoken())
    assert running.call(token).status == 200


def test_our_client_carries_the_providers_own_words_and_never_the_secret(running: Running) -> None:
    client = token_client(running, client_secret="a-wrong-secret-that-is-nowhere-else")
    with pytest.raises(TokenRequestFailed) as failed:
        client.token()
    assert failed.value.status == running.system.bad_credentials
    assert failed.value.error == "invalid_client"
    assert failed.value.description
    assert "nowhere-else" not in str(failed.value) + repr(failed.value)


def test_an_oauth_client_library_that_is_not_ours_obtains_a_token(running: Running) -> None:
    system = running.system

    def as_json(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
        del client, method
        fields = {"client_id": running.client[0], "client_secret": running.client[1]}
        content = json.dumps({**fields, "grant_type": "client_credentials"})
        return uri, {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}, content

    with authlib.integrations.requests_client.OAuth2Session(
        *running.client, token_endpoint_auth_method="as_json" if system.json_body else "client_secret_basic"
    ) as session:
        session.trust_env = False
        session.register_client_auth_method(("as_json", as_json))
        scope = {"scope": system.scope} if system.scope else {}
        session.fetch_token(running.url + system.token_path, grant_type="client_credentials", **scope)
        answer = session.request(system.method, running.url + system.path)
        assert answer.status_code == 200


def test_wrong_credentials_are_refused_with_one_and_the_same_answer(running: Running) -> None:
    client_id, secret = running.client
    status = running.system.bad_credentials
    answers = [
        running.asked((client_id, "wrong")),
        running.asked((client_id, secret[:-1])),
        running.asked((client_id, secret + "x")),
        running.asked(("nobody", secret)),
        running.asked((client_id, "pässword")),
    ]
    for answer in answers:
        not_granted(running, answer, status, "invalid_client")
    assert len({answer.body for answer in answers}) == 1


def test_another_grant_type_is_refused_with_400(running: Running) -> None:
    for grant_type in ("password", "authorization_code", "CLIENT_CREDENTIALS"):
        not_granted(running, running.asked(grant_type=grant_type), 400, "unsupported_grant_type")


def test_a_missing_field_is_refused(running: Running) -> None:
    missing = ["grant_type"]
    if running.system.json_body:
        missing += ["client_id", "client_secret"]
    if running.system.scope:
        missing.append("scope")
    for name in missing:
        not_granted(running, running.asked(**{name: None}), 400, "invalid_request")
        not_granted(running, running.asked(**{name: ""}), 400, "invalid_request")


def test_missing_credentials_are_refused(running: Running) -> None:
    if running.system.json_body:
        not_granted(running, running.asked(client_id=None, client_secret=None), 400, "invalid_request")
        return
    body, headers = running.system.request(*running.client)
    del headers["Authorization"]
    not_granted(running, running.post(body, headers), running.system.bad_credentials, "invalid_client")


def test_another_content_type_is_refused_with_400(running: Running) -> None:
    body, headers = running.system.request(*running.client)
    for other in ("text/plain", "multipart/form-data; boundary=x", "application/xml", "application/jsonp"):
        not_granted(running, running.post(body, {**headers, "Content-Type": other}), 400, "invalid_request")
    del headers["Content-Type"]
    not_granted(running, running.post(body, headers), 400, "invalid_request")
    swapped = "application/x-www-form-urlencoded" if running.system.json_body else "application/json"
    not_granted(running, running.post(body, {**headers, "Content-Type": swapped}), 400, "invalid_request")


def test_only_post_is_taken_and_parameters_in_the_query_count_for_nothing(running: Running) -> None:
    answer = running.send("GET", running.system.token_path)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    in_words(answer, running.system.client_words)
    body, headers = running.system.request(*running.client, grant_type=None)
    path = running.system.token_path + "?grant_type=client_credentials"
    not_granted(running, running.send("POST", path, body, headers), 400, "invalid_request")


_MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "ten megabytes": b"a" * 10_000_000,
    "100,000 parameters": b"&".join(b"a%d=1" % number for number in range(100_000)),
    "100,000 members": json.dumps({f"a{number}": "1" for number in range(100_000)}).encode(),
    "nul": b"grant_type=client_credentials\0&a=\0",
    "only nul": b"\0" * 200,
    "invalid utf-8": b'{"grant_type":"client_credentials\xff"}',
    "invalid utf-8, escaped": b"grant_type=%ff%fe",
    "parameter twice": b"grant_type=client_credentials&grant_type=client_credentials&scope=a",
    "member twice": b'{"grant_type":"client_credentials","grant_type":"client_credentials"}',
    "deep array": b"[" * 60_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "array": b'["grant_type"]',
    "number": b"1",
    "members that are no strings": b'{"client_id":1,"client_secret":[],"grant_type":{}}',
    "null": b'{"client_id":null,"client_secret":null,"grant_type":null}',
    "surrogate": b'{"client_id":"\\ud800","client_secret":"x","grant_type":"client_credentials"}',
    "nan": b'{"client_id":NaN}',
    "byte order mark": b'\xef\xbb\xbf{"client_id":"a","client_secret":"b","grant_type":"c"}',
    "utf-16": '{"client_id":"a"}'.encode("utf-16"),
    "semicolons": b"grant_type=client_credentials;scope=a",
}


@pytest.mark.parametrize("body", _MALFORMED.values(), ids=_MALFORMED.keys())
def test_a_malformed_request_gets_the_documents_400_in_bounded_time(running: Running, body: bytes) -> None:
    _, headers = running.system.request(*running.client)
    began = time.perf_counter()
    answer = running.post(body, headers)
    assert time.perf_counter() - began < 5
    assert answer.status == 400, answer
    content = in_words(answer, running.system.client_words)
    assert content["error"] in ("invalid_request", "unsupported_grant_type", "invalid_scope")


@pytest.mark.parametrize(
    "value",
    ["Basic", "Basic ", "Basic ===", "Basic YWJj", "Basic /////w==", "Basic Og==", "Bearer abc", "Digest x", "Basic " + "YTph" * 8_000],
    ids=["nothing", "empty", "padding", "no colon", "no utf-8", "empty halves", "bearer", "digest", "long"],
)
def test_a_malformed_authorization_field_is_refused_as_wrong_credentials(
    alternative_payments: Running, screening_eagle: Running, value: str
) -> None:
    for running in (alternative_payments, screening_eagle):
        body, headers = running.system.request(*running.client)
        answer = running.post(body, {**headers, "Authorization": value})
        not_granted(running, answer, running.system.bad_credentials, "invalid_client")


def test_a_request_without_a_token_gets_401_and_a_bare_challenge(running: Running) -> None:
    refused(running, None, 401, None)


def test_what_was_never_a_token_is_refused(running: Running) -> None:
    for text in ("abc", "a.b.c", "0" * 56, running.client[1], "eyJhbGciOiJub25lIn0.e30."):
        refused(running, text, 401, "invalid_token")


def test_malformed_credentials_are_a_400_at_the_protected_endpoint(running: Running) -> None:
    refused(running, "a b", 400, "invalid_request")


def test_a_tampered_token_is_refused(running: Running) -> None:
    token = running.token()
    flipped = "0" if token[-20] != "0" else "1"
    refused(running, token[:-20] + flipped + token[-19:], 401, "invalid_token")
    if "." in token:
        header, payload, signature = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        forged = base64.urlsafe_b64encode(json.dumps({**claims, "exp": claims["exp"] + 1}).encode()).decode().rstrip("=")
        refused(running, f"{header}.{forged}.{signature}", 401, "invalid_token")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
        refused(running, f"{unsigned}.{payload}.", 401, "invalid_token")


def test_an_expired_token_is_refused(running: Running) -> None:
    assert running.call(running.made()).status == 200
    refused(running, running.made(ago=running.system.lifetime + 60), 401, "invalid_token")


def test_a_token_for_another_audience_is_refused(running: Running) -> None:
    clients = running.module.issuer.clients
    other, _ = clients.add(audience="https://other.example.com", scopes=running.system.needs)
    refused(running, running.made(client_id=other.client_id), 401, "invalid_token")


def test_a_token_of_every_other_system_is_refused(running: Running, all_running: dict[tuple[str, str], Running]) -> None:
    for (name, colour), other in all_running.items():
        if name != running.system.name and colour == "asgi":
            refused(running, other.token(), 401, "invalid_token")


def test_a_token_without_the_scope_gets_403_in_the_documents_words(running: Running) -> None:
    if not running.system.needs:
        pytest.skip("the endpoint needs no scope")
    audience = running.module.issuer.clients.get(running.client[0]).audience
    client, secret = running.module.issuer.clients.add(audience=audience, scopes="other")
    token = running.token((client.client_id, secret), scope="other")
    answer = refused(running, token, 403, "insufficient_scope")
    assert f'scope="{running.system.needs}"' in answer.headers["www-authenticate"]


def test_a_scope_that_the_client_may_not_have_is_refused_with_400(running: Running) -> None:
    for scope in ("admin", 'a"b', f"{running.system.needs} admin"):
        not_granted(running, running.asked(scope=scope), 400, "invalid_scope")


@contextmanager
def verified_by(running: Running, verifier: Verifier) -> Iterator[None]:
    before = running.guard._verifier
    running.guard._verifier = verifier
    try:
        yield
    finally:
        running.guard._verifier = before


class BrokenStore(MemoryStore):
    def client(self, client_id: str) -> Any:
        raise StoreFailed("the disk is gone")

    def token(self, digest: bytes, now: float) -> Any:
        raise StoreFailed("the disk is gone")


def test_trouble_behind_the_guard_is_a_503_in_the_documents_shape_and_never_a_401(running: Running) -> None:
    token = running.token()
    if running.system.name == "alternative_payments":
        verifier: Verifier = StoreVerifier(BrokenStore(), audience="https://api.example.com")
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:  # bound, closed again: nobody answers there
            port = listener.getsockname()[1]
        identifier = running.module.issuer.identifier if running.system.name != "orocommerce" else None
        keys = RemoteJWKSet(f"http://127.0.0.1:{port}/keys")
        verifier = JWTVerifier(issuer=identifier, audience="https://api.example.com", keys=keys)
        if running.system.name == "screening_eagle":
            token = all_rs256(identifier)
    with verified_by(running, verifier):
        answer = running.call(token)
    assert answer.status == 503
    in_words(answer, running.system.server_words)
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers
    assert running.call(running.token()).status == 200


def all_rs256(identifier: str | None) -> str:
    """A token that a guard with remote keys would have to ask about; the system's own are HS256, which never are."""
    from bearer_guard.testing import LocalIssuer

    return LocalIssuer("https://api.example.com", issuer=identifier, algorithm="ES256").token()


def test_trouble_behind_the_token_endpoint_is_a_503_in_the_documents_shape(running: Running) -> None:
    clients = running.module.issuer.clients
    before = clients._store
    clients._store = BrokenStore()
    try:
        answer = running.asked()
    finally:
        clients._store = before
    assert answer.status == 503
    in_words(answer, running.system.server_words)
    assert running.asked().status == 200


def test_an_unknown_path_is_a_404_in_the_documents_shape_for_who_may_ask(running: Running) -> None:
    answer = running.call(running.token(), "/nowhere")
    assert answer.status == 404
    in_words(answer, running.system.client_words)


def test_another_method_is_a_405_in_the_documents_shape(running: Running) -> None:
    fields = {"Authorization": f"Bearer {running.token()}"}
    answer = running.send("PATCH", running.system.path, None, fields)
    assert answer.status == 405
    assert running.system.method in answer.headers["allow"]
    in_words(answer, running.system.client_words)
