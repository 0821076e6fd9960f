"""What a scenario works with: one contender in a process of its own, one provider, tokens, and a way to end it all."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bearer_guard._strict import b64url_encode
from tests.benchmarks.faults.contenders import Contender
from tests.benchmarks.faults.process import Process
from tests.benchmarks.faults.provider import Provider
from tests.tokens import ABSENT, changed, jwk, raw, signer, text

AUDIENCE = "https://api.example.com"
KEYS = 12
GIVE_UP = 11.0
"""Seconds after which a request that was not answered hangs: one more than the time-out that most libraries have."""
SLACK = 15.0


class Answer(NamedTuple):
    outcome: str
    seconds: float
    why: str


@dataclass(frozen=True)
class Runs:
    """A contender, and the interpreter that has it."""

    name: str
    contender: Contender
    python: str
    versions: dict[str, str]


class Stage:
    """One contender set up against one provider; a scenario gets it, and does with both what it wants."""

    def __init__(self, runs: Runs, process: Process, provider: Provider) -> None:
        self.runs = runs
        self.provider = provider
        self._process = process
        self._providers = [provider]
        provider.keys = [key(1)]

    def beside(self) -> Stage:
        """Another stage for the same contender, with a provider of its own that nobody remembers."""
        who = self.runs.contender
        other = Provider(secure=who.https, issuer_suffix=who.issuer_suffix, jwks_path=who.jwks_path)
        self._providers.append(other)
        stage = Stage(self.runs, self._process, other)
        stage._providers = self._providers
        return stage

    def close(self) -> None:
        for provider in self._providers:
            provider.close()

    def prepare(self, *, short: bool = False) -> str:
        """Set the contender up; `short` where its keys are to grow old. What went wrong at its start, if anything."""
        told: str = self._process.call("prepare", patience=30, short=short, target=self._target())
        return told

    def warm(self, *, short: bool = False) -> None:
        """Set the contender up, and let it admit a good token: without that nothing that follows means anything."""
        self._admits(self.good(), self.prepare(short=short))

    def introspect(self) -> None:
        """Set the contender up to ask the provider about each token, and let it admit one."""
        now = int(time.time())
        members = {"iss": self.provider.issuer, "aud": AUDIENCE, "sub": "user-1", "client_id": "client-1"}
        self.provider.introspected = {
            "active": True,
            "iat": now - 5,
            "exp": now + 3600,
            "scope": "read:users",
        } | members
        self._process.call("introspect", patience=30, target=self._target())
        self._admits(self.opaque(), "")

    def _target(self) -> dict[str, str]:
        provider = self.provider
        known = {"issuer": provider.issuer, "jwks_uri": provider.jwks_uri, "introspection": provider.introspection}
        return known | {"audience": AUDIENCE}

    def _admits(self, token: str, trouble: str) -> None:
        answer = self.ask_one(token)
        if answer.outcome != "admitted":
            raise AssertionError(f"{self.runs.name} does not admit a good token: {answer} {trouble}")

    def grow_old(self) -> None:
        self._process.call("grow_old", patience=30)

    def grow_stale(self) -> None:
        self._process.call("grow_stale", patience=30)

    def cool_down(self) -> None:
        self._process.call("cool_down", patience=30)

    def step(self, seconds: float) -> None:
        """Step the wall clock of the contender's process."""
        self._process.call("step", patience=30, seconds=seconds)

    def good(self, number: int = 1, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A good token by key `number`, or with these differences."""
        now = int(time.time())
        members = {
            "iss": self.provider.issuer,
            "aud": AUDIENCE,
            "sub": "user-1",
            "client_id": "client-1",
            "azp": "client-1",
            "iat": now - 5,
            "nbf": now - 5,
            "exp": now + 3600,
            "jti": secrets.token_hex(8),
            "scope": "read:users",
            "ver": "2.0",
        }
        fields = changed({"alg": "RS256", "typ": "at+jwt", "kid": f"k{number}"}, header or {})
        return raw(fields, changed(members, claims), signer("RS256", number=number))

    def lasting(self, number: int = 1) -> str:
        """A token that is good whatever the clock is stepped by."""
        now, week = int(time.time()), 7 * 24 * 3600
        return self.good(number, iat=now - week, nbf=now - week, exp=now + week)

    def opaque(self) -> str:
        """A token that says nothing by itself."""
        return secrets.token_urlsafe(32)

    def stranger(self) -> str:
        """A token that anybody can make: good claims, a kid that does not exist, and no signature to speak of."""
        unsigned = self.good(header={"kid": secrets.token_hex(8)}).rpartition(".")[0]
        return f"{unsigned}.{text(secrets.token_bytes(256))}"

    def strangers(self, number: int) -> list[str]:
        """Many of those, made from one."""
        head, payload, signature = self.stranger().split(".")
        del head
        header = b'{"alg":"RS256","typ":"at+jwt","kid":"%s"}'
        heads = (b64url_encode(header % secrets.token_hex(8).encode()).decode() for _ in range(number))
        return [f"{head}.{payload}.{signature}" for head in heads]

    def ask(
        self,
        tokens: Sequence[str],
        how: str = "usual",
        at_once: int = 1000,
        give_up: float = GIVE_UP,
        limit: float = 60.0,
    ) -> list[Answer] | None:
        """The answers to these tokens, or None where the contender cannot be called so."""
        to: dict[str, Any] = {"tokens": list(tokens), "how": how, "at_once": at_once}
        patience = give_up + SLACK + (limit if len(tokens) > 1 else 0)
        answers = self._process.call("ask", patience=patience, give_up=give_up, limit=limit, **to)
        return None if answers is None else [Answer(*answer) for answer in answers]

    def ask_one(self, token: str) -> Answer:
        answers = self.ask([token])
        assert answers is not None
        return answers[0]

    def cancel_first(self, tokens: Sequence[str], after: float) -> list[Answer] | None:
        """What all but the first get, which is cancelled so soon; None where there are no coroutines."""
        patience = GIVE_UP + SLACK
        to: dict[str, Any] = {"tokens": list(tokens), "after": after, "give_up": GIVE_UP}
        answers = self._process.call("cancel_first", patience=patience, **to)
        return None if answers is None else [Answer(*answer) for answer in answers]

    def fork(self, token: str, *, aged: bool = False) -> Answer:
        """What a forked child of the contender's process gets, where the keys' age passes first if `aged`."""
        to: dict[str, Any] = {"token": token, "aged": aged, "give_up": GIVE_UP}
        return Answer(*self._process.call("fork", patience=2 * GIVE_UP + SLACK, **to))

    def watch(self) -> None:
        self._process.call("watch", patience=30)

    def watched(self) -> tuple[float, float] | None:
        """The most that one callback of the event loop took since `watch`: milliseconds of CPU, and by the wall."""
        found = self._process.call("watched", patience=30)
        return None if found is None else (found[0], found[1])

    def begin(self, rate: float, seconds: float, give_up: float) -> None:
        """Ask about a good token at this rate from now on."""
        load = {"token": self.good(), "rate": rate, "seconds": seconds, "give_up": give_up}
        self._process.call("begin", patience=30, **load)

    def present(self, token: str) -> None:
        self._process.call("present", patience=30, token=token)

    def gather(self, seconds: float, give_up: float) -> list[Answer]:
        """The answers of all that was asked since `begin`."""
        patience = seconds + 2 * give_up + SLACK
        return [Answer(*answer) for answer in self._process.call("gather", patience=patience)]

    def forget_peak(self) -> float:
        megabytes: float = self._process.call("forget_peak", patience=30)
        return megabytes

    def peak(self) -> float:
        megabytes: float = self._process.call("peak", patience=30)
        return megabytes


def key(number: int, **members: Any) -> dict[str, Any]:
    """The public JWK number `number`, as a provider publishes it."""
    return jwk("RSA", number, **{"kid": f"k{number}", "alg": "RS256", "use": "sig", **members})


def make_keys() -> None:
    """All keys once, before threads ask for them at the same time."""
    for number in range(1, KEYS):
        key(number)


__all__ = ["ABSENT", "Answer", "Runs", "Stage", "key", "make_keys"]
