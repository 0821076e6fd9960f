"""Private authorities, proxies and providers inside a cluster: keys, metadata and introspection alike, in every colour."""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bearer_guard import ConfigurationError, Guard, IntrospectionVerifier, JWTVerifier, RemoteJWKSet
from bearer_guard._version import VERSION
from tests.faults.authority import Authority
from tests.faults.provider import PATIENCE, Provider, broken_off, document, full_queue, head, huge, reset, silence
from tests.faults.proxy import ForwardProxy
from tests.faults.scene import ACTIVE, COLOURS, INTROSPECTION, JWKS, METADATA, Callers, Clock, keys, together, token
from tests.tokens import ISSUER, NOW, RESOURCE

INSIDE = "id.internal.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), 1)


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[Provider]:
    with serving(authority.server()) as provider:
        yield provider


def serving(context: ssl.SSLContext | None = None, *, at: str | None = None) -> Provider:
    """A provider that publishes its keys and its metadata, and introspects; `at` is the origin that others know."""
    provider = Provider(context)
    url = at or provider.url
    provider.serve(JWKS, document(keys(1)))
    provider.serve(METADATA, document({"issuer": url, "jwks_uri": url + JWKS}))
    provider.serve(INTROSPECTION, document(ACTIVE))
    return provider


class Api(Callers):
    """An API whose guard asks the provider at `url` in one of three ways."""

    def __init__(self, way: str, url: str, **options: Any) -> None:
        self.way = way
        self.guard = Guard(WAYS[way](url, options))


def _jwt(source: RemoteJWKSet) -> JWTVerifier:
    return JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=source, clock=lambda: NOW, leeway=0)


WAYS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "keys": lambda url, options: _jwt(RemoteJWKSet(url + JWKS, clock=Clock(), **options)),
    "discovery": lambda url, options: _jwt(RemoteJWKSet.discover(url, clock=Clock(), **options)),
    "introspection": lambda url, options: IntrospectionVerifier(
        endpoint=url + INTROSPECTION,
        audience=RESOURCE,
        client_id="api",
        client_secret="s3cret",
        clock=lambda: NOW,
        **options,
    ),
}
each_way = pytest.mark.parametrize("way", WAYS)
each_colour = pytest.mark.parametrize("colour", COLOURS)


@each_colour
@each_way
def test_a_provider_of_a_private_authority_is_trusted_by_a_context_that_knows_it(
    way: str, colour: str, secure: Provider, authority: Authority
) -> None:
    assert Api(way, secure.url, ssl_context=authority.trust()).ask_in(colour, [token()]) == [200]
    assert secure.asked[-1].headers["user-agent"] == f"bearer-guard/{VERSION}"


@each_colour
@each_way
def test_a_provider_that_the_platform_trusts_is_trusted_without_a_context(
    way: str, colour: str, secure: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenSSL reads this whenever a context takes the platform's trust.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file()))
    assert Api(way, secure.url).ask_in(colour, [token()]) == [200]


@each_colour
@each_way
@pytest.mark.parametrize("wrong", ["an unknown authority", "another authority", "expired", "another host"])
def test_a_certificate_that_must_not_be_trusted_is_a_503_and_admits_nobody(
    wrong: str, way: str, colour: str, authority: Authority, stranger: Authority
) -> None:
    contexts = {"expired": authority.server(expired=True), "another host": authority.server("other.example")}
    trust = {"an unknown authority": None, "another authority": stranger.trust()}.get(wrong, authority.trust())
    with serving(contexts.get(wrong) or authority.server()) as provider:
        api = Api(way, provider.url, ssl_context=trust)
        assert api.ask_in(colour, [token()]) == [503]
        assert "TLS certificate not trusted" in str(api.guard.status()["sources"][0]["last_error"])
        assert provider.asked == []  # nothing was said to whoever that is


@each_colour
@each_way
def test_a_provider_that_speaks_no_tls_is_a_503(way: str, colour: str, authority: Authority) -> None:
    with serving() as provider:
        api = Api(way, provider.url.replace("http:", "https:"), ssl_context=authority.trust(), timeout=0.3)
        assert api.ask_in(colour, [token()]) == [503]


@each_colour
@each_way
def test_https_goes_through_a_proxy_by_a_tunnel_that_the_certificate_holds_at_its_end(
    way: str, colour: str, authority: Authority
) -> None:
    with (
        serving(authority.server(INSIDE), at=f"https://{INSIDE}") as provider,
        ForwardProxy({INSIDE: provider.port}) as proxy,
    ):
        options: Any = {"proxy": proxy.url, "ssl_context": authority.trust()}
        assert Api(way, f"https://{INSIDE}", **options).ask_in(colour, [token()]) == [200]
        assert set(proxy.lines) == {f"CONNECT {INSIDE}:443 HTTP/1.1"}
        assert provider.asked[-1].headers["host"] == INSIDE
        proxy.lines.clear()
        provider.serve(METADATA, document({"issuer": provider.url, "jwks_uri": provider.url + JWKS}))
        assert Api(way, provider.url, **options).ask_in(colour, [token()]) == [503]  # its certificate names INSIDE
        assert set(proxy.lines) == {f"CONNECT {provider.url.removeprefix('https://')} HTTP/1.1"}


@each_colour
@each_way
def test_a_proxy_that_refuses_is_a_503_and_the_provider_hears_nothing(
    way: str, colour: str, secure: Provider, authority: Authority
) -> None:
    before = len(secure.asked)
    with ForwardProxy(refuses=True) as proxy:
        api = Api(way, secure.url, proxy=proxy.url, ssl_context=authority.trust())
        assert api.ask_in(colour, [token()]) == [503]
        assert "407" in str(api.guard.status()["sources"][0]["last_error"])
    assert len(secure.asked) == before


@each_colour
@each_way
def test_plain_http_inside_a_cluster_works_where_it_is_called_unsafe_and_nowhere_else(way: str, colour: str) -> None:
    url = f"http://{INSIDE}"
    with pytest.raises(ConfigurationError, match="unsafe_http=True"):
        Api(way, url)
    with serving(at=url) as provider, ForwardProxy({INSIDE: provider.port}) as proxy:
        assert Api(way, url, unsafe_http=True, proxy=proxy.url).ask_in(colour, [token()]) == [200]
        assert proxy.lines[-1].split(" ")[1].startswith(url)
        assert provider.asked[-1].headers["host"] == INSIDE


@each_way
def test_a_context_or_a_proxy_beside_a_transport_of_ones_own_is_a_mistake(way: str, authority: Authority) -> None:
    class Own:
        def send(self, request: object) -> Any:
            raise AssertionError

    with pytest.raises(ConfigurationError, match="give ssl_context and proxy to the transport"):
        Api(way, "https://id.example.com", transport=Own(), ssl_context=authority.trust())


def without_length(connection: socket.socket, asked: object) -> None:
    """An answer that ends where the connection does."""
    del asked
    connection.sendall(head(200, {"Content-Type": "application/json"}) + json.dumps(keys(1)).encode())
    connection.unwrap()  # type: ignore[attr-defined]


def without_end(connection: socket.socket, asked: object) -> None:
    """The same, and the end is not told by TLS: many servers just close."""
    del asked
    connection.sendall(head(200, {"Content-Type": "application/json"}) + json.dumps(keys(1)).encode())


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(without_length, 200), (without_end, 200), (broken_off, 503), (silence, 503), (reset, 503), (huge, 503)],
    ids=["without length", "without end", "broken off", "silence", "reset", "100 MB"],
)
def test_however_an_answer_over_tls_ends_it_is_whole_or_none(behaviour: Any, status: int, authority: Authority) -> None:
    with serving(authority.server()) as provider:
        provider.serve(JWKS, behaviour)
        assert Api("keys", provider.url, ssl_context=authority.trust()).ask(token()) == status


@each_way
def test_the_deadline_holds_over_tls_too(way: str, authority: Authority) -> None:
    with serving(authority.server()) as provider:
        for path in (JWKS, METADATA, INTROSPECTION):
            provider.serve(path, provider.drip(document(keys(1)).octets() * 50))
        began = time.monotonic()
        assert Api(way, provider.url, ssl_context=authority.trust(), timeout=0.3).ask(token()) == 503
        assert time.monotonic() - began < 5


def test_a_peer_that_goes_away_in_the_handshake_is_a_503(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        api = Api("keys", url, ssl_context=authority.trust())
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(api.ask, token())
            connection, _ = listener.accept()
            assert connection.recv(65536)
            connection.close()
            assert asking.result(PATIENCE) == 503


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue may refuse")
def test_a_provider_that_takes_no_connection_is_a_503_after_two_seconds_whatever_the_deadline() -> None:
    def ask(way: str, colour: str) -> tuple[list[int], float]:
        began = time.monotonic()
        statuses = Api(way, url, timeout=PATIENCE).ask_in(colour, [token()])
        return statuses, time.monotonic() - began

    with full_queue() as url:
        calls = [partial(ask, way, colour) for way in ("keys", "introspection") for colour in COLOURS]
        for statuses, took in together(*calls):  # at the same time: each of them takes its two seconds
            assert statuses == [503]
            assert 1.9 <= took < PATIENCE / 2


@each_colour
def test_metadata_of_an_https_issuer_never_leads_to_plain_http(authority: Authority, colour: str) -> None:
    with serving(authority.server()) as provider, serving() as plain:
        provider.serve(METADATA, document({"issuer": provider.url, "jwks_uri": plain.url + JWKS}))
        assert Api("discovery", provider.url, ssl_context=authority.trust()).ask_in(colour, [token()]) == [503]
        assert plain.asked == []
