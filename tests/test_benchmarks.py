"""The benchmark programs still run, and say what was measured: no time is asserted, and nothing here takes long."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from bearer_guard import AuthorityUnavailable, _strict
from bearer_guard._strict import b64url_decode
from tests.benchmarks import apps, cold, contenders, growth, in_process, introspection, probes, record, report
from tests.benchmarks.__main__ import SECTIONS
from tests.benchmarks.contenders import OURS, ours, pyjwt
from tests.benchmarks.material import Material
from tests.benchmarks.paired import figure, table, times_of
from tests.benchmarks.provider import RequestMaterial

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def material() -> RequestMaterial:
    return RequestMaterial(1)


def trusting(make: Any) -> Any:
    return lambda key: probes.verifies(make("RS256", key.public_key(), probes.jwk_of(key)))


def test_a_contender_is_timed_beside_the_yardstick_round_by_round() -> None:
    material = Material("ES256", 3)
    verify = ours("ES256", material.public_key, material.jwk())
    batches: dict[str, Any] = {"raw": material.raw(), "ours": lambda: [verify(token) for token in material.tokens]}
    times = times_of(batches, operations=3, rounds=2)
    assert {name: len(found) for name, found in times.items()} == {"raw": 2, "ours": 2}
    assert all(time > 0 for found in times.values() for time in found)


def test_the_copy_without_the_extra_has_nothing_of_it() -> None:
    package = contenders._without_speed()
    assert package._strict._read is None
    assert package._strict._decode_base64 is package._strict._by_standard_library
    assert _strict._read is not None  # and this one still has


def test_a_figure_compares_within_the_round() -> None:
    found = figure([20.0, 60.0, 40.0], [10.0, 20.0, 20.0])
    assert found == {"microseconds": 40.0, "ratio": {"median": 2.0, "lower": 2.0, "upper": 3.0}}
    assert figure([20.0, 60.0, 40.0], [10.0, 20.0, 20.0], [10.0, 20.0, 20.0])["ratio"]["median"] == 1.0


def test_the_probes_tell_who_leaves_what_unchecked() -> None:
    material = Material("RS256", 0)
    assert probes.unchecked(trusting(ours), material) == []
    assert {"dup", "NaN", probes.WEAK_KEY, "typ"} <= set(probes.unchecked(trusting(pyjwt), material))


def test_a_contender_that_refuses_everything_or_takes_what_has_expired_is_not_measured(
    material: RequestMaterial,
) -> None:
    with pytest.raises(ValueError, match="refuses the good token"):
        probes.unchecked(lambda key: lambda token: False, material)
    with pytest.raises(ValueError, match="expired an hour ago"):
        probes.unchecked(lambda key: lambda token: True, material)


@pytest.mark.parametrize("framework", ["asgi", "starlette", "wsgi", "flask"])
def test_our_applications_refuse_every_probe(framework: str, material: RequestMaterial) -> None:
    own = [contender for contender in apps.CONTENDERS if contender.framework == framework and contender.name == OURS]
    loop = asyncio.new_event_loop()
    try:
        passed, left_out = in_process.leniency(loop, material, own)
    finally:
        loop.close()
    assert (passed, left_out) == ({f"{framework}: {OURS}": []}, {})


@pytest.mark.parametrize("octets", [growth.PAYLOADS[0], growth.PAYLOADS[-1]])
def test_payloads_have_exactly_the_size_that_the_table_says(octets: int) -> None:
    assert len(b64url_decode(growth.Sized(octets, 1).tokens[0].split(".")[1].encode())) == octets


async def _nobody(token: str) -> object:
    raise AuthorityUnavailable("down", retry_after=1)


async def _everybody(token: str) -> object:
    return True


def test_introspections_that_were_given_up_are_counted_and_not_timed() -> None:
    async def measured() -> list[dict[str, float]]:
        return [await introspection.ask_in_turn(ask, 2, 60.0, 10) for ask in (_everybody, _nobody)]

    up, down = asyncio.run(measured())
    assert up["rate"] > 0 == up["failures"]
    assert (down["rate"], down["failures"]) == (0, 10)


# --- what is written -----------------------------------------------------------------------------------------------

RATIO = {"median": 1.25, "lower": 1.2, "upper": 1.3}
TOKENS: dict[str, Any] = {
    "algorithms": {
        "RS256": [
            {"name": "quick (Rust)", "version": "0.1", "microseconds": 20.0, "ratio": {**RATIO, "median": 0.5}},
            {"name": cold.RAW, "version": "", "microseconds": 40.0, "ratio": {**RATIO, "median": 1.0}},
            {"name": OURS, "version": "1.0", "microseconds": 50.0, "ratio": RATIO},
        ]
    },
    "unchecked": {"quick (Rust)": ["dup", "typ"], OURS: []},
    "left_out": {"slow": "is not installed"},
}
ENVIRONMENT = {
    "processor": "Example CPU",
    "cores": 2,
    "system": "Example OS 1",
    "python": "CPython 3.13.0",
    "libraries": {"bearer-guard": "1.0", "msgspec": "0.20"},
}
RECORD: Any = {
    "tokens": {"date": "2026-11-25", "environment": ENVIRONMENT, "rounds": 31, "quick": False, "figures": TOKENS}
}


def test_the_report_says_what_was_measured_on_what_and_who_is_ahead() -> None:
    page = report.document(RECORD, "{{machine}}\n\n{{tokens}}\n\n{{growth}}\n")
    assert page.startswith(
        "- Example CPU, 2 cores, Example OS 1, CPython 3.13.0; bearer-guard 1.0, msgspec 0.20, without pybase64.\n"
    )
    assert "Measured on 2026-11-25, 31 rounds." in page
    assert "| bearer_guard | 1.0 | 50.0 | 1.25 | 1.20-1.30 | nothing of these |" in page
    assert "- RS256: quick (Rust) takes 0.40 of our time and lets pass dup, typ." in page
    assert "- slow: is not installed." in page
    assert page.endswith("\nNot measured yet.\n")


def test_figures_are_kept_rounded_and_come_back(tmp_path: Path) -> None:
    record.save(RECORD, tmp_path / "figures.json")
    assert record.load(tmp_path / "figures.json") == RECORD
    assert record.load(tmp_path / "none.json") == {}
    assert record.section({}, rounds=1, quick=True)["environment"]["python"].startswith("CPython ")


def test_a_table_puts_numbers_to_the_right() -> None:
    assert table(["who", "µs"], [["a", "1.0"]]) == "| who | µs |\n| --- | ---: |\n| a | 1.0 |\n"


def test_every_section_has_a_place_on_the_page() -> None:
    places = set(re.findall(r"\{\{(\w+)\}\}", report.TEMPLATE.read_text(encoding="utf-8")))
    assert places == {"machine", *SECTIONS} == {"machine", *report.RENDERERS}


def test_the_published_page_is_what_the_kept_figures_say() -> None:
    assert (ROOT / "docs/performance.md").read_text(encoding="utf-8") == report.document(record.load())


def test_the_published_plots_are_small_and_undated() -> None:
    pictures = re.findall(r"\((plots/\w+\.svg)\)", report.TEMPLATE.read_text(encoding="utf-8"))
    assert len(pictures) == 5
    for picture in pictures:
        drawn = (ROOT / "docs" / picture).read_text(encoding="utf-8")
        assert len(drawn) < 150_000, picture
        assert "<dc:date>" not in drawn, picture
