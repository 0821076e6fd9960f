"""The application that a server of section `servers` loads, by name: `tests.benchmarks.served:create` is its factory."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any


def create() -> Any:
    """The application that BENCHMARK_APPLICATION names, told where the provider is by BENCHMARK_PROVIDER."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    from tests.benchmarks.apps import application
    from tests.benchmarks.provider import Site

    return application(os.environ["BENCHMARK_APPLICATION"], Site(os.environ["BENCHMARK_PROVIDER"]))
