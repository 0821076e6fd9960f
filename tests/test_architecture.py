"""The house: which module stands on which floor, imports that point down, pure floors that stay pure, an import that does
nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "bearer_guard"

# DESIGN, "the house". A file that is on no floor fails the first test.
FLOORS: dict[int, tuple[str, ...]] = {
    0: ("_errors", "_token", "_version"),
    1: (
        "_challenge",
        "_checks",
        "_claims",
        "_credentials",
        "_flow",
        "_freshness",
        "_guessable",
        "_habits",
        "_http",
        "_jose",
        "_jwks",
        "_jws",
        "_keyforms",
        "_mldsa",
        "_paths",
        "_refused_grant",
        "_rsa",
        "_scopes",
        "_secrets",
        "_strict",
        "_urls",
    ),
    2: (
        "_answers",
        "_attempts",
        "_backoff",
        "_cache",
        "_client_auth",
        "_discovery",
        "_grant",
        "_held",
        "_introspection",
        "_introspector",
        "_io",
        "_keys",
        "_policy",
        "_process",
        "_questions",
        "_refresh",
        "_remote",
        "_renewal",
        "_shared_secret",
        "_signature",
        "_signed_answer",
        "_tls",
        "_transport",
        "_trouble",
        "_verifier",
        "_verifiers",
        "_wire",
        "_workers",
    ),
    3: ("_gate", "_guard", "_handlers", "_route"),
    4: (
        "__init__",
        "__main__",
        "_httpx_transport",
        "_readiness",
        "_testkit",
        "asgi",
        "cli",
        "client",
        "dialects",
        "flask",
        "httpx",
        "issuer",
        "pytest_plugin",
        "starlette",
        "testing",
        "transport",
        "werkzeug",
        "wsgi",
    ),
}
FLOOR_OF = {room: floor for floor, rooms in FLOORS.items() for room in rooms}

FRAMEWORKS = {"starlette", "fastapi", "werkzeug", "flask", "httpx2", "uvicorn", "waitress", "anyio", "trio", "asyncio"}
IMPURE = {"socket", "ssl", "time", "threading", "_thread", "asyncio", "trio", "logging", "os", "random", "subprocess"}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def room(module: str) -> str:
    return module.partition(".")[0]


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Dotted names that a module imports at run time, relative ones made absolute, and whether it does so at its top."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    within = ("bearer_guard", *path.relative_to(PACKAGE).with_suffix("").parts)
    top = set(ast.walk(ast.Module([node for node in tree.body if not _for_types(node)], [])))
    skipped = {inner for node in ast.walk(tree) if _for_types(node) for inner in ast.walk(node)}
    inside = {inner for node in ast.walk(tree) if _is_function(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(within[: -node.level]) if node.level else ""
            source = ".".join(filter(None, (base, node.module)))
            names = [f"{source}.{alias.name}" for alias in node.names]
        for name in names:
            yield name, node in top and node not in inside


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def rooms_imported(path: Path) -> set[str]:
    """The rooms of this package that a module imports, whenever it does."""
    found = set()
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] == "bearer_guard":
            found.add(parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else "__init__")
    return found


ALL = list(modules())
each_module = pytest.mark.parametrize(("module", "path"), ALL, ids=[module for module, _ in ALL])


@each_module
def test_every_module_stands_on_a_floor(module: str, path: Path) -> None:
    assert room(module) in FLOOR_OF, f"{module} is on no floor of the house: place it in this test, and in CONTRIBUTING"


def test_no_floor_has_a_room_that_is_gone() -> None:
    assert not set(FLOOR_OF) - {room(module) for module, _ in ALL}


@each_module
def test_imports_point_down_or_sideways(module: str, path: Path) -> None:
    own = FLOOR_OF[room(module)]
    above = {other for other in rooms_imported(path) if FLOOR_OF[other] > own}
    assert not above, f"{module} (floor {own}) imports {above} from above"


def test_no_two_rooms_import_each_other_round_a_circle() -> None:
    below: dict[str, set[str]] = {}
    for module, path in ALL:
        below.setdefault(room(module), set()).update(rooms_imported(path) - {room(module)})
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(below.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(below):
        visit(name, ())


@each_module
def test_the_lower_floors_are_pure(module: str, path: Path) -> None:
    if FLOOR_OF[room(module)] > 1:
        return
    impure = {name.partition(".")[0] for name, _ in imports(path)} & IMPURE
    assert not impure, f"{module} is on a pure floor and imports {impure}"


@each_module
def test_only_one_module_imports_the_library_below(module: str, path: Path) -> None:
    if module != "_jose":
        assert "jwt" not in {name.partition(".")[0] for name, _ in imports(path)}


@each_module
def test_below_the_adapters_one_module_alone_opens_sockets(module: str, path: Path) -> None:
    if FLOOR_OF[room(module)] < 4 and module != "_transport":
        assert not {name.partition(".")[0] for name, _ in imports(path)} & {"socket", "http.client", "urllib.request"}


@each_module
def test_no_module_below_the_adapters_imports_a_framework_at_its_top(module: str, path: Path) -> None:
    if FLOOR_OF[room(module)] < 4 or room(module) in ("asgi", "wsgi", "issuer", "testing", "client", "dialects"):
        assert not {name.partition(".")[0] for name, top in imports(path) if top} & FRAMEWORKS


@each_module
def test_no_module_has_grown_two_ideas(module: str, path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 250


@each_module
def test_every_module_says_what_it_decides(module: str, path: Path) -> None:
    if path.stat().st_size:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_importing_the_package_loads_no_framework_and_no_event_loop() -> None:
    found = _python("import bearer_guard, sys; print(*sorted(sys.modules))").split()
    assert "bearer_guard" in found
    assert not FRAMEWORKS & set(found)
    assert not {name for name in found if name.startswith("bearer_guard.") and FLOOR_OF[name.split(".")[1]] > 3}


def test_importing_the_package_reads_no_environment_variable_and_opens_nothing() -> None:
    # Audit events tell of files, sockets and processes; the environment is replaced by one that tells of reads.
    seen = _python(
        """
import sys, os, json, logging, hashlib, ssl, concurrent.futures, email.utils, http.client, random, threading
import jwt, cryptography.x509, cachetools
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa, utils
from cryptography.hazmat.primitives import hashes, serialization
events = []
class Telling(dict):
    def __getitem__(self, name): events.append(name); return super().__getitem__(name)
    def get(self, name, default=None): events.append(name); return super().get(name, default)
os.environ = Telling(os.environ)
def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system")): events.append(event)
    if event == "open" and isinstance(args[1], str) and any(flag in args[1] for flag in "wax+"): events.append(args[0])
sys.addaudithook(hook)
sys.dont_write_bytecode = True
import bearer_guard
print(events)
"""
    )
    assert seen.strip() == "[]"


def _python(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=PACKAGE.parent
    ).stdout
