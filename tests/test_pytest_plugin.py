"""The pytest fixtures, in a pytest of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import bearer_guard

pytest_plugins = ["pytester"]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> str:
    # The plugin may be installed or not: without autoload it is loaded once, by name.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return "-pbearer_guard.pytest_plugin"


def test_local_issuer_is_new_for_each_test_and_its_trouble_ends_with_it(pytester: pytest.Pytester, plugin: str) -> None:
    pytester.makepyfile(
        """
        seen = []

        def test_one(local_issuer):
            seen.append(local_issuer)
            assert local_issuer.verifier().verify(local_issuer.token()).audience == ("https://api.example.com",)
            local_issuer.outage()

        def test_two(local_issuer):
            assert local_issuer is not seen[0]
            assert seen[0].verifier().verify(seen[0].token())
        """
    )
    pytester.runpytest_inprocess(plugin).assert_outcomes(passed=2)


def test_a_test_suite_names_its_own_audience(pytester: pytest.Pytester, plugin: str) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def local_issuer_audience():
            return "https://own.example"

        def test_it(local_issuer):
            assert local_issuer.audience == "https://own.example"
        """
    )
    pytester.runpytest_inprocess(plugin).assert_outcomes(passed=1)


def test_loading_the_plugin_loads_no_test_kit_and_no_framework(
    pytester: pytest.Pytester, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(bearer_guard.__file__).parents[1]))
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "bearer_guard.pytest_plugin" in sys.modules
            assert not {"bearer_guard.testing", "bearer_guard.issuer", "flask", "starlette"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess(plugin).assert_outcomes(passed=1)
