"""gunicorn: its gevent worker, which makes greenlets of threads, and applications that are loaded before the fork."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.authority import Authority
from tests.faults.provider import PATIENCE, Provider, document
from tests.faults.scene import JWKS, keys, token

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2


@contextmanager
def gunicorn(provider: Provider, ca: Path, *options: str, **environment: str) -> Iterator[int]:
    """The port of a gunicorn of two workers, whose keys are at `provider`; it is told to end, and must end well."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "tests.faults.gunicorn_app:app",
            "--bind",
            f"fd://{listener.fileno()}",
        ]
        command += ["--workers", str(WORKERS), "--no-control-socket", "--graceful-timeout", "5", *options]
        variables = {"PYTHONPATH": str(ROOT), "JWKS_URL": provider.url + JWKS, "JWKS_CA": str(ca), **environment}
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=variables,
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield int(listener.getsockname()[1])
            finally:
                process.terminate()
                _, log = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, log


def ask(port: int, presented: str) -> tuple[int, str]:
    """The status, and the process that answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/", headers={"Authorization": f"Bearer {presented}", "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read().decode() if response.status == 200 else ""
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--worker-class", "gevent"], {}),
        (["--worker-class", "gevent", "--preload"], {}),
        (["--worker-class", "gthread", "--threads", "16", "--preload"], {"BEGIN_BEFORE_THE_FORK": "1"}),
    ],
    ids=["gevent", "gevent, preload", "threads, preload, forked in mid-fetch"],
)
def test_two_hundred_cold_requests_make_one_fetch_in_each_worker(
    options: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    begun_before = len(environment)
    with Provider(authority.server()) as provider:
        provider.serve(JWKS, document(keys(1)))
        with provider.held(), gunicorn(provider, authority.file(), *options, **environment) as port:
            with ThreadPoolExecutor(200) as pool:
                asking = [pool.submit(ask, port, token()) for _ in range(200)]
                provider.wait_for(begun_before + 1, JWKS)  # the first of the workers, too
                provider.gate.set()
                answers = [one.result(PATIENCE) for one in asking]
            assert {status for status, _ in answers} == {200}
            workers = Counter(process for _, process in answers)
            assert len(workers) <= WORKERS
            # A worker that was forked after the fetch of the process before it had ended has its keys from there.
            assert begun_before + 1 <= provider.count(JWKS) <= begun_before + len(workers)
            assert begun_before or provider.count(JWKS) == len(workers)

            with ThreadPoolExecutor(40) as pool:  # a rotation, and strangers beside it
                provider.serve(JWKS, document(keys(1, 2)))
                good = [pool.submit(ask, port, token(2)) for _ in range(40)]
                bad = [pool.submit(ask, port, token(kid="strange")) for _ in range(20)]
                assert {one.result(PATIENCE)[0] for one in good} == {200}
                assert {one.result(PATIENCE)[0] for one in bad} == {401}
