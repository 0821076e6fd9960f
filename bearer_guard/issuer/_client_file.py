"""Clients in a TOML file: an array of tables called `client`, which `bearer-guard issuer add-client` appends to.

A file holds hashes of secrets and no secret. It is read again when it has changed; one that is no longer right is
reported in the log, and the clients that were read last go on.
"""

from __future__ import annotations

import json
import logging
import os
import tomllib
from collections.abc import Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from .._errors import ConfigurationError
from ._brought_keys import private_octets
from ._client import Client, client_from, members_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_logger: Final = logging.getLogger("bearer_guard")


class ClientFile:
    """The clients in the file at `path`. Raises ConfigurationError where it is not right at the beginning."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path: Final = Path(path)
        self._mark = self._marked()
        self._clients: Mapping[str, Client] = clients_in(read(self.path))

    def clients(self) -> Mapping[str, Client]:
        """The clients by their identifiers."""
        mark = self._marked()
        if mark != self._mark:
            self._mark = mark
            try:
                self._clients = clients_in(read(self.path))
            except ConfigurationError as error:
                _logger.error("%s: the clients that were read last go on", error)
        return self._clients

    def _marked(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def read(path: Path) -> dict[str, Any]:
    """What the TOML file at `path` holds. Raises ConfigurationError, also where others may read it."""
    try:
        return tomllib.loads(private_octets(path).decode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{path} is not TOML in UTF-8: {error}") from None


def clients_in(settings: Mapping[str, Any]) -> dict[str, Client]:
    """The clients in what `read` returned. Raises ConfigurationError."""
    tables = settings.get("client", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError("client must be an array of tables: [[client]]")
    clients: dict[str, Client] = {}
    for number, table in enumerate(tables, 1):
        owner, members = f"client {number}", dict(table)
        client_id = members.pop("client_id", "")
        if client_id in clients:
            raise ConfigurationError(f"{owner}: client_id is there twice")
        if isinstance(members.get("jwks"), str):
            members["jwks"] = _json(owner, members["jwks"])
        clients[client_id] = client_from(owner, client_id, members)
    return clients


def append(path: Path, client: Client) -> None:
    """Add `client` to the file at `path`, which is made with mode 0600 if there is none; what it holds stays as it is.

    The file is replaced in one step, so that nobody reads a half-written one. Raises ConfigurationError, and OSError.
    """
    with _alone(path):
        text = private_octets(path).decode() if path.exists() else ""
        if client.client_id in clients_in(read(path) if text else {}):
            raise ConfigurationError(f"client {client.client_id!r} is in {path} already")
        _replace(path, text + ("\n" if text and not text.endswith("\n\n") else "") + table_of(client))


def table_of(client: Client) -> str:
    """`client` as TOML."""
    members = {"client_id": client.client_id, **members_of(client)}
    if client.jwks is not None:
        members["jwks"] = json.dumps(members["jwks"])
    # TOML spells texts, arrays of them and whole numbers as JSON does, DEL aside.
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in members.items()]
    return "[[client]]\n" + "".join(lines).replace("\x7f", "\\u007F")


def _json(owner: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ConfigurationError(f"{owner}: jwks is not JSON") from None


def _replace(path: Path, text: str) -> None:
    making = path.with_name(f"{path.name}.{token_hex(8)}.new")
    try:
        with os.fdopen(os.open(making, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    finally:
        making.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other command is at work on `path`; where the system has no such locks, do not."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        yield
        return
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
