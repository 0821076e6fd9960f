"""Signing keys, their rotation, and the tokens that they sign."""

from __future__ import annotations

import json
import math
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwk as joserfc_jwk

from bearer_guard import ConfigurationError
from bearer_guard._jose import ALGORITHMS, SYMMETRIC, load_jwk, secret_key
from bearer_guard._strict import b64url_decode
from bearer_guard.issuer import KeyRing, MemoryStore, SigningKey, SQLiteStore, StoredKey, key_from_file
from bearer_guard.issuer._signing_key import thumbprint
from bearer_guard.issuer._tokens import access_token_claims, header_for, signed

PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "priv"}


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_generated_key_signs_what_its_public_half_verifies(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    public = key.public_jwk
    verification = secret_key(key.secret, algorithm) if public is None else load_jwk(dict(public))
    assert verification.verifies(algorithm, b"signing input", key.sign(b"signing input"))
    assert not verification.verifies(algorithm, b"another input", key.sign(b"signing input"))


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - SYMMETRIC))
def test_a_published_key_has_no_private_member_and_names_its_use_algorithm_and_kid(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    assert key.public_jwk is not None
    assert not PRIVATE_MEMBERS & key.public_jwk.keys()
    assert key.public_jwk["use"] == "sig"
    assert key.public_jwk["alg"] == algorithm
    assert key.public_jwk["kid"] == key.kid


def test_the_thumbprint_is_that_of_rfc_7638_section_3_1() -> None:
    jwk = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n"
        "3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd"
        "AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur"
        "-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", ["ES256", "ES256K", "RS256", "Ed25519"])
def test_a_kid_is_the_thumbprint_that_another_library_computes(algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    assert key.public_jwk is not None
    assert key.kid == joserfc_jwk.import_key(dict(key.public_jwk)).thumbprint()


@pytest.mark.parametrize("algorithm", ["ES256", "HS256"])
def test_neither_repr_nor_the_key_set_shows_private_material(algorithm: str) -> None:
    ring = KeyRing(algorithm)
    key = ring.current
    shown = repr(key) + repr(ring) + json.dumps(ring.jwks())
    assert repr(key._material) not in shown
    assert key.kid in shown
    assert "keys" in ring.jwks()
    assert not any(PRIVATE_MEMBERS & jwk.keys() for jwk in ring.jwks()["keys"])


def test_a_secret_is_not_published_and_its_kid_is_not_made_from_it() -> None:
    ring = KeyRing("HS384")
    assert ring.jwks() == {"keys": []}
    assert len(ring.current.secret) == 48
    assert SigningKey(ring.current.secret, algorithm="HS384").kid != ring.current.kid


def test_a_private_key_is_never_handed_out_as_a_secret() -> None:
    with pytest.raises(TypeError, match="not shared"):
        _ = SigningKey.generate("ES256").secret


@pytest.mark.parametrize("algorithm", ["none", "RS1", "es256", ""])
def test_an_unknown_algorithm_is_a_configuration_error_that_names_the_known_ones(algorithm: str) -> None:
    with pytest.raises(ConfigurationError, match=r"algorithm must be one of .*ES256"):
        SigningKey.generate(algorithm)


def test_a_rotation_signs_with_the_new_key_and_publishes_both_until_the_old_is_withdrawn() -> None:
    ring = KeyRing()
    old = ring.current
    new = ring.rotate()
    assert ring.current is new
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [new.kid, old.kid]
    ring.withdraw_old()
    assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [new.kid]


def test_a_rotation_without_overlap_withdraws_every_other_key_at_once() -> None:
    ring = KeyRing()
    ring.rotate()
    new = ring.rotate(keep_old=False)
    assert ring.keys == (new,)


def test_rotations_from_many_threads_lose_no_key() -> None:
    ring = KeyRing()
    with ThreadPoolExecutor(8) as threads:
        new = list(threads.map(lambda _: ring.rotate(), range(40)))
    assert {key.kid for key in new} < {key.kid for key in ring.keys}
    assert len(ring.keys) == 41


def test_m14_an_access_token_carries_every_claim_of_rfc_9068() -> None:
    key = SigningKey.generate()
    claims = access_token_claims(
        issuer="https://id.example.com",
        audience="https://api.example.com",
        client_id="c1",
        scope="a b",
        issued_at=1000,
        lifetime=300,
    )
    header, payload, _ = signed(header_for(key), claims, key).split(".")
    assert _json(header) == {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    decoded = _json(payload)
    assert len(b64url_decode(decoded.pop("jti").encode())) >= 16
    assert decoded == {
        "iss": "https://id.example.com",
        "aud": "https://api.example.com",
        "sub": "c1",
        "client_id": "c1",
        "iat": 1000,
        "exp": 1300,
        "scope": "a b",
    }


def test_several_audiences_are_an_array_and_a_subject_may_be_somebody_else_than_the_client() -> None:
    claims = access_token_claims(issuer="i", audience=["a", "b"], client_id="c1", subject="u1", issued_at=0, lifetime=1)
    assert claims["aud"] == ["a", "b"]
    assert claims["sub"] == "u1"
    assert "scope" not in claims


def _json(segment: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(b64url_decode(segment.encode()))
    return decoded


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def published(ring: KeyRing) -> list[str]:
    return [jwk["kid"] for jwk in ring.jwks()["keys"]]


def test_a_planned_key_is_published_before_it_signs_and_the_old_one_stays_until_its_last_token_has_expired(
    clock: Clock,
) -> None:
    ring = KeyRing(publish_ahead=900, overlap=300, clock=clock)
    old = ring.key_until(clock.now + 3600)
    new = ring.rotate(ahead=900)
    assert published(ring) == [new.kid, old.kid]
    clock.now += 899
    last = clock.now + 3600
    assert ring.key_until(last) is ring.current is old
    clock.now += 1
    assert ring.key_until(clock.now + 60) is ring.current is new
    clock.now = last
    assert old.kid in published(ring)
    clock.now = last + 600 + 300  # what it was kept for at most, and the leeway of guards
    assert published(ring) == [new.kid]
    assert ring.due
    ring.tend()
    assert not ring.due
    assert ring.keys == (new,)


def test_a_key_that_has_signed_for_long_enough_is_replaced_by_one_that_is_published_ahead(clock: Clock) -> None:
    ring = KeyRing(publish_ahead=900, rotate_every=86_400, clock=clock)
    first = ring.current
    clock.now += 86_400 - 901
    assert not ring.due
    clock.now += 1
    assert ring.due
    ring.tend()
    assert not ring.due
    assert ring.current is first
    second = ring.keys[0]
    clock.now += 900
    assert ring.current is second
    clock.now += 10 * 86_400  # nobody came for long: the next one is published ahead all the same
    ring.tend()
    assert ring.current is second
    clock.now += 900
    assert ring.current is ring.keys[0] is not second


def test_processes_that_share_a_store_plan_one_key_and_sign_with_what_all_publish(clock: Clock, tmp_path: Path) -> None:
    rings = [
        KeyRing(store=SQLiteStore(tmp_path / "issuer.db"), publish_ahead=900, rotate_every=86_400, clock=clock)
        for _ in range(3)
    ]
    assert len({ring.current.kid for ring in rings}) == 1
    clock.now += 86_400 - 900
    assert all(ring.due for ring in rings)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(KeyRing.tend, rings))
    assert len({tuple(published(ring)) for ring in rings}) == 1
    assert len(published(rings[0])) == 2
    clock.now += 900
    assert {ring.key_until(clock.now + 60).kid for ring in rings} == {published(rings[0])[0]}


def test_a_key_that_another_process_withdrew_signs_nothing_more(clock: Clock, tmp_path: Path) -> None:
    here, there = (KeyRing(store=SQLiteStore(tmp_path / "issuer.db"), clock=clock) for _ in range(2))
    old = here.key_until(clock.now + 60)
    new = there.rotate(keep_old=False)
    assert here.key_until(clock.now + 7200).kid == new.kid != old.kid
    assert published(here) == [new.kid]


def test_a_token_does_not_wait_for_the_store_while_its_key_is_kept_for_long_enough(clock: Clock) -> None:
    class Counting(MemoryStore):
        needed = 0

        def need_key(self, kid: str, until: float) -> bool:
            self.needed += 1
            return super().need_key(kid, until)

    store = Counting()
    ring = KeyRing(store=store, clock=clock)
    for _ in range(600):
        ring.key_until(clock.now + 3600)
        clock.now += 1
    assert store.needed == 1


def test_a_clock_that_steps_back_leaves_a_key_that_signs(clock: Clock) -> None:
    ring = KeyRing(clock=clock)
    first = ring.current
    clock.now -= 1e6
    assert ring.current is first


def test_a_stored_ring_goes_on_and_another_algorithm_is_published_ahead(clock: Clock) -> None:
    store = MemoryStore()
    first = KeyRing("ES256", store=store, clock=clock)
    again = KeyRing("ES256", store=store, clock=clock)
    assert published(again) == published(first)
    other = KeyRing("Ed25519", store=store, clock=clock)
    assert other.current.algorithm == "ES256"
    clock.now += 900
    assert other.current.algorithm == first.current.algorithm == "Ed25519"
    assert repr(other).startswith("KeyRing(")


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_a_brought_key_signs_at_once_and_is_not_added_twice(clock: Clock, algorithm: str) -> None:
    store, key = MemoryStore(), SigningKey.generate(algorithm)
    for _ in range(2):
        ring = KeyRing(key=key, store=store, clock=clock)
        assert ring.current.kid == key.kid
        key = SigningKey.restored(key.octets, algorithm=algorithm, kid=key.kid)
    assert len(ring.keys) == 1


def test_while_one_thread_tends_another_does_not(clock: Clock) -> None:
    class Slow(MemoryStore):
        def add_key(self, key: StoredKey, after: str | None) -> bool:
            if after is not None:
                ring.tend()
            return super().add_key(key, after)

    ring = KeyRing(store=Slow(), rotate_every=1000, clock=clock)
    clock.now += 1000
    ring.tend()
    assert len(ring.keys) == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"publish_ahead": -1}, "publish_ahead"),
        ({"publish_ahead": math.inf}, "publish_ahead"),
        ({"overlap": -1}, "overlap"),
        ({"overlap": math.nan}, "overlap"),
        ({"rotate_every": 900}, "longer than publish_ahead"),
        ({"rotate_every": 1000, "key": SigningKey.generate()}, "rotate_every makes keys"),
    ],
)
def test_a_ring_that_makes_no_sense_is_a_configuration_error(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        KeyRing(**options)


# --- keys from files ------------------------------------------------------------------------------------------------


def written(folder: Path, octets: bytes, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_bytes(octets)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519", "ES512", "PS256"])
def test_a_private_key_in_a_file_signs(tmp_path: Path, algorithm: str) -> None:
    key = SigningKey.generate(algorithm)
    named = key_from_file(written(tmp_path, key.octets), algorithm)
    assert (named.kid, named.algorithm) == (key.kid, algorithm)
    found = key_from_file(tmp_path / "key")
    assert found.algorithm == ("RS256" if algorithm == "PS256" else algorithm)


def test_a_secret_in_a_file_signs_without_its_line_end(tmp_path: Path) -> None:
    secret = secrets.token_urlsafe(32).encode()
    assert key_from_file(written(tmp_path, secret + b"\n"), "HS256").secret == secret


def pem(key: Any) -> bytes:
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return octets


def from_scalar(number: int) -> bytes:
    return pem(ec.derive_private_key(number, ec.SECP256R1()))


# RFC 7515, appendix A.3: "d", which everybody can read
PUBLISHED = from_scalar(int.from_bytes(b64url_decode(b"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"), "big"))


@pytest.mark.parametrize(
    ("octets", "algorithm", "problem"),
    [
        (PUBLISHED, None, "published documents"),
        (pem(rsa.generate_private_key(65537, 1024)), "RS256", "RSA key needs 2048"),
        (from_scalar(1), "RS256", "does not fit the key: choose from ES256"),
        (from_scalar(1), "nonsense", "does not fit the key"),
        (b"no key", None, "no unencrypted private key"),
        (pem(x25519.X25519PrivateKey.generate()), None, "key type not supported|curve not supported"),
        (b"short", "HS256", "needs at least 32"),
        (b"secretsecretsecretsecretsecretsecret", "HS256", "made by a person"),
        (PUBLISHED, "HS256", "not a secret"),
        (b"x" * 70_000, None, "more than 65536"),
    ],
    ids=[
        "published",
        "weak",
        "unfit",
        "unknown",
        "none",
        "no signatures",
        "short",
        "guessable",
        "key as secret",
        "large",
    ],
)
def test_a_key_that_must_not_sign_is_refused(
    tmp_path: Path, octets: bytes, algorithm: str | None, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        key_from_file(written(tmp_path, octets), algorithm)
    assert octets.decode("latin-1") not in str(caught.value)


def test_a_key_that_others_may_read_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="chmod 600"):
        key_from_file(written(tmp_path, SigningKey.generate().octets, 0o644))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        key_from_file(tmp_path / "nowhere")
