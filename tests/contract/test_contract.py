"""Every row of the table against every adapter, inside linters."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from typing import Any

import pytest

from bearer_guard._challenge import parse_challenges

from .adapters import ADAPTERS, DECORATED, MIDDLEWARE, Adapter
from .exchange import Call, Reply, Seen
from .guards import CONFIGURED, TableVerifier, guard
from .table import BARE, DOWN, IR, IS, IT, OK, PATHS, TABLE, Row, auth, fields

STATUS = {OK: 200, BARE: 401, IT: 401, IR: 400, IS: 403, DOWN: 503}
ERROR = {BARE: None, IT: "invalid_token", IR: "invalid_request", IS: "insufficient_scope"}


class Bench:
    """One adapter's application, with what it and its verifier saw."""

    def __init__(self, adapter: Adapter, optional: bool = False, **options: Any) -> None:
        self.adapter = adapter
        self.verifier = TableVerifier()
        self.seen = Seen()
        self.app = adapter.build(guard(self.verifier, optional=optional), self.seen, **options)

    def send(self, call: Call, **members: Any) -> tuple[Reply, list[dict[str, Any]], list[str]]:
        self.verifier.asked.clear()
        reply = self.adapter.send(self.app, call, **members)
        return reply, self.seen.take(), list(self.verifier.asked)


@cache
def bench(adapter: Adapter) -> Bench:
    return Bench(adapter)


def named(adapter: Adapter) -> str:
    return adapter.name


def each(table: tuple[Row, ...]) -> Any:
    return pytest.mark.parametrize("row", table, ids=[row.id for row in table])


every_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=named)
every_middleware = pytest.mark.parametrize("adapter", MIDDLEWARE, ids=named)


def check(reply: Reply, calls: list[dict[str, Any]], row: Row) -> None:
    assert reply.status == STATUS[row.expected], reply
    if reply.phrase is not None:
        assert reply.phrase == HTTPStatus(reply.status).phrase
    if row.expected == OK:
        assert len(calls) == 1
        return
    assert calls == []
    check_refusal(reply, row)


def check_refusal(reply: Reply, row: Row) -> None:
    assert [name for name, _ in reply.headers] == [name.lower() for name, _ in reply.headers]
    assert reply.values("cache-control") == ["no-store"]  # B16
    wire = repr(reply.headers) + reply.body.decode()
    assert not any(value in wire for value in CONFIGURED)  # B18
    assert "Traceback" not in wire
    if row.call.method == "HEAD":
        assert reply.body == b""
    else:
        assert reply.values("content-length") == [str(len(reply.body))]
        assert json.loads(reply.body)["error_description"]
    if row.expected == DOWN:
        assert reply.values("www-authenticate") == []  # B19
        assert reply.values("retry-after") == ["7"]
        return
    (value,) = reply.values("www-authenticate")  # B01
    assert all(char in "\x20\x21" or "\x23" <= char <= "\x7e" or char == '"' for char in value)  # B12
    assert "\\" not in value
    assert 'realm="users"' in value  # B02, B10
    (challenge,) = parse_challenges(value)  # B09: a repeated parameter raises
    assert challenge.scheme == "Bearer"
    assert challenge.params.get("error") == ERROR[row.expected]  # B03-B07
    assert ("error_description" in challenge.params) == (row.expected != BARE)
    assert challenge.params.get("scope") == row.scope  # B08, B11


@every_adapter
@each(TABLE)
def test_it_answers_as_the_table_says(adapter: Adapter, row: Row) -> None:
    reply, calls, asked = bench(adapter).send(row.call)
    check(reply, calls, row)
    if row.token is not None:
        assert asked == [row.token]
    if row.expected in (BARE, IR):
        assert asked == []
    assert len(asked) <= 1  # a token is verified once a request, however many layers ask for it


@every_middleware
@each(PATHS)
def test_a_path_is_public_only_in_its_plain_spelling(adapter: Adapter, row: Row) -> None:
    reply, calls, asked = bench(adapter).send(row.call)
    check(reply, calls, row)
    assert asked == []
    if row.expected == OK:
        assert calls[0]["token"] is None


@each(tuple(row for row in TABLE if row.expected != OK))
def test_a_refusal_is_the_same_in_every_byte_under_every_adapter(row: Row) -> None:
    replies = {replace(bench(adapter).send(row.call)[0], phrase=None) for adapter in ADAPTERS}
    assert len(replies) == 1, replies


@every_adapter
@pytest.mark.parametrize("token", ["", "expired", "has-a", "outage"])
def test_B20_head_is_answered_with_the_headers_of_get(adapter: Adapter, token: str) -> None:
    call = auth(f"Bearer {token}", target="/ab") if token else Call(target="/ab")
    get, head = (bench(adapter).send(replace(call, method=method))[0] for method in ("GET", "HEAD"))
    assert (head.status, head.headers) == (get.status, get.headers)
    assert get.body
    assert not head.body


@every_adapter
def test_B14_bad_signature_unknown_key_and_wrong_issuer_are_answered_alike(adapter: Adapter) -> None:
    tokens = ("forged", "unknown-key", "foreign", "malformed")
    assert len({bench(adapter).send(auth(f"Bearer {token}"))[0] for token in tokens}) == 1


@every_adapter
def test_A12_the_application_sees_the_query_and_the_body_untouched(adapter: Adapter) -> None:
    body = b"access_token=junk&\xff\0"
    call = auth("Bearer good", method="POST", query="access_token=junk&b=%20", body=body)
    _, calls, _ = bench(adapter).send(call)
    assert calls[0]["query"] == "access_token=junk&b=%20"
    assert calls[0]["body"] == body
    assert calls[0]["token"].subject == "u1"


@every_adapter
def test_HTTP_1_a_second_line_behind_another_scheme_is_not_taken(adapter: Adapter) -> None:
    reply, calls, asked = bench(adapter).send(auth("Basic eA==", "Bearer good"))
    # A WSGI server joins the lines, and what it makes of them is one Basic field: refused all the same.
    assert reply.status == (400 if adapter.kind == "asgi" else 401)
    assert (calls, asked) == ([], [])


@every_adapter
def test_WSGI_1_only_the_authorization_field_is_looked_at(adapter: Adapter) -> None:
    if adapter.kind == "wsgi":
        members = {"REDIRECT_HTTP_AUTHORIZATION": "Bearer good", "REMOTE_USER": "u1", "AUTH_TYPE": "Bearer"}
        members |= {"bearer.Authorization": "Bearer good", "Authorization": "Bearer good"}
    else:
        members = {"authorization": b"Bearer good", "state": {"user": "u1"}}
    reply, calls, asked = bench(adapter).send(Call(), **members)
    assert (reply.status, calls, asked) == (401, [], [])


@every_adapter
def test_ASGI_7_what_an_outer_layer_or_a_client_has_put_there_does_not_count(adapter: Adapter) -> None:
    from bearer_guard import AccessToken

    forged = AccessToken(subject="admin", scopes=["write", "read"])
    members = {"bearer_guard.token": forged, "bearer-guard.guard": guard()}
    for call in (Call(), Call(target="/w", method="POST")):
        reply, calls, _ = bench(adapter).send(call, **members)
        assert (reply.status, calls) == (401, [])
    _, calls, _ = bench(adapter).send(auth("Bearer good"), **members)
    assert calls[0]["token"].subject == "u1"


@every_middleware
def test_ASGI_7_a_token_of_an_outer_layer_is_gone_on_a_public_path(adapter: Adapter) -> None:
    from bearer_guard import AccessToken

    _, calls, _ = bench(adapter).send(Call(target="/open"), **{"bearer_guard.token": AccessToken(subject="admin")})
    assert calls[0]["token"] is None


PREFLIGHT = fields(("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST"), method="OPTIONS")


@every_middleware
def test_HTTP_14_a_preflight_passes_as_anonymous(adapter: Adapter) -> None:
    reply, calls, asked = bench(adapter).send(PREFLIGHT)
    assert (reply.status, calls[0]["token"], asked) == (200, None, [])


@every_middleware
def test_HTTP_14_a_preflight_with_a_token_is_not_verified(adapter: Adapter) -> None:
    call = replace(PREFLIGHT, headers=(*PREFLIGHT.headers, ("Authorization", "Bearer good")))
    _, calls, asked = bench(adapter).send(call)
    assert (calls[0]["token"], asked) == (None, [])


@every_middleware
@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_HTTP_14_what_asks_for_another_method_is_no_preflight(adapter: Adapter, name: str) -> None:
    call = replace(PREFLIGHT, headers=(*PREFLIGHT.headers, (name, "DELETE")))
    reply, calls, _ = bench(adapter).send(call)
    assert (reply.status, calls) == (401, [])


@every_middleware
def test_HTTP_14_preflight_false_closes_it(adapter: Adapter) -> None:
    reply, calls, _ = Bench(adapter, preflight=False).send(PREFLIGHT)
    assert (reply.status, calls) == (401, [])


@pytest.mark.parametrize("adapter", DECORATED, ids=named)
def test_HTTP_14_a_decorated_handler_of_options_is_guarded(adapter: Adapter) -> None:
    reply, calls, _ = bench(adapter).send(replace(PREFLIGHT, target="/w"))
    assert (reply.status, calls) == (401, [])


@every_adapter
@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
def test_HTTP_1_two_lines_are_refused_in_every_version_of_HTTP(adapter: Adapter, version: str) -> None:
    # What a server of HTTP/2 or HTTP/3 hands over differs in the version alone: two fields stay two, in any order.
    members = {"http_version": version} if adapter.kind == "asgi" else {"SERVER_PROTOCOL": f"HTTP/{version}"}
    for values in (("Bearer good", "Bearer junk"), ("Bearer junk", "Bearer good"), ("Bearer good", "Bearer good")):
        reply, calls, asked = bench(adapter).send(auth(*values), **members)
        assert (reply.status, calls, asked) == (400, [], [])
    assert bench(adapter).send(auth("Bearer good"), **members)[0].status == 200


@every_middleware
def test_an_optional_guard_lets_anonymous_requests_pass_and_wrong_tokens_never(adapter: Adapter) -> None:
    optional = Bench(adapter, optional=True)
    for call, token in ((Call(), None), (auth("Basic eA=="), None), (auth("Bearer good"), "u1")):
        reply, calls, _ = optional.send(call)
        assert reply.status == 200
        assert (calls[0]["token"] and calls[0]["token"].subject) == token
    for call, status in ((auth("Bearer expired"), 401), (auth("Bearer"), 400), (auth("Bearer outage"), 503)):
        reply, calls, _ = optional.send(call)
        assert (reply.status, calls) == (status, [])


@pytest.mark.parametrize("adapter", DECORATED, ids=named)
def test_an_optional_guard_still_answers_401_on_a_decorated_handler(adapter: Adapter) -> None:
    reply, calls, _ = Bench(adapter, optional=True).send(Call(target="/ab"))
    assert (reply.status, calls) == (401, [])
    (challenge,) = parse_challenges(reply.values("www-authenticate")[0])
    assert dict(challenge.params) == {"realm": "users"}


@every_adapter
@pytest.mark.parametrize("call", [auth("Bearer expired"), auth("Bearer good", target="/ab"), Call()])
def test_every_refusal_is_logged_once(adapter: Adapter, call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "bearer_guard"):
        bench(adapter).send(call)
    assert len([record for record in caplog.records if record.name == "bearer_guard"]) == 1


@every_adapter
def test_ASGI_10_an_error_in_a_verifier_never_admits_and_never_becomes_a_401(adapter: Adapter) -> None:
    try:
        reply, calls, _ = bench(adapter).send(auth("Bearer crash"))
    except RuntimeError as error:
        assert "a bug in a verifier" in str(error)  # noqa: PT017 - frameworks differ in who answers 500
    else:
        assert (reply.status, calls) == (500, [])
    assert bench(adapter).seen.take() == []
