"""What a scenario works with: one contender in a process of its own, one provider, tokens, and a way to end it all."""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bearer_guard._strict import b64url_encode
from tests.benchmarks.faults.contenders import Contender
from tests.benchmarks.faults.provider import Provider, authority
from tests.tokens import ABSENT, changed, jwk, raw, signer, text

ROOT = Path(__file__).resolve().parents[3]
AUDIENCE = "https://api.example.com"
KEYS = 12
GIVE_UP = 11.0
"""Seconds after which a request that was not answered hangs: one more than the time-out that most libraries have."""
SLACK = 15.0


class Hung(Exception):
    """The process answers no more, although no request may take that long: its event loop is blocked.

    `found` is what a scenario says about that, if it expected it. The process must not be used again.
    """

    found: dict[str, str | float] | None = None


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


class Process:
    """A worker, told by lines of JSON what to do."""

    def __init__(self, python: str, name: str) -> None:
        trust = str(authority()[0])
        environment = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "SSL_CERT_FILE": trust,
            "REQUESTS_CA_BUNDLE": trust,
            "PYTHONPATH": str(ROOT),
        }
        self._child = subprocess.Popen(
            [python, "-m", "tests.benchmarks.faults.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaint = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._drain)]
        for reader in self._readers:
            reader.start()

    def ready(self) -> Process:
        """This, once its library is imported."""
        self.call("ready", patience=120)
        return self

    def call(self, do: str, *, patience: float, **arguments: Any) -> Any:
        """What the worker answers. Raises Hung when it does not, RuntimeError when it is broken."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._child.stdin.flush()
            line = self._lines.get(timeout=patience)
        except queue.Empty:
            raise Hung(do) from None
        except OSError:
            line = ""
        if not line:
            self._child.wait(5)
            self._readers[1].join(5)
            raise RuntimeError(self._complaint.strip().rpartition("\n")[2] or f"ended with {self._child.returncode}")
        answer = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer["answer"]

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _drain(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._complaint = (self._complaint + line)[-4000:]


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
        issuer, jwks_uri = self.provider.issuer, self.provider.jwks_uri
        to = {"issuer": issuer, "jwks_uri": jwks_uri, "audience": AUDIENCE, "short": short}
        told: str = self._process.call("prepare", patience=30, **to)
        return told

    def warm(self, *, short: bool = False) -> None:
        """Set the contender up, and let it admit a good token: without that nothing that follows means anything."""
        trouble = self.prepare(short=short)
        answer = self.ask_one(self.good())
        if answer.outcome != "admitted":
            raise AssertionError(f"{self.runs.name} does not admit a good token: {answer} {trouble}")

    def grow_old(self) -> None:
        self._process.call("grow_old", patience=30)

    def cool_down(self) -> None:
        self._process.call("cool_down", patience=30)

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

    def begin(self, rate: float, seconds: float, give_up: float) -> None:
        """Ask about good tokens at this rate from now on."""
        load = {"token": self.good(), "rate": rate, "seconds": seconds, "give_up": give_up}
        self._process.call("begin", patience=30, **load)

    def present(self, token: str) -> None:
        self._process.call("present", patience=30, token=token)

    def gather(self, seconds: float, give_up: float) -> list[Answer]:
        """The answers of all that was asked since `begin`."""
        patience = seconds + 2 * give_up + SLACK
        return [Answer(*answer) for answer in self._process.call("gather", patience=patience)]

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


__all__ = ["ABSENT", "Answer", "Hung", "Process", "Runs", "Stage", "key", "make_keys"]
