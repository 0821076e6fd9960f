"""Which key verifies what: every algorithm with a real key, every key that must not be used, and none for another."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, mldsa, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bearer_guard._jose import (
    ALGORITHMS,
    ASYMMETRIC,
    SYMMETRIC,
    UnusableKey,
    load_jwk,
    public_jwk,
    secret_key,
    sign,
)
from bearer_guard._rsa import rsa_problem
from bearer_guard._strict import b64url_encode
from tests.tokens import CURVE_OF, SECRET, jwk, private_key

MLDSA = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")
MESSAGE = b"header.payload"


def akp(name: str) -> Any:
    kind = {
        "ML-DSA-44": mldsa.MLDSA44PrivateKey,
        "ML-DSA-65": mldsa.MLDSA65PrivateKey,
        "ML-DSA-87": mldsa.MLDSA87PrivateKey,
    }
    return kind[name].generate()


def pair(algorithm: str) -> tuple[Any, Any]:
    """What signs and what verifies."""
    if algorithm in SYMMETRIC:
        return SECRET, secret_key(SECRET, algorithm)
    private = akp(algorithm) if algorithm in MLDSA else private_key(CURVE_OF[algorithm])
    return private, load_jwk({**public_jwk(private.public_key()), "alg": algorithm})


def problem(key: object) -> str:
    with pytest.raises(UnusableKey) as caught:
        load_jwk(key)
    return str(caught.value)


def test_every_algorithm_that_is_promised_is_there_and_none_is_not() -> None:
    promised = {f"{family}{bits}" for family in ("RS", "PS", "ES", "HS") for bits in (256, 384, 512)}
    assert set(ALGORITHMS) == promised | {"ES256K", "EdDSA", "Ed25519", "Ed448", *MLDSA}
    assert {"HS256", "HS384", "HS512"} == SYMMETRIC
    assert set(ALGORITHMS) - SYMMETRIC == ASYMMETRIC


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_verifies_and_one_changed_bit_does_not(algorithm: str) -> None:
    private, key = pair(algorithm)
    signature = sign(algorithm, private, MESSAGE)
    assert key.verifies(algorithm, MESSAGE, signature)
    assert not key.verifies(algorithm, MESSAGE + b"x", signature)
    for wrong in (
        b"",
        signature[:-1],
        signature + b"\x00",
        bytes([signature[0] ^ 1]) + signature[1:],
        bytes(len(signature)),
    ):
        assert not key.verifies(algorithm, MESSAGE, wrong)


@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name not in MLDSA])
def test_a_key_verifies_nothing_by_an_algorithm_that_does_not_fit_it(algorithm: str) -> None:
    private, key = pair(algorithm)
    signature = sign(algorithm, private, MESSAGE)
    for other in ALGORITHMS.keys() - {algorithm, "EdDSA", CURVE_OF.get(algorithm, "")}:
        assert not key.fits(other, listed=True)
        assert not key.fits(other, listed=False)
        if ALGORITHMS[other].kty != ALGORITHMS[algorithm].kty:
            assert not key.verifies(other, MESSAGE, signature)


@pytest.mark.parametrize(
    ("kind", "alone", "listed"),
    [
        ("RSA", {"RS256", "PS256"}, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        ("P-256", {"ES256"}, {"ES256"}),
        ("P-384", {"ES384"}, {"ES384"}),
        ("P-521", {"ES512"}, {"ES512"}),
        ("secp256k1", {"ES256K"}, {"ES256K"}),
        ("Ed25519", {"Ed25519"}, {"Ed25519", "EdDSA"}),
        ("Ed448", {"Ed448"}, {"Ed448", "EdDSA"}),
    ],
)
def test_a_key_without_alg_is_good_for_what_its_type_is_for_and_for_more_where_listed(
    kind: str, alone: set[str], listed: set[str]
) -> None:
    key = load_jwk(jwk(kind))
    assert {name for name in ALGORITHMS if key.fits(name, listed=False)} == alone
    assert {name for name in ALGORITHMS if key.fits(name, listed=True)} == listed
    assert key.algorithms == alone
    assert key.kid == "k1"


@pytest.mark.parametrize("algorithm", [name for name in CURVE_OF if name in ASYMMETRIC])
def test_a_key_with_alg_is_good_for_that_alone(algorithm: str) -> None:
    key = load_jwk(jwk(CURVE_OF[algorithm], alg=algorithm))
    assert {name for name in ALGORITHMS if key.fits(name, listed=True)} == {algorithm}
    assert {name for name in ALGORITHMS if key.fits(name, listed=False)} == {algorithm}


@pytest.mark.parametrize("value", [None, 7, "x", [], (), True])
def test_what_is_no_object_is_no_key(value: object) -> None:
    assert problem(value) == "not a JSON object"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"kty": ...}, "key type not supported"),
        ({"kty": "XYZ"}, "key type not supported"),
        ({"kty": None}, "key type not supported"),
        ({"kty": ["EC"]}, "key type not supported"),
        ({"kty": "oct", "k": "AAAA"}, "a symmetric key has no place in a set of public keys"),
        ({"kid": 1}, "kid is not a string"),
        ({"kid": ["k1"]}, "kid is not a string"),
        ({"use": "enc"}, "use is not sig"),
        ({"use": None}, "use is not sig"),
        ({"use": ["sig"]}, "use is not sig"),
        ({"key_ops": ["sign"]}, "key_ops lacks verify"),
        ({"key_ops": []}, "key_ops lacks verify"),
        ({"key_ops": "verify"}, "key_ops lacks verify"),
        ({"key_ops": None}, "key_ops lacks verify"),
        ({"x": ...}, "x is not base64url"),
        ({"x": ""}, "x is not base64url"),
        ({"x": 5}, "x is not base64url"),
        ({"x": "é"}, "x is not base64url"),
        ({"y": "AA=="}, "y is not base64url"),
        ({"y": "A"}, "y is not base64url"),
        ({"y": "AA"}, "the key's parameters are not valid"),
        ({"crv": "P-384"}, "the key's parameters are not valid"),
        ({"crv": "P-192"}, "curve not supported"),
        ({"crv": 5}, "curve not supported"),
        ({"crv": ["P-256"]}, "curve not supported"),
        ({"alg": "RS256"}, "alg is unknown or does not fit the key"),
        ({"alg": "ES384"}, "alg is unknown or does not fit the key"),
        ({"alg": "HS256"}, "alg is unknown or does not fit the key"),
        ({"alg": "none"}, "alg is unknown or does not fit the key"),
        ({"alg": "es256"}, "alg is unknown or does not fit the key"),
        ({"alg": 5}, "alg is unknown or does not fit the key"),
        ({"alg": ["ES256"]}, "alg is unknown or does not fit the key"),
        ({"alg": {}}, "alg is unknown or does not fit the key"),
    ],
)
def test_a_key_that_must_not_be_used_is_unusable_and_the_reason_says_why(members: dict[str, Any], reason: str) -> None:
    key = {name: value for name, value in {**jwk(), **members}.items() if value is not ...}
    assert problem(key) == reason


@pytest.mark.parametrize("kty", ["EC", "OKP"])
@pytest.mark.parametrize("crv", [..., None, "P-256", "Ed25519", "X25519"])
def test_a_curve_that_is_absent_or_of_another_key_type_makes_a_key_unusable(kty: str, crv: object) -> None:
    members = {**jwk("Ed25519" if kty == "OKP" else "P-256"), "crv": crv}
    if crv is ...:
        del members["crv"]
    if (kty, crv) in (("EC", "P-256"), ("OKP", "Ed25519")):
        assert load_jwk(members)
    else:
        assert problem(members)


@pytest.mark.parametrize(
    "members", [{"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}, {"kid": ...}]
)
def test_a_key_that_is_for_signatures_is_loaded(members: dict[str, Any]) -> None:
    key = load_jwk({name: value for name, value in {**jwk(), **members}.items() if value is not ...})
    assert key.algorithms == {"ES256"}


def test_a_point_that_is_not_on_its_curve_is_no_key() -> None:
    members = jwk()
    assert problem({**members, "y": members["x"]}) == "the key's parameters are not valid"


def test_private_members_are_not_read_and_are_noted() -> None:
    private = private_key("RSA").private_numbers()
    secret = b64url_encode(private.d.to_bytes(256, "big")).decode()
    key = load_jwk({**jwk("RSA"), "d": secret, "p": 5, "k": "!"})
    assert key.private_members
    assert secret not in repr(key)
    assert key.verifies("RS256", MESSAGE, sign("RS256", private_key("RSA"), MESSAGE))
    assert not load_jwk(jwk("RSA")).private_members


def number(value: int) -> str:
    return b64url_encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


def test_an_rsa_key_below_2048_bits_is_refused() -> None:
    assert problem(jwk("RSA-1024")) == "an RSA key needs 2048 to 8192 bits"


@pytest.mark.parametrize("exponent", [1, 2, 4, 65536, 2**32 + 1])
def test_an_rsa_exponent_is_odd_and_in_range(exponent: int) -> None:
    assert problem(jwk("RSA", e=number(exponent)))


@pytest.mark.parametrize(
    ("modulus", "exponent", "sentence"),
    [
        (2**2047 + 1, 65537, None),
        (2**2047 + 1, 3, None),
        (2**2046 + 1, 65537, "an RSA key needs 2048 to 8192 bits"),
        (2**8191 + 1, 65537, None),
        (2**8192 + 1, 65537, "an RSA key needs 2048 to 8192 bits"),
        (2**2047, 65537, "the RSA modulus or exponent is not odd and in range"),
        (2**2047 + 1, 1, "the RSA modulus or exponent is not odd and in range"),
        (2**2047 + 1, 65536, "the RSA modulus or exponent is not odd and in range"),
        (2**2047 + 1, 2**32 + 1, "the RSA modulus or exponent is not odd and in range"),
        (65537**130, 65537, "the RSA modulus has the ROCA fingerprint (CVE-2017-15361)"),
    ],
)
def test_the_numbers_of_an_rsa_key_are_judged(modulus: int, exponent: int, sentence: str | None) -> None:
    assert rsa_problem(modulus, exponent) == sentence


@pytest.mark.parametrize("name", MLDSA)
def test_an_akp_key_needs_its_alg(name: str) -> None:
    members = public_jwk(akp(name).public_key())
    assert load_jwk(members).algorithms == {name}
    other = MLDSA[MLDSA.index(name) - 1]
    assert problem({**members, "alg": other}) == "the key's parameters are not valid"
    del members["alg"]
    assert problem(members) == "alg is required for an AKP key"


def test_a_public_key_becomes_the_jwk_that_loads_it() -> None:
    for kind in ("RSA", "P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448"):
        members = public_jwk(private_key(kind).public_key())
        assert "key_ops" not in members
        assert load_jwk(members)


def test_a_public_key_of_another_kind_becomes_none() -> None:
    for key in (x25519.X25519PrivateKey.generate().public_key(), object()):
        with pytest.raises(UnusableKey, match="key type not supported"):
            public_jwk(key)


def test_a_dsa_key_becomes_none() -> None:
    numbers = dsa.DSAParameterNumbers(  # the domain of RFC 5114 §2.3, whose generation would take long
        p=int(
            "87A8E61DB4B6663CFFBBD19C651959998CEEF608660DD0F25D2CEED4435E3B00E00DF8F1D61957D4FAF7DF4561B2AA3016C3D91134"
            "096FAA3BF4296D830E9A7C209E0C6497517ABD5A8A9D306BCF67ED91F9E6725B4758C022E0B1EF4275BF7B6C5BFC11D45F9088B941"
            "F54EB1E59BB8BC39A0BF12307F5C4FDB70C581B23F76B63ACAE1CAA6B7902D52526735488A0EF13C6D9A51BFA4AB3AD8347796524D"
            "8EF6A167B5A41825D967E144E5140564251CCACB83E6B486F6B3CA3F7971506026C0B857F689962856DED4010ABD0BE621C3A3960A"
            "54E710C375F26375D7014103A4B54330C198AF126116D2276E11715F693877FAD7EF09CADB094AE91E1A1597",
            16,
        ),
        q=int("8CF83642A709A097B447997640129DA299B1A47D1EB3750BA308B0FE64F5FBD3", 16),
        g=int(
            "3FB32C9B73134D0B2E77506660EDBD484CA7B18F21EF205407F4793A1A0BA12510DBC15077BE463FFF4FED4AAC0BB555BE3A6C1B0C"
            "6B47B1BC3773BF7E8C6F62901228F8C28CBB18A55AE31341000A650196F931C77A57F2DDF463E5E9EC144B777DE62AAAB8A8628AC3"
            "76D282D6ED3864E67982428EBC831D14348F6F2F9193B5045AF2767164E1DFC967C1FB3F2E55A4BD1BFFE83B9C80D052B985D182EA"
            "0ADB2A3B7313D3FE14C8484B1E052588B9B7D2BBD2DF016199ECD06E1557CD0915B3353BBB64E0EC377FD028370DF92B52C7891428"
            "CDC67EB6184B523D1DB246C32F63078490F00EF8D647D148D47954515E2327CFEF98C582664B4C0F6CC41659",
            16,
        ),
    )
    with pytest.raises(UnusableKey, match="key type not supported"):
        public_jwk(numbers.parameters().generate_private_key().public_key())


@pytest.mark.parametrize("curve", ["P-256", "P-384", "P-521"])
def test_an_ecdsa_signature_is_r_and_s_side_by_side_and_never_der(curve: str) -> None:
    algorithm = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[curve]
    key = load_jwk(jwk(curve))
    signature = sign(algorithm, private_key(curve), MESSAGE)
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    der = encode_dss_signature(r, s)
    assert decode_dss_signature(der) == (r, s)
    assert not key.verifies(algorithm, MESSAGE, der)


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "ES256K"])
def test_halves_of_an_ecdsa_signature_may_begin_with_any_octet(algorithm: str) -> None:
    private, key = pair(algorithm)
    wanted = {(r, s) for r in (0, 1, 128) for s in (0, 1, 128)} - {(0, 0)}
    if algorithm == "ES512":  # the first octet holds one bit
        wanted = {(0, 0), (0, 1), (1, 0), (1, 1)}
    for number in range(20_000):
        message = str(number).encode()
        signature = sign(algorithm, private, message)
        half = len(signature) // 2
        kinds = tuple(octet and max(1, octet & 128) for octet in (signature[0], signature[half]))
        if kinds in wanted:
            wanted.discard(kinds)
            assert key.verifies(algorithm, message, signature)
            assert not key.verifies(algorithm, message, signature[half:] + signature[:half])
            assert not key.verifies(algorithm, message, bytes(half) + signature[half:])
            assert not key.verifies(algorithm, message, signature[:half] + bytes(half))
        if not wanted:
            break
    assert not wanted


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_an_rsa_signature_is_as_long_as_its_modulus_though_it_begin_with_zero(algorithm: str) -> None:
    private, key = pair(algorithm)
    for number in range(10_000):
        message = str(number).encode()
        signature = sign(algorithm, private, message)
        if signature[0] == 0:
            break
    assert signature[0] == 0
    assert key.verifies(algorithm, message, signature)
    for other in (signature[1:], b"\0" + signature, signature + b"\0"):
        assert not key.verifies(algorithm, message, other)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_what_a_pkcs1_signature_holds_is_compared_as_a_whole(algorithm: str) -> None:
    private, key = pair(algorithm)
    numbers = private.private_numbers()
    length = (private.key_size + 7) // 8
    name = {"RS256": "sha256", "RS384": "sha384", "RS512": "sha512"}[algorithm]
    digest = hashlib.new(name, MESSAGE).digest()
    oid = {"RS256": "01", "RS384": "02", "RS512": "03"}[algorithm]
    size = len(digest)
    with_null = bytes.fromhex(f"30{size + 17:02x}300d06096086480165030402{oid}050004{size:02x}") + digest
    without = bytes.fromhex(f"30{size + 15:02x}300b06096086480165030402{oid}04{size:02x}") + digest
    long_form = bytes.fromhex(f"3081{size + 17:02x}300d06096086480165030402{oid}050004{size:02x}") + digest

    def raw(encoded: bytes) -> bytes:
        assert len(encoded) == length
        return pow(int.from_bytes(encoded), numbers.d, numbers.public_numbers.n).to_bytes(length)

    def padded(content: bytes, filling: bytes = b"\xff", kind: int = 1) -> bytes:
        return bytes([0, kind]) + filling * (length - len(content) - 3) + b"\0" + content

    assert key.verifies(algorithm, MESSAGE, raw(padded(with_null)))
    for encoded in (
        padded(without),
        padded(long_form),
        padded(digest),
        padded(with_null + b"\0"),
        padded(with_null[:-1]),
        padded(with_null, kind=2),
        padded(with_null, filling=b"\xfe"),
        bytes([0, 1]) + b"\xff" * 8 + b"\0" + with_null + bytes(length - 11 - len(with_null)),
        bytes([0, 1]) + b"\xff" * 7 + b"\0" + bytes(length - 10 - len(with_null)) + with_null,
        bytes([0, 1, 0]) + bytes(length - 3 - len(with_null)) + with_null,
    ):
        assert not key.verifies(algorithm, MESSAGE, raw(encoded))


def test_a_pss_signature_has_a_salt_of_the_length_of_its_hash() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key = load_jwk(jwk("RSA"))
    for salt, verifies in ((32, True), (0, False), (20, False), (64, False)):
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
        signature = private_key("RSA").sign(MESSAGE, pss, hashes.SHA256())
        assert key.verifies("PS256", MESSAGE, signature) is verifies


def test_a_secret_verifies_its_one_algorithm_and_is_no_part_of_repr() -> None:
    key = secret_key(SECRET, "HS384")
    assert (key.algorithms, key.possible, key.kid) == ({"HS384"}, {"HS384"}, None)
    assert key.verifies("HS384", MESSAGE, sign("HS384", SECRET, MESSAGE))
    assert not key.fits("HS256", listed=True)
    assert repr(key) == "VerificationKey(kid=None, algorithms=['HS384'])"
    assert SECRET.hex() not in repr(key)


def test_an_encoded_public_key_is_no_secret() -> None:
    public = private_key("RSA").public_key()
    for octets in (
        b"",
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ):
        with pytest.raises(UnusableKey, match="the secret is empty, or a key or certificate"):
            secret_key(octets, "HS256")


def test_whatever_the_library_raises_means_that_a_signature_does_not_verify() -> None:
    key = load_jwk(jwk("RSA"))
    assert not key.verifies("HS256", MESSAGE, hashlib.sha256(MESSAGE).digest())
    assert not key.verifies("ES256", MESSAGE, bytes(64))
    assert not key.verifies("no such algorithm", MESSAGE, b"")


def test_an_ml_dsa_key_of_another_kind_has_no_jwk() -> None:
    with pytest.raises(TypeError, match="not a public key of ML-DSA-44"):
        ALGORITHMS["ML-DSA-44"].implementation.to_jwk(rsa, as_dict=True)
