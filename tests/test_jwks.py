"""A JWK set made ready: what is skipped and why, which keys are tried for a header, and how many at most."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard._jwks import MAX_KEYS, MAX_TRIED, KeySet, SkippedKey, load_jwks
from tests.tokens import ABSENT, jwk, jwks


def test_the_keys_of_a_set_are_loaded_in_their_order() -> None:
    keys = load_jwks(jwks(jwk(kid="a"), jwk("RSA", kid="b"), jwk("Ed25519", kid="c")))
    assert [key.kid for key in keys.keys] == ["a", "b", "c"]
    assert keys.skipped == ()
    assert repr(keys) == "KeySet(3 keys, 0 skipped)"


@pytest.mark.parametrize("document", [None, [], "x", 1, {}, {"keys": None}, {"keys": {}}, {"keys": "x"}, {"Keys": []}])
def test_what_is_no_set_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError, match="not a JSON object with an array called keys"):
        load_jwks(document)


@pytest.mark.parametrize(
    "odd",
    [
        *(None, 7, "x", [], {}, {"kty": "XYZ"}, {"kty": "oct", "k": "AAAA", "kid": "k1"}),
        *(jwk(use="enc"), jwk(alg="RS256"), jwk(alg=["ES256"]), jwk(alg={}), jwk(crv=[]), jwk(kid=1), jwk(x=None)),
        *(jwk(key_ops=7), jwk(kty=[]), jwk("RSA", n="AQAB"), jwk("RSA", e=[]), jwk(y=ABSENT), jwk(use={})),
    ],
)
def test_one_odd_member_is_skipped_and_reported_and_the_others_work(odd: object) -> None:
    keys = load_jwks(jwks(odd, jwk(kid="good"), odd))
    assert [key.kid for key in keys.keys] == ["good"]
    assert [skipped.position for skipped in keys.skipped] == [0, 2]
    assert all(skipped.reason for skipped in keys.skipped)


def test_a_set_without_one_usable_key_is_a_value_error_that_says_why() -> None:
    with pytest.raises(ValueError, match=r"^no usable key$"):
        load_jwks({"keys": []})
    with pytest.raises(ValueError, match=r"^no usable key \(key 0: key type not supported; key 1: use is not sig\)$"):
        load_jwks(jwks({"kty": "XYZ"}, jwk(use="enc")))


def test_the_number_of_keys_is_bounded() -> None:
    assert len(load_jwks({"keys": [jwk()] * MAX_KEYS}).keys) == MAX_KEYS
    with pytest.raises(ValueError, match=f"more than {MAX_KEYS} keys"):
        load_jwks({"keys": [jwk()] * (MAX_KEYS + 1)})


def test_the_report_of_a_skipped_key_holds_nothing_of_the_key() -> None:
    keys = load_jwks(jwks({"kty": "s3cr3t"}, jwk(crv="s3cr3t"), jwk(alg="s3cr3t"), jwk(x="s3cr3t!"), jwk()))
    assert len(keys.skipped) == 4
    assert "s3cr3t" not in str(keys.skipped)
    assert str(SkippedKey(2, "use is not sig")) == "key 2: use is not sig"


def test_a_kid_that_is_in_the_set_is_known_and_a_token_without_one_names_every_key() -> None:
    keys = load_jwks(jwks(jwk(kid="a"), jwk(kid=ABSENT)))
    assert keys.knows("a")
    assert keys.knows(None)
    for kid in ("A", "b", ""):
        assert not keys.knows(kid)


def test_a_kid_chooses_its_keys_and_none_other() -> None:
    keys = load_jwks(jwks(jwk(kid="a"), jwk(number=1, kid="b"), jwk(number=2, kid=ABSENT)))
    assert keys.fitting("ES256", "a", listed=False) == [keys.keys[0]]
    assert keys.fitting("ES256", "b", listed=False) == [keys.keys[1]]


def test_an_unknown_kid_falls_back_to_the_keys_that_have_no_name() -> None:
    keys = load_jwks(jwks(jwk(kid="a"), jwk(number=1, kid=ABSENT)))
    assert keys.fitting("ES256", "other", listed=False) == [keys.keys[1]]
    assert load_jwks(jwks(jwk(kid="a"))).fitting("ES256", "other", listed=False) == []


def test_a_token_without_kid_may_be_of_any_key_that_fits() -> None:
    keys = load_jwks(jwks(jwk(kid="a"), jwk("RSA", kid="b"), jwk(number=1, kid=ABSENT)))
    assert keys.fitting("ES256", None, listed=False) == [keys.keys[0], keys.keys[2]]
    assert keys.fitting("RS256", None, listed=False) == [keys.keys[1]]


def test_of_two_keys_with_one_kid_every_one_that_fits_is_tried() -> None:
    keys = load_jwks(jwks(jwk("RSA"), jwk(), jwk(number=1)))
    assert keys.fitting("ES256", "k1", listed=False) == list(keys.keys[1:])
    assert keys.fitting("PS256", "k1", listed=False) == [keys.keys[0]]
    assert keys.fitting("PS512", "k1", listed=False) == []
    assert keys.fitting("PS512", "k1", listed=True) == [keys.keys[0]]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=12), st.sampled_from(["a", "b", "c", None]))
def test_the_keys_to_try_are_the_first_few_that_the_kid_allows(kids: list[str | None], kid: str | None) -> None:
    members = [jwk(kid=ABSENT if name is None else name) for name in kids]
    keys = load_jwks({"keys": members})
    tried = keys.fitting("ES256", kid, listed=False)
    allowed = [key for key in keys.keys if kid is None or key.kid == kid]
    if kid not in kids and kid is not None:
        allowed = [key for key in keys.keys if key.kid is None]
    assert tried == allowed[:MAX_TRIED]


def test_the_bound_on_tries_counts_keys_that_fit() -> None:
    keys = load_jwks({"keys": [jwk("RSA")] * 20 + [jwk()]})
    assert keys.fitting("ES256", "k1", listed=False) == [keys.keys[20]]
    assert len(keys.fitting("RS256", "k1", listed=False)) == MAX_TRIED


def test_the_document_is_kept_for_comparison_and_is_no_part_of_repr() -> None:
    document: dict[str, Any] = jwks()
    assert load_jwks(document).document is document
    assert KeySet(()).document is None
    assert document["keys"][0]["x"] not in repr(load_jwks(document))


def test_a_set_in_which_no_key_has_a_name_may_have_any() -> None:
    keys = load_jwks(jwks(jwk(kid=ABSENT)))
    assert keys.knows("whatever")
    assert keys.fitting("ES256", "whatever", listed=False) == list(keys.keys)


@pytest.mark.parametrize("named", ["k1", ABSENT])
def test_kids_that_strangers_made_up_take_no_room(named: str) -> None:
    keys = load_jwks(jwks(jwk(kid=named), jwk("RSA", kid=ABSENT)))
    for number in range(1000):
        keys.checks("ES256", f"made up {number}", listed=False)
        keys.checks("RS256", f"made up {number}", listed=False)
    keys.checks("ES256", "k1", listed=False)
    assert len(keys._checks) <= 4


def test_what_to_try_is_chosen_once() -> None:
    keys = load_jwks(jwks())
    assert keys.checks("ES256", "k1", listed=False) is keys.checks("ES256", "k1", listed=False)
    assert keys.checks("ES256", "k1", listed=True) is not keys.checks("ES256", "k1", listed=False)
