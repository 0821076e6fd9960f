"""How a client proves who it is, and every way in which that can be set up wrongly."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import b64decode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from bearer_guard import AuthorityUnavailable, _client_auth
from bearer_guard._client_auth import METHODS, ClientAuthentication, Presented, authentication_problems
from bearer_guard._flow import arun, run
from bearer_guard._io import IO
from bearer_guard._strict import b64url_decode
from tests.tokens import private_key

NOW = 1_800_000_000.5
PATIENCE = 20.0
ISSUER = "https://id.example.com"


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def presented(method: str, client_id: str | None = "api", **options: Any) -> Presented:
    authentication = ClientAuthentication(method=method, client_id=client_id, **options)
    return run(authentication.present({"a": "b"}, NOW, time.monotonic() + PATIENCE), IO)


def problems(**options: Any) -> list[str]:
    defaults: dict[str, Any] = {
        "method": "basic",
        "client_id": "api",
        "client_secret": "s",
        "private_key": None,
        "algorithm": None,
        "assertion_audience": None,
    }
    return list(authentication_problems(**{**defaults, **options}))


def test_basic_encodes_as_a_form_does_and_basic_raw_not_at_all() -> None:
    for method, expected in (("basic", "a%3Ab+%C3%A9:%25%26+%2B"), ("basic_raw", "a:b é:%& +")):
        headers, form, hidden = presented(method, "a:b é", client_secret="%& +")
        assert b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == expected
        assert form == {"a": "b"}
        assert {"%& +", headers["Authorization"].removeprefix("Basic ")} <= set(hidden)


def test_post_adds_both_to_the_form_and_nothing_else() -> None:
    assert presented("post", client_secret="s +") == (
        {},
        {"a": "b", "client_id": "api", "client_secret": "s +"},
        ("s +", "s+%2B"),
    )


def test_bearer_sends_the_secret_as_a_token_and_needs_no_identifier() -> None:
    assert presented("bearer", None, client_secret="abc") == ({"Authorization": "Bearer abc"}, {"a": "b"}, ("abc",))


def test_none_names_the_client_where_there_is_one() -> None:
    assert presented("none") == ({}, {"a": "b", "client_id": "api"}, ())
    assert presented("none", None) == ({}, {"a": "b"}, ())


@pytest.mark.parametrize(
    ("kind", "asked_for", "algorithm"),
    [
        ("P-256", None, "ES256"),
        ("P-384", None, "ES384"),
        ("P-521", None, "ES512"),
        ("secp256k1", None, "ES256K"),
        ("RSA", None, "RS256"),
        ("RSA", "PS512", "PS512"),
        ("Ed25519", None, "Ed25519"),
        ("Ed25519", "EdDSA", "EdDSA"),
        ("Ed448", None, "Ed448"),
    ],
)
def test_an_assertion_is_signed_by_what_fits_the_key(kind: str, asked_for: str | None, algorithm: str) -> None:
    options = {"private_key": pem(private_key(kind)), "algorithm": asked_for, "assertion_audience": ISSUER}
    headers, form, hidden = presented("private_key_jwt", **options)
    assertion = form.pop("client_assertion")
    assert headers == {}
    assert form == {"a": "b", "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    assert hidden == (assertion,)
    header, payload, signature = assertion.split(".")
    assert json.loads(b64url_decode(header.encode())) == {"alg": algorithm, "typ": "client-authentication+jwt"}
    claims = json.loads(b64url_decode(payload.encode()))
    assert len(claims.pop("jti")) >= 20
    whole = int(NOW)
    assert claims == {"iss": "api", "sub": "api", "aud": ISSUER, "iat": whole, "exp": whole + 60}
    independent = {"Ed25519": "EdDSA", "Ed448": "EdDSA"}.get(algorithm, algorithm)
    check = jwt.get_algorithm_by_name(independent)
    octets = f"{header}.{payload}".encode()
    assert check.verify(octets, private_key(kind).public_key(), b64url_decode(signature.encode()))


def test_no_assertion_is_made_twice() -> None:
    options = {"private_key": pem(private_key("P-256")).encode(), "assertion_audience": ISSUER}
    assert presented("private_key_jwt", **options) != presented("private_key_jwt", **options)


def test_a_callable_is_asked_each_time_and_never_on_the_thread_of_an_event_loop() -> None:
    threads: list[int] = []

    def fetch() -> str:
        threads.append(threading.get_ident())
        return f"secret{len(threads)}"

    authentication = ClientAuthentication(method="post", client_id="api", client_secret=fetch)

    async def main() -> list[str]:
        return [
            (await arun(authentication.present({}, NOW, time.monotonic() + PATIENCE), IO)).form["client_secret"]
            for _ in range(2)
        ]

    assert asyncio.run(main()) == ["secret1", "secret2"]
    assert threading.get_ident() not in threads
    assert run(authentication.present({}, NOW, time.monotonic() + PATIENCE), IO).form["client_secret"] == "secret3"


@pytest.mark.parametrize(
    ("method", "secret", "problem"),
    [
        ("post", "", "is no text"),
        ("post", b"bytes", "is no text"),
        ("basic", None, "is missing"),
        ("basic", "\ud800", "is not text that UTF-8 can spell"),
        ("bearer", "a b", "is no bearer token"),
        ("bearer", "a\r\nX: y", "is no bearer token"),
    ],
    ids=ascii,
)
def test_a_callable_that_returns_what_cannot_be_sent_is_unavailable_not_sent(
    method: str, secret: Any, problem: str
) -> None:
    with pytest.raises(AuthorityUnavailable, match=f"the callable returned what {problem}"):
        presented(method, client_secret=lambda: secret)
    assert any(problem in told for told in problems(method=method, client_secret=secret))


def test_a_callable_that_raises_is_named_by_the_class_of_what_it_raised() -> None:
    def fetch() -> str:
        raise LookupError("the vault said hunter2")

    with pytest.raises(AuthorityUnavailable) as caught:
        presented("post", client_secret=fetch)
    assert str(caught.value) == "authority_unavailable: client_secret: the callable raised LookupError"


def test_a_callable_that_takes_too_long_is_waited_for_until_the_deadline_and_no_longer() -> None:
    released = threading.Event()
    authentication = ClientAuthentication(
        method="post", client_id="api", client_secret=lambda: str(released.wait(PATIENCE))
    )
    with pytest.raises(AuthorityUnavailable, match="client_secret: the callable was not done in time"):
        run(authentication.present({}, NOW, time.monotonic() + 0.1), IO)
    released.set()


def test_an_assertion_is_never_signed_on_the_thread_of_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    sign = _client_auth.sign

    def noted(*arguments: Any) -> bytes:
        threads.append(threading.get_ident())
        return sign(*arguments)

    monkeypatch.setattr(_client_auth, "sign", noted)
    options = {"private_key": pem(private_key("P-256")), "assertion_audience": ISSUER}
    authentication = ClientAuthentication(method="private_key_jwt", client_id="api", **options)
    asyncio.run(arun(authentication.present({}, NOW, time.monotonic() + PATIENCE), IO))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_representation_shows_a_secret() -> None:
    authentication = ClientAuthentication(method="basic", client_id="api", client_secret="s3cret")
    assert repr(authentication) == "ClientAuthentication(method='basic', client_id='api')"


ENCRYPTED = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
)


@pytest.mark.parametrize(
    ("key", "algorithm", "problem"),
    [
        ("not a key", None, "not an unencrypted PEM private key"),
        ("é", None, "not an unencrypted PEM private key"),
        (ENCRYPTED, None, "not an unencrypted PEM private key"),
        (pem(private_key("RSA-1024")), None, "private_key: "),
        (pem(x25519.X25519PrivateKey.generate()), None, "key type not supported"),
        (pem(dsa.generate_private_key(2048)), None, "key type not supported"),
        (pem(private_key("P-256")), "ES384", "does not fit: choose from ES256"),
        (pem(private_key("P-256")), "HS256", "does not fit"),
        (pem(private_key("P-256")), "none", "does not fit"),
        (pem(private_key("P-256")), ["ES256"], "does not fit"),
        (7, None, "needs private_key, a PEM text"),
        (None, None, "needs private_key, a PEM text"),
    ],
)
def test_a_private_key_that_cannot_sign_assertions_is_a_problem(key: Any, algorithm: Any, problem: str) -> None:
    (told,) = problems(
        method="private_key_jwt",
        client_secret=None,
        private_key=key,
        algorithm=algorithm,
        assertion_audience=ISSUER,
    )
    assert problem in told


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"method": "digest"}, f"auth must be one of {', '.join(METHODS)}"),
        ({"method": ["basic"]}, "auth must be one of"),
        ({"client_id": None}, "auth='basic' needs client_id"),
        ({"client_id": ""}, "auth='basic' needs client_id"),
        ({"client_id": 7, "method": "post"}, "auth='post' needs client_id"),
        ({"client_id": "\udfff"}, "client_id must be text that UTF-8 can spell"),
        ({"client_id": "a:b", "method": "basic_raw"}, "cannot carry a client_id with a colon"),
        ({"method": "none"}, "client_secret does not go with auth='none'"),
        ({"private_key": "x"}, "private_key and algorithm go with"),
        ({"algorithm": "ES256"}, "private_key and algorithm go with"),
        (
            {"method": "private_key_jwt", "client_secret": None, "private_key": pem(private_key("P-256"))},
            "needs issuer",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(options: Any, problem: str) -> None:
    (told,) = problems(**options)
    assert problem in told


@pytest.mark.parametrize("method", ["basic", "basic_raw", "post", "bearer"])
def test_a_text_or_a_callable_is_a_secret(method: str) -> None:
    assert problems(method=method) == []
    assert problems(method=method, client_secret=lambda: "s") == []
    assert problems(method="none", client_secret=None, client_id=None) == []
