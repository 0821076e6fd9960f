"""Section `requests`: what guarding adds to a request, over the same application unprotected, without a network."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tests.benchmarks import apps, probes
from tests.benchmarks.apps import CONTENDERS, UNPROTECTED, Contender, exchanges
from tests.benchmarks.paired import Batch, cells, figure, table, times_of
from tests.benchmarks.provider import Provider, RequestMaterial, Site

RAW = "raw"
COUNT = 200


def measure(rounds: int) -> dict[str, Any]:
    """Microseconds that each contender adds, paired with RAW and with the unprotected application, and its probes."""
    logging.disable(logging.CRITICAL)  # peers log every refusal with a traceback
    material = RequestMaterial(COUNT)
    loop = asyncio.new_event_loop()
    try:
        passed, left_out = leniency(loop, material)
        with Provider(material.private_key) as provider:
            ready = [contender for contender in CONTENDERS if contender.key in passed]
            batches = _batches(ready, provider.site, loop, material.tokens)
            times = times_of({RAW: material.raw(), **batches}, operations=COUNT, rounds=rounds)
    finally:
        loop.close()
        logging.disable(logging.NOTSET)
    added = [
        {
            "name": contender.name,
            "framework": contender.framework,
            "versions": contender.versions,
            **figure(times[contender.key], times[RAW], times[contender.framework]),
            "unchecked": passed[contender.key],
        }
        for contender in ready
    ]
    below = {name: figure(times[name], times[RAW]) for name in UNPROTECTED if name in times}
    return {
        "raw": figure(times[RAW], times[RAW])["microseconds"],
        "added": sorted(added, key=lambda entry: entry["ratio"]["median"]),
        "unprotected": below,
        "left_out": left_out,
    }


def _batches(
    ready: list[Contender], site: Site, loop: asyncio.AbstractEventLoop, tokens: list[str]
) -> dict[str, Batch]:
    batches: dict[str, Batch] = {}
    for framework in dict.fromkeys(contender.framework for contender in ready):
        batches[framework] = exchanges(framework, UNPROTECTED[framework](), loop, tokens)
    for contender in ready:
        batches[contender.key] = exchanges(contender.framework, contender.build(site), loop, tokens)
    for name, batch in batches.items():
        if set(batch()) != {200}:  # type: ignore[call-overload]
            raise RuntimeError(f"{name} does not answer every request with 200")
    return batches


def leniency(
    loop: asyncio.AbstractEventLoop, material: RequestMaterial, contenders: list[Contender] = CONTENDERS
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The probes that each contender lets pass, and who could not be asked."""
    passed: dict[str, list[str]] = {}
    left_out: dict[str, str] = {}
    for contender in contenders:
        providers: list[Provider] = []

        def trusting(key: Any, contender: Contender = contender, providers: Any = providers) -> Callable[[str], bool]:
            providers.append(Provider(key))
            app = contender.build(providers[-1].site)

            def accepts(token: str) -> bool:
                try:
                    return exchanges(contender.framework, app, loop, [token])() == [200]
                except Exception:  # what a server would make a 500 of
                    return False

            return accepts

        try:
            passed[contender.key] = probes.unchecked(trusting, material)
        except ImportError:
            left_out[contender.key] = "is not installed"
        except ValueError as failure:
            left_out[contender.key] = str(failure)
        finally:
            for provider in providers:
                provider.__exit__(None, None, None)
    return passed, left_out


def render(record: dict[str, Any]) -> str:
    """The tables of this section in Markdown."""
    rows = [
        [entry["name"], apps.BARE[entry["framework"]], entry["versions"], *cells(entry), _gaps(entry["unchecked"])]
        for entry in record["added"]
    ]
    head = ["who", "around", "version", "µs added", "x RAW", "quartiles", "leaves unchecked"]
    below = [[apps.BARE[name], *cells(entry)] for name, entry in record["unprotected"].items()]
    parts = [
        f"RAW was {record['raw']:.1f} µs in this run.\n",
        table(head, rows),
        "The unprotected applications, which those figures do not contain:\n",
        table(["application", "µs a request", "x RAW", "quartiles"], below),
    ]
    if record["left_out"]:
        parts.append("Left out:\n\n" + "".join(f"- {name}: {why}.\n" for name, why in record["left_out"].items()))
    return "\n".join(parts)


def _gaps(passed: list[str]) -> str:
    return ", ".join(passed) or "nothing of these"
