"""Who is there, and every scenario for each of them, so many rounds: what was found, by contender and row."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.faults.authority import server_context
from tests.benchmarks.faults.behaviours import bomb
from tests.benchmarks.faults.contenders import Contender, contender
from tests.benchmarks.faults.process import Hung, Process
from tests.benchmarks.faults.provider import Provider
from tests.benchmarks.faults.scenarios import HEAVY, ONCE, PACED, PATIENT, REPEATED
from tests.benchmarks.faults.scenarios.common import Found, Scenario
from tests.benchmarks.faults.stage import Runs, Stage, make_keys


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
    for python in [*pythons, sys.executable]:
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
            try:
                if process is None:
                    process = Process(runs.python, runs.name)
                    process.ready()
                with stage_of(runs, process) as stage:
                    results.add(runs.name, scenario(stage))
            except Exception as failure:
                # Whatever it is, it is a result, and the process of no use any more.
                if not isinstance(failure, Hung) or failure.found is None:
                    results.troubles.append(f"{runs.name}, {scenario.__name__}: {type(failure).__name__}: {failure}")
                    failed = "the process hangs" if isinstance(failure, Hung) else "the harness fails"
                    results.add(runs.name, {f"!{scenario.__name__}": failed})
                else:
                    results.add(runs.name, failure.found)
                if process is not None:
                    process.end()
                process = None
    finally:
        if process is not None:
            process.end()


def measure(names: Sequence[str], pythons: Sequence[str], rounds: int) -> Results:
    """Everything, for these contenders."""
    results = Results()
    for once in (server_context, bomb, make_keys):  # before threads ask for the same at the same time
        once()
    with ThreadPoolExecutor(4) as pool:
        for name, found in zip(names, pool.map(lambda name: look_up(name, pythons), names), strict=True):
            if isinstance(found, str):
                results.absent[name] = found
            else:
                results.runs.append(found)
    everyone = results.runs
    paced = [scenario for scenario in PACED for _ in range(rounds)]  # outages last: they leave requests behind
    _in_parallel("latencies", 1, [(runs, paced) for runs in everyone], results)
    _in_parallel("bombs", 2, [(runs, (scenario,)) for scenario in HEAVY for runs in everyone], results)
    with ThreadPoolExecutor(1) as beside:  # the slow faults do little but wait
        patient = [(runs, PATIENT) for runs in everyone]
        waiting = beside.submit(_in_parallel, "slow faults", len(patient) or 1, patient, results)
        halves = (ONCE[::2], ONCE[1::2])
        _in_parallel("what happens once", 4, [(runs, half) for runs in everyone for half in halves], results)
        waiting.result()
    _in_parallel("rounds", 3, [(runs, REPEATED) for _ in range(rounds) for runs in everyone], results)
    return results


def _in_parallel(what: str, lanes: int, parts: Sequence[tuple[Runs, Sequence[Scenario]]], results: Results) -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(lanes) as pool:
        for future in [pool.submit(play, runs, scenarios, results) for runs, scenarios in parts]:
            future.result()
    print(f"{what}: {time.monotonic() - begun:.0f} s", flush=True)
