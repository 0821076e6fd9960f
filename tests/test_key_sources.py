"""Sources that bring their keys, against real servers: moved keys, proxies, odd answers, secrets from a vault."""

from __future__ import annotations

import _thread
import asyncio
import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from bearer_guard import AccessDenied, AuthorityUnavailable, ConfigurationError, RemoteJWKSet, SharedSecret
from bearer_guard._attempts import Attempts, Fetched
from bearer_guard._flow import ExchangeFailed, Join, Request, Response, run
from bearer_guard._freshness import fresh_for, retry_after
from bearer_guard._handlers import lies_under
from bearer_guard._held import compare
from bearer_guard._io import IO
from bearer_guard._jwks import load_jwks
from bearer_guard._keyforms import key_form
from bearer_guard._transport import HTTPTransport
from bearer_guard.testing import LocalIssuer
from tests.endpoint import loopback_certificate, server_context
from tests.loopback import Loopback
from tests.named import named

API = "https://api.example.com"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def provider() -> Iterator[tuple[Loopback, LocalIssuer]]:
    with Loopback() as server:
        issuer = LocalIssuer(API, issuer=server.url)
        server.page("/jwks", issuer.jwks())
        metadata(server, "/jwks")
        yield server, issuer


def metadata(server: Loopback, path: str, **members: Any) -> None:
    content = {"issuer": server.url, "jwks_uri": server.url + path, **members}
    server.page("/.well-known/oauth-authorization-server", content)


def brought(source: RemoteJWKSet) -> Any:
    return run(source.obtain(), IO)


# --- discovery -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "wait"), [(503, {}, 0), (429, {"Retry_After": "20"}, 19), (500, {"Retry_After": "soon"}, 0)]
)
def test_metadata_that_cannot_be_had_is_trouble_at_the_provider(status: int, fields: Any, wait: float) -> None:
    with provider() as (server, _):
        server.page("/.well-known/oauth-authorization-server", {}, status, **fields)
        with pytest.raises(AuthorityUnavailable, match=f"status {status}") as raised:
            brought(RemoteJWKSet.discover(server.url))
        assert raised.value.retry_after >= wait


def test_a_page_that_is_no_metadata_sends_on_to_the_next_place() -> None:
    with provider() as (server, issuer):
        server.page("/.well-known/oauth-authorization-server", b"<html>")
        server.page("/.well-known/openid-configuration", {"issuer": server.url, "jwks_uri": server.url + "/jwks"})
        assert brought(RemoteJWKSet.discover(server.url)).knows(issuer.key.kid)


def test_keys_that_moved_are_found_where_they_are_now() -> None:
    with provider() as (server, issuer):
        clock = Clock()
        source = RemoteJWKSet.discover(server.url, clock=clock)
        old = brought(source)
        issuer.rotate()
        server.page("/elsewhere", issuer.jwks())
        metadata(server, "/elsewhere")
        found = run(source.missing(source.arrival(), lambda keys: keys is not old), IO)
        assert found.knows(issuer.key.kid)
        assert server.requests[-1] == "/elsewhere"


def test_keys_stay_where_they_were_while_the_metadata_cannot_be_had() -> None:
    with provider() as (server, _):
        source = RemoteJWKSet.discover(server.url)
        old = brought(source)
        server.page("/.well-known/oauth-authorization-server", {}, 503)
        with pytest.raises(AuthorityUnavailable):  # whether there are newer ones elsewhere is not known
            run(source.missing(source.arrival(), lambda keys: keys is not old), IO)
        assert source.current() is old


def test_after_a_failure_the_place_known_from_before_is_asked_too() -> None:
    with provider() as (server, issuer):
        clock = Clock()
        source = RemoteJWKSet.discover(server.url, clock=clock, max_age=60)
        brought(source)
        server.page("/jwks", {}, 500)
        clock.now += 50
        source.current()
        _settle(source)
        server.page("/jwks", issuer.jwks())
        server.page("/.well-known/oauth-authorization-server", {}, 503)
        clock.now += 40
        source.current()
        _settle(source)
        assert source.status()["fetches"]["succeeded"] == 2
        metadata(server, "/jwks", issuer="https://other.example")
        server.page("/jwks", {}, 500)
        clock.now += 55
        source.current()
        _settle(source)
        clock.now += 40
        source.current()
        _settle(source)
        assert "another issuer" in str(source.status()["last_error"])


def _settle(source: RemoteJWKSet) -> None:
    attempts = source._attempts()
    under_way = attempts.under_way
    if under_way is not None:
        under_way.future.result(10)


# --- construction --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"transport": HTTPTransport(), "proxy": "http://proxy.example:3128"}, "give ssl_context and proxy to"),
        ({"clock": 0}, "clock must be a callable"),
        ({"ssl_context": "none"}, "ssl_context must be an ssl.SSLContext"),
        ({"proxy": "socks://proxy.example"}, "proxy must be an absolute http URL"),
        ({"proxy": "http://me:s3cret@proxy.example"}, "proxy must not hold user information: .* give a transport$"),
        ({"proxy": 5}, "proxy must be an absolute http URL"),
        ({"proxy": "https://proxy.example"}, "proxy must be an http URL"),
        ({"cooldown": -1}, "cooldown must be a number of seconds"),
    ],
    ids=named,
)
def test_a_mistake_names_the_fix(options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        RemoteJWKSet("https://id.example.com/jwks", **options)


# --- exchanges -----------------------------------------------------------------------------------------------------


def raw(answer: bytes) -> Callable[[Any], None]:
    return lambda handler: handler.wfile.write(answer)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "larger than"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "compressed"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_an_answer_that_is_none_is_a_failed_exchange(answer: bytes, problem: str) -> None:
    with Loopback() as server:
        server.pages["/"] = raw(answer)
        with pytest.raises(ExchangeFailed, match=problem):
            HTTPTransport().send(Request(method="GET", url=server.url + "/"))


def test_an_address_that_nobody_listens_at_is_a_failed_exchange() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ExchangeFailed, match="refused"):
        HTTPTransport().send(Request(method="GET", url=f"http://127.0.0.1:{port}/"))
    with pytest.raises(ExchangeFailed, match="in time"):
        HTTPTransport().send(Request(method="GET", url=f"http://127.0.0.1:{port}/", timeout=0.0))


class Proxy:
    """A proxy that speaks CONNECT, and relays whatever is said through the tunnel."""

    def __init__(self, refuse: bool = False) -> None:
        self.refuse = refuse
        self.asked: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(4096)
            self.asked.append(head.split(b"\r\n")[0].decode())
            if self.refuse:
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            host, _, port = self.asked[0].split()[1].rpartition(":")
            with socket.create_connection((host, int(port))) as onward:
                if self.asked[0].startswith("CONNECT"):
                    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self.threads.append(threading.Thread(target=_relay, args=(connection, onward)))
                self.threads[1].start()
                _relay(onward, connection)
                self.threads[1].join()

    def close(self) -> None:
        self.threads[0].join(10)
        self.listener.close()


def _relay(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_https_goes_through_a_proxy_by_a_tunnel(tmp_path: Path) -> None:
    certificate = loopback_certificate(tmp_path / "server.pem")
    with Loopback(server_context(certificate)) as server:
        server.page("/", {"ok": True})
        proxy = Proxy()
        trust = ssl.create_default_context(cafile=str(certificate))
        response = HTTPTransport(ssl_context=trust, proxy=proxy.url).send(Request(method="GET", url=server.url + "/"))
        proxy.close()
        assert response.body == b'{"ok": true}'
        assert proxy.asked == [f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1"]


def test_a_proxy_that_refuses_is_a_failed_exchange() -> None:
    proxy = Proxy(refuse=True)
    transport = HTTPTransport(proxy=proxy.url)
    with pytest.raises(ExchangeFailed, match="CONNECT with status 403"):
        transport.send(Request(method="GET", url="https://[::1]:9/"))
    proxy.close()
    assert proxy.asked == ["CONNECT [::1]:9 HTTP/1.1"]


def test_http_goes_through_a_proxy_by_its_whole_url() -> None:
    with Loopback() as stand_in:
        url = "http://127.0.0.1:9/jwks"
        stand_in.page(url, {"ok": True})
        assert HTTPTransport(proxy=stand_in.url).send(Request(method="GET", url=url)).status == 200
        assert stand_in.requests == [url]


# --- freshness -----------------------------------------------------------------------------------------------------

DATE = "Mon, 23 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 7.0),
        ({"cache-control": "max-age=300"}, 300.0),
        ({"cache-control": "max-age=300", "age": "100"}, 200.0),
        ({"cache-control": "no-store"}, 60.0),
        ({"cache-control": "max-age=99999"}, 3600.0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 GMT", "date": DATE}, 300.0),
        ({"expires": "0", "date": DATE}, 60.0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 GMT"}, 240.0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 GMT", "date": "noon"}, 240.0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 GMT", "age": "100"}, 140.0),
        ({"expires": "Mon, 23 Nov 2026 12:00:00 GMT"}, 60.0),
        ({"expires": "-1"}, 60.0),
        ({"expires": "Mon, 23 Nov 2026 12:05:00 -0000", "date": DATE}, 300.0),
    ],
)
def test_an_answer_is_fresh_for_as_long_as_it_says_within_bounds(headers: dict[str, str], seconds: float) -> None:
    received = datetime(2026, 11, 23, 12, 1, tzinfo=UTC)
    assert fresh_for(headers, received, otherwise=7.0) == seconds


def test_retry_after_is_seconds_or_a_date() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert retry_after({"retry-after": "20"}) == 20
    assert retry_after({"retry-after": "Mon, 23 Nov 2026 12:00:20 GMT"}, noon) == 20
    assert retry_after({"retry-after": "Mon, 23 Nov 2026 11:00:20 GMT"}, noon) == 0
    assert retry_after({"retry-after": "soon"}, noon) == 0


# --- attempts ------------------------------------------------------------------------------------------------------


def test_metadata_that_is_slow_has_half_of_the_time_and_after_a_failure_the_next_place_is_asked_first() -> None:
    asked: list[tuple[str, float]] = []

    class Slow:
        def send(self, request: Request) -> Response:
            asked.append((request.url, request.timeout))
            raise ExchangeFailed("no complete answer in time")

    clock = Clock()
    source = RemoteJWKSet.discover("https://id.example/a", clock=clock, transport=Slow(), timeout=20)
    for _ in range(4):
        with pytest.raises(AuthorityUnavailable):
            run(source.obtain(), IO)
        clock.now += 31
    places = [
        "https://id.example/.well-known/oauth-authorization-server/a",
        "https://id.example/.well-known/openid-configuration/a",
        "https://id.example/a/.well-known/openid-configuration",
    ]
    one, two, three = places
    assert [url for url, _ in asked] == [one, two, three, two, three, one, three, one, two, one, two, three]
    assert all(9 < timeout <= 10 for _, timeout in asked[0::3] + asked[1::3])
    assert all(18 < timeout <= 20 for _, timeout in asked[2::3])  # no time has passed, and it is the last one's


def test_an_answer_that_comes_too_late_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    with provider() as (server, issuer):
        page = server.pages["/jwks"]

        def late(handler: Any) -> None:
            gate.wait(10)
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"keys":[]}')(handler)

        server.pages["/jwks"] = late
        source = RemoteJWKSet(server.url + "/jwks", timeout=0.2, clock=(clock := Clock()))
        with pytest.raises(AuthorityUnavailable):
            brought(source)
        attempts = source._attempts()
        server.pages["/jwks"] = page
        gate.set()
        clock.now += 60
        assert brought(source).knows(issuer.key.kid)
        assert attempts.failed == 1


def test_not_modified_where_nothing_is_held_is_a_failure() -> None:
    with provider() as (server, _):
        server.page("/jwks", b"", 304)
        with pytest.raises(AuthorityUnavailable):
            brought(RemoteJWKSet(server.url + "/jwks"))


def test_a_thread_that_cannot_be_started_is_a_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    source = RemoteJWKSet("https://id.example.com/jwks")
    monkeypatch.setattr(_thread, "start_new_thread", none_left)
    with pytest.raises(AuthorityUnavailable, match="no thread can be started"):
        brought(source)


def test_a_source_is_known_by_its_url_alone() -> None:
    assert repr(RemoteJWKSet("https://id.example.com/jwks")) == "RemoteJWKSet('https://id.example.com/jwks')"


def test_a_waiter_whose_time_is_over_goes_on_and_is_not_woken_twice() -> None:
    future: Future[None] = Future()

    async def wait() -> None:
        join = Join(future, time.monotonic())
        await IO.aanswer(join)
        future.set_result(None)
        await IO.aanswer(join)
        await asyncio.sleep(0)

    asyncio.run(wait())


def test_neither_what_is_held_nor_what_was_brought_shows_secrets() -> None:
    source = SharedSecret(lambda: STRONG)
    run(source.obtain(), IO)
    held = source._source._held  # type: ignore[attr-defined]
    assert STRONG.encode() in held.members
    brought = compare(None, Fetched(held.keys, 60.0, None))
    for value in (held, brought, compare(held, Fetched(held.keys, 60.0, None))):
        assert STRONG not in repr(value)


# --- secrets from a vault ------------------------------------------------------------------------------------------

STRONG = "9Yw1cPz7uQm2Vn8Kf4Rj6Lb0Xs3Td5Hg"


@pytest.mark.parametrize("value", [None, "", b"", 5, "short", "changeme" * 8], ids=repr)
def test_a_callable_that_returns_no_strong_secret_never_verifies_anything(value: Any) -> None:
    source = SharedSecret(lambda: value)
    with pytest.raises(AuthorityUnavailable):
        run(source.obtain(), IO)
    assert source.status()["state"] == "unavailable"
    assert repr(source) == "SharedSecret(algorithm='HS256')"


def test_a_value_that_is_no_secret_fails_at_construction() -> None:
    with pytest.raises(ConfigurationError, match="must be str, bytes or a callable"):
        SharedSecret(5)  # type: ignore[arg-type]


def test_a_fetched_secret_is_fetched_once_and_again_when_asked_for() -> None:
    calls: list[int] = []
    source = SharedSecret(lambda: calls.append(1) or STRONG, clock=Clock())
    first = run(source.obtain(), IO)
    assert source.current() is first
    assert source.refusal(first) is None
    with pytest.raises(AccessDenied, match="unknown_key"):
        run(source.missing(source.arrival(), lambda keys: keys is not first), IO)
    assert len(calls) == 2


def test_jwt_heads_that_are_none_and_deep_documents_are_no_keys() -> None:
    assert key_form(b"eyJ" + b"A" * 30) is None
    assert key_form(b"[" * 60 + b'{"x": 1}' + b"]" * 60) is None


# --- records -------------------------------------------------------------------------------------------------------


def test_an_attempt_that_was_given_up_can_end_neither_well_nor_badly_any_more() -> None:
    attempts = Attempts(30.0)
    attempt = attempts.begin(0.0, spends=False)
    attempts.give_up_overdue(1.0)
    assert not attempts.succeed(attempt, 2.0)
    assert not attempts.fail(attempt, 2.0, "again")
    assert attempts.failed == 1
    assert not attempt.succeeded


def test_a_late_answer_installs_nothing() -> None:
    issuer = LocalIssuer(API)
    source = RemoteJWKSet("https://id.example.com/jwks")
    attempts = source._attempts()
    attempt = attempts.begin(0.0, spends=False)
    brought_late = compare(None, Fetched(load_jwks(issuer.jwks()), 60.0))
    source._finish(attempts, attempt, brought_late)
    assert source.current() is None
    assert attempt.future.done()


def test_keys_that_came_meanwhile_make_an_attempt_needless() -> None:
    with provider() as (server, _):
        source = RemoteJWKSet(server.url + "/jwks")
        brought(source)
        assert source._begin_or_join(None) is None
        assert source.status()["fetches"]["begun"] == 1


def test_not_modified_says_nothing_where_nothing_is_held() -> None:
    with pytest.raises(ValueError, match="nothing is held"):
        compare(None, Fetched(None, 60.0))


def test_an_encrypted_key_is_a_key() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    octets = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    assert key_form(octets) == "a key or certificate in DER"


def test_a_point_is_told_from_the_white_space_around_it_whatever_it_begins_and_ends_with() -> None:
    while True:
        numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
        point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        if point[-1:].isspace() and point[-1:] != b"\x85":
            break
    assert key_form(point + b"\n") == "a point on an elliptic curve, which is a public key"
    assert key_form(b" " + point) == "a point on an elliptic curve, which is a public key"


def test_what_is_decorated_twice_lies_under_both_wrappers() -> None:
    def view() -> None: ...

    inner = functools.wraps(view)(lambda: None)
    outer = functools.wraps(inner)(lambda: None)
    assert lies_under(outer, view)
    assert not lies_under(view, outer)
