"""What must not leak: tokens and secrets in logs, representations, tracebacks, answers and labels (classes TIMING, LEAK)."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import traceback
from collections.abc import Iterator
from hashlib import sha256
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

from bearer_guard import (
    AccessDenied,
    AccessToken,
    AuthorityUnavailable,
    Guard,
    IncomingRequest,
    MultiIssuer,
    RemoteJWKSet,
    SharedSecret,
    StaticJWKSet,
)
from bearer_guard._errors import REASONS
from bearer_guard.testing import LocalIssuer
from tests.answers import IT, OK, ask, guard, verifier
from tests.loopback import Loopback
from tests.tokens import ABSENT, NOW, RESOURCE, SECRET, T, jwk, jwks, mac, private_key, signer, spliced, text

MARK = "m4rk-0f-the-t0ken"
"""Stands in every member that a token may hold."""

HOSTILE = [
    f"{MARK}\r\nSet-Cookie: x",
    f"\x1b[31m{MARK}",
    f"%s%n{MARK}{{}}",
    f"${{jndi:ldap://{MARK}}}",
    f"{MARK}\u2028\u202e",
    f"{MARK}\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
]


def marked(by: Any = None) -> Iterator[str]:
    """Tokens with the mark in every place, each refused for another reason."""
    for value in HOSTILE:
        for claim in ("iss", "aud", "sub", "client_id", "jti", "scope", "exp", "nbf", "iat", "cnf", "x"):
            yield T(by=by, **{claim: value}, **({} if claim == "aud" else {"aud": MARK}))
        for parameter in ("alg", "kid", "typ", "cty", "crit", "zip", "b64", "jku"):
            yield T({parameter: value}, by=by or signer(), exp=NOW - 1)
        yield T({"crit": [value], value: 1}, by=by, exp=1)
    yield spliced(member=f'"{MARK}":1,"{MARK}":2')
    yield spliced(member=f'"x":{MARK}')
    yield MARK
    yield f"{MARK}.{MARK}.{MARK}"


def test_LEAK_1_LEAK_6_nothing_of_any_refused_token_is_logged(logged: list[str]) -> None:
    for subject in (
        guard(),
        guard(profile="rfc9068", required_claims=["sub", "x"]),
        guard(MultiIssuer(verifier())),
        guard(keys=SharedSecret(SECRET)),
        Guard(verifier(), realm="r", optional=True),
    ):
        for by in (None, signer(number=1)):
            for token in marked(by):
                assert ask(subject, token).kind == IT
    assert len(logged) > 1000
    assert not [line for line in logged if MARK in line or any(ord(character) < 32 for character in line)]
    assert all(line.startswith(("bearer_guard INFO refused with 401, ", "asyncio DEBUG")) for line in logged)


def test_LEAK_1_every_refusal_is_logged_with_a_reason_of_the_closed_set(logged: list[str]) -> None:
    for token in marked():
        ask(guard(), token)
    reasons = {line.split("refused with 401, ")[1].split(":")[0] for line in logged if line.startswith("bearer_guard")}
    assert reasons <= REASONS
    assert {
        "malformed_token",
        "algorithm_not_allowed",
        "type_not_allowed",
        "untrusted_issuer",
        "unknown_key",
    } <= reasons


def secrets_shown() -> list[str]:
    numbers = private_key("RSA").private_numbers()
    return [text(SECRET), SECRET.hex(), repr(SECRET)[2:-1], str(numbers.d), text(numbers.d.to_bytes(256, "big"))]


def depths(value: Any) -> Iterator[str]:
    """Whatever a debugger's first look or an error reporter would show of an object."""
    yield repr(value)
    yield str(value)
    yield f"{value}"


def test_LEAK_2_representations_hold_neither_secret_nor_token() -> None:
    shared = SharedSecret(SECRET)
    subject = guard(keys=shared)
    token = T({"alg": "HS256"}, by=mac(SECRET))
    principal = ask(subject, token).token
    issuer = LocalIssuer(audience=RESOURCE)
    keys = shared.current()
    assert keys is not None
    shown = "".join(
        part
        for value in (
            subject,
            subject._verifier,
            shared,
            keys,
            keys.keys[0],
            principal,
            issuer,
            issuer.key,
            issuer.verifier(),
            StaticJWKSet(jwks(jwk(d=text(SECRET)))),
            RemoteJWKSet("https://as.example/jwks"),
            MultiIssuer(verifier()),
            IncomingRequest("GET", "/r", {"authorization": f"Bearer {token}"}),
        )
        for part in depths(value)
    )
    assert not [secret for secret in (*secrets_shown(), token, *token.split(".")[1:]) if secret in shown]
    assert "d" not in issuer.jwks()["keys"][0]


def test_LEAK_2_an_access_token_carries_claims_and_never_its_own_text() -> None:
    token = T()
    principal = ask(guard(cache_size=5), token).token
    assert principal is not None
    for copied in (pickle.loads(pickle.dumps(principal)), copy.copy(principal), copy.deepcopy(principal)):
        assert copied == principal
        assert isinstance(copied, AccessToken)
    octets = pickle.dumps(principal)
    assert not [part for part in (token, *token.split(".")) if part.encode() in octets]


def reachable(value: object) -> Iterator[object]:
    """Every object that hangs on `value`, other than code."""
    seen, waiting = {id(value)}, [value]
    while waiting:
        current = waiting.pop()
        yield current
        for found in gc.get_referents(current):
            if id(found) not in seen and not isinstance(found, type | FunctionType | ModuleType | CodeType):
                seen.add(id(found))
                waiting.append(found)


@pytest.mark.parametrize("options", [{}, {"cache_size": 5}], ids=["without-cache", "with-cache"])
def test_LEAK_2_a_guard_that_verified_a_token_holds_it_nowhere(options: dict[str, Any]) -> None:
    subject, token = guard(**options), T()
    for _ in range(2):
        assert ask(subject, token).kind == OK
    held = [
        value.encode() if isinstance(value, str) else value
        for value in reachable(subject)
        if isinstance(value, str | bytes)
    ]
    parts = [part.encode() for part in (token, token.split(".")[2])]
    assert not [value for value in held for part in parts if part in value]
    assert (sha256(token.encode()).digest() in held) == bool(options)


def test_LEAK_2_a_verifier_with_a_cache_or_a_secret_cannot_be_pickled_by_accident() -> None:
    for subject in (guard(cache_size=5), guard(keys=SharedSecret(SECRET))):
        try:
            octets = pickle.dumps(subject)
        except (TypeError, pickle.PicklingError, AttributeError):
            continue
        assert SECRET not in octets


def test_LEAK_3_CVE_2019_7644_an_answer_says_neither_what_was_expected_nor_why_a_library_stumbled() -> None:
    sentences = {
        "This resource requires an access token.",
        "The Authorization header field is malformed or repeated.",
        "The access token is invalid.",
        "The access token expired.",
        "The access token is not valid yet.",
        "The access token is not valid for this API.",
    }
    for token in marked():
        answer = ask(guard(), token)  # which greps the answer for configured values
        assert answer.params is not None
        assert answer.params["error_description"] in sentences
        assert MARK not in repr(answer.wire)


def test_LEAK_4_CVE_2025_65015_no_exception_in_the_chain_holds_the_token() -> None:
    subject, found = guard(), []
    for token in [*marked(), T(x="A" * 20_000), *marked(signer(number=1))]:
        request = IncomingRequest("GET", "/r", {"authorization": f"Bearer {token}"})
        for call in (
            lambda request=request: subject.check(request),
            lambda token=token: subject._verifier.verify(token),
        ):
            with pytest.raises(AccessDenied) as caught:
                call()
            error: BaseException | None = caught.value
            rendered = "".join(traceback.format_exception(caught.value))
            found += [part for part in (token, *token.split(".")) if len(part) > 8 and part in rendered]
            while error is not None:
                shown = repr(error.args) + repr(vars(error)) + str(error)
                found += [part for part in (MARK, token, *token.split(".")) if len(part) > 8 and part in shown]
                error = (
                    None
                    if error.__suppress_context__ and error.__cause__ is None
                    else error.__cause__ or error.__context__
                )
    assert found == []


def test_LEAK_4_a_provider_that_fails_shows_nothing_of_its_answer_or_of_the_token(logged: list[str]) -> None:
    with Loopback() as provider:
        for number, body in enumerate(
            (MARK.encode(), b'{"keys":[{"kty":"' + MARK.encode() + b'","kid":"' + MARK.encode() + b'"}]}')
        ):
            subject = guard(keys=RemoteJWKSet(provider.page(f"/{number}", body, X_Note=MARK)))
            with pytest.raises(AuthorityUnavailable) as caught:
                subject.check(IncomingRequest("GET", "/r", {"authorization": f"Bearer {T({'kid': MARK})}"}))
            assert MARK not in "".join(traceback.format_exception(caught.value))
            assert MARK not in str(subject.status())
    assert logged
    assert not [line for line in logged if MARK in line]


def test_LEAK_5_what_a_metric_may_be_labelled_with_is_a_closed_set() -> None:
    reasons = set()
    for token in (*marked(), *marked(signer(number=1))):
        error = ask(guard(required_claims=["sub"]), token).error
        assert error is not None
        reasons.add(error.reason)
        assert getattr(error, "claim", "aud") in {
            "aud",
            "exp",
            "nbf",
            "iat",
            "sub",
            "client_id",
            "jti",
            "cnf",
            "typ",
            "scope",
        }
    assert reasons <= REASONS


def test_LEAK_5_a_refused_signature_leaves_no_trace_of_its_claims_in_the_error() -> None:
    answer = ask(guard(), T(by=signer(number=1), sub=MARK, iss=ABSENT))
    assert answer.error is not None
    assert MARK not in repr(vars(answer.error))


def test_TIMING_2_a_token_that_is_known_and_one_that_is_not_are_refused_alike() -> None:
    subject = guard(cache_size=10)
    good = T()
    assert ask(subject, good).kind == OK
    head, payload, signature = good.split(".")
    forged = f"{head}.{payload}.{signature[:20]}{'A' if signature[20] != 'A' else 'B'}{signature[21:]}"
    stranger = T(by=signer(number=1))
    unknown = T({"kid": "unknown"}, by=signer(number=1))
    assert len({ask(subject, token).wire for token in (forged, stranger, unknown)}) == 1


def test_LEAK_1_the_log_record_itself_holds_no_object_that_a_handler_could_look_into() -> None:
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, keep = logging.getLogger("bearer_guard"), Keep()
    logger.addHandler(keep)
    try:
        token = T({"kid": MARK}, sub=MARK)
        assert ask(guard(), token).kind == IT
    finally:
        logger.removeHandler(keep)
    assert records
    for record in records:
        assert record.exc_info is None
        shown = repr(vars(record)) + "".join(repr(vars(value)) for value in record.args if hasattr(value, "__dict__"))  # type: ignore[union-attr]
        assert MARK not in shown
        assert token not in shown
