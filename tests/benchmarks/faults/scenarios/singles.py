"""One thing at a time: odd keys and tokens, keys that change, metadata and redirections that lead astray."""

from __future__ import annotations

import time
from typing import Any

from tests.benchmarks.faults.scenarios.common import NO_METADATA, Found
from tests.benchmarks.faults.stage import ABSENT, Stage, key

# A post-quantum key as RFC 9964 has it, and one whose modulus is no number.
POST_QUANTUM = {"kty": "AKP", "alg": "ML-DSA-44", "use": "sig", "kid": "pq", "pub": "A" * 1750}
MALFORMED = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "odd", "n": "!", "e": "AQAB"}


def rotated_at_once(stage: Stage) -> Found:
    stage.warm()
    stage.provider.keys = [key(1), key(2)]
    return {"rotated": stage.ask_one(stage.good(2)).outcome}


def rotated_later(stage: Stage) -> Found:
    stage.warm()
    stage.cool_down()
    stage.provider.keys = [key(1), key(2)]
    return {"rotated_later": stage.ask_one(stage.good(2)).outcome}


def odd_keys(stage: Stage) -> Found:
    found: Found = {}
    sets: dict[str, list[dict[str, Any]]] = {
        "post_quantum": [POST_QUANTUM, key(1)],
        "malformed": [MALFORMED, key(1)],
        "no_kid": [key(2, kid=ABSENT), key(1)],
        "no_alg": [key(1, alg=ABSENT)],
    }
    for name, keys in sets.items():
        stage = stage.beside()
        stage.provider.keys = keys
        stage.prepare()
        found[name] = stage.ask_one(stage.good()).outcome
    return found


def odd_tokens(stage: Stage) -> Found:
    stage.warm()
    return {
        "no_exp": stage.ask_one(stage.good(exp=ABSENT)).outcome,
        "nbf_ahead": stage.ask_one(stage.good(nbf=int(time.time()) + 3600)).outcome,
        "unknown_crit": stage.ask_one(stage.good(header={"crit": ["house-rule"], "house-rule": 1})).outcome,
        "padded": stage.ask_one(stage.good() + "==").outcome,
    }


def after_a_stranger(stage: Stage) -> Found:
    stage.warm()
    stage.provider.how = "503"
    stage.ask_one(stage.stranger())
    return {"after_stranger": stage.ask_one(stage.good()).outcome}


def old_and_503(stage: Stage) -> Found:
    stage.warm(short=True)
    stage.provider.how = "503"
    stage.grow_old()
    return {"old_503": stage.ask_one(stage.good()).outcome}


def old_and_slow(stage: Stage) -> Found:
    stage.warm(short=True)
    stage.provider.delay = 2.0
    stage.grow_old()
    answer = stage.ask_one(stage.good())
    return {"old_slow": round(answer.seconds, 1) if answer.outcome == "admitted" else answer.outcome}


def removed_key(stage: Stage) -> Found:
    """The provider takes a key back, whose token comes again after the keys' age, and after a request that sees it."""
    stage.provider.keys = [key(1), key(2)]
    stage.warm(short=True)
    stage.provider.keys = [key(2)]
    stage.grow_old()
    stage.ask_one(stage.good(2))
    time.sleep(0.5)  # for a refresh behind the answer
    return {"removed": stage.ask_one(stage.good()).outcome}


def same_kid(stage: Stage) -> Found:
    """A new key under the kid of the old one."""
    found: Found = {}
    for row, short in (("same_kid", False), ("same_kid_old", True)):
        stage = stage.beside()
        stage.warm(short=short)
        stage.provider.keys = [key(2, kid="k1")]
        if short:
            stage.grow_old()
            stage.ask_one(stage.good())
            time.sleep(0.5)  # for a refresh behind the answer
        else:
            stage.cool_down()
        found[row] = stage.ask_one(stage.good(2, {"kid": "k1"})).outcome
    return found


def sent_elsewhere(stage: Stage) -> Found:
    """The address of the keys redirects to keys of somebody else, who signs a token."""
    stranger = stage.beside()
    stranger.provider.keys = [key(2)]
    stage.provider.how, stage.provider.elsewhere = "302", stranger.provider.jwks_uri
    stage.prepare()
    outcome = stage.ask_one(stage.good(2)).outcome
    return {"redirected": outcome, "redirected_fetches": stranger.provider.fetches}


def other_issuer(stage: Stage) -> Found:
    """The metadata at the issuer's address are those of another issuer."""
    if not stage.runs.contender.discovers:
        return {"other_issuer": NO_METADATA}
    stage.provider.named = stage.provider.issuer.replace("127.0.0.1", "other.example")
    stage.prepare()
    return {"other_issuer": stage.ask_one(stage.good()).outcome}
