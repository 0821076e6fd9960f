"""Who is there, and every scenario for each of them, so many rounds: what was found, by contender and row."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.faults.contenders import Contender, contender
from tests.benchmarks.faults.provider import Provider, authority, bomb, server_context
from tests.benchmarks.faults.scenarios import HEAVY, ONCE, PACED, PATIENT, REPEATED, Found, Scenario
from tests.benchmarks.faults.stage import Hung, Process, Runs, Stage, make_keys

QUICK_AT_ONCE = 3
PATIENT_AT_ONCE = 14
HEAVY_AT_ONCE = 2


@dataclass
class Results:
    """What every round found, and who could not be measured, with the reason."""

    runs: list[Runs] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    found: dict[str, dict[str, list[str | float]]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def add(self, name: str, found: Found) -> None:
        of = self.found.setdefault(name, {})
        for row, value in found.items():
            of.setdefault(row, []).append(value)


def look_up(name: str, pythons: Sequence[str]) -> Runs | str:
    """The first interpreter that has this contender, or why none has."""
    wanted: Contender = contender(name)
    reason = "no interpreter given"
    for python in [sys.executable] if name == "bearer_guard" else [*pythons, sys.executable]:
        try:
            process = Process(python, name)
        except OSError as failure:
            reason = f"the interpreter does not start: {failure.strerror}"
            continue
        try:
            versions = process.ready().call("versions", patience=60)
            with stage_of(Runs(name, wanted, python, versions), process) as stage:
                stage.warm()
            return Runs(name, wanted, python, versions)
        except (RuntimeError, Hung) as failure:
            reason = str(failure)
        finally:
            process.end()
    return reason


@contextmanager
def stage_of(runs: Runs, process: Process) -> Iterator[Stage]:
    """A stage with a provider of its own, which is closed in the end."""
    who = runs.contender
    provider = Provider(secure=who.https, issuer_suffix=who.issuer_suffix, jwks_path=who.jwks_path)
    stage = Stage(runs, process, provider)
    try:
        yield stage
    finally:
        stage.close()


def play(runs: Runs, scenarios: Iterable[Scenario], results: Results) -> None:
    """The scenarios one after another in one process, and in a new one after one that hung or died."""
    process: Process | None = None
    try:
        for scenario in scenarios:
            if process is None:
                process = Process(runs.python, runs.name).ready()
            try:
                with stage_of(runs, process) as stage:
                    results.add(runs.name, scenario(stage))
            except (Hung, RuntimeError) as failure:
                hung = isinstance(failure, Hung)
                results.troubles.append(f"{runs.name}, {scenario.__name__}: {'hung in ' if hung else ''}{failure}")
                results.add(runs.name, {f"!{scenario.__name__}": "the process hangs" if hung else "the process fails"})
                process.end()
                process = None
    finally:
        if process is not None:
            process.end()


def measure(names: Sequence[str], pythons: Sequence[str], rounds: int) -> Results:
    """Everything, for these contenders."""
    results = Results()
    authority(), server_context(), bomb(), make_keys()  # once, before threads ask for them at the same time
    with ThreadPoolExecutor(4) as pool:
        for name, found in zip(names, pool.map(lambda name: look_up(name, pythons), names), strict=True):
            if isinstance(found, str):
                results.absent[name] = found
            else:
                results.runs.append(found)
    everyone = results.runs
    for runs in everyone:
        play(runs, PACED * rounds, results)
    _in_parallel(HEAVY_AT_ONCE, [(runs, (scenario,)) for scenario in HEAVY for runs in everyone], results)
    _in_parallel(PATIENT_AT_ONCE, [(runs, PATIENT) for runs in everyone], results)
    _in_parallel(QUICK_AT_ONCE, [(runs, ONCE) for runs in everyone], results)
    _in_parallel(QUICK_AT_ONCE, [(runs, REPEATED) for _ in range(rounds) for runs in everyone], results)
    return results


def _in_parallel(lanes: int, parts: Sequence[tuple[Runs, Sequence[Scenario]]], results: Results) -> None:
    with ThreadPoolExecutor(lanes) as pool:
        for future in [pool.submit(play, runs, scenarios, results) for runs, scenarios in parts]:
            future.result()
