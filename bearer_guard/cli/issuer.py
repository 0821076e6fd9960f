"""`bearer-guard issuer serve` and `add-client`: an issuer from a TOML file, and the clients in it.

Refused: an address beyond loopback unless told so, files with keys or hashes that others may read, published and weak
keys, secrets that are short or made by a person, a setting that is not known.
"""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

from .._errors import ConfigurationError, raise_problems
from .._jose import ALGORITHMS
from .._urls import is_loopback
from ..issuer import Clients, Issuer, JWTFormat, KeyRing, MemoryStore, OpaqueFormat, SQLiteStore, Store, key_from_file
from ..issuer._client import new_client
from ..issuer._client_file import append, read
from ..issuer._dialects import Dialect
from ..issuer._secrets import brought, made, secret_problem
from ._serving import server

DEMO_AUDIENCE: Final = "https://api.example.com"
_SETTINGS: Final[Mapping[str, type]] = {
    "issuer": str,
    "store": str,
    "algorithm": str,
    "signing_key": str,
    "rotate_every": int,
    "token": str,
    "client": list,
}


def add_parsers(commands: Any) -> None:
    """Describe the command line below `bearer-guard issuer`."""
    issuer = commands.add_parser("issuer", help="a small authorization server for client credentials")
    tasks = issuer.add_subparsers(title="tasks", dest="task", required=True)
    serving = tasks.add_parser(
        "serve",
        help="answer token requests over HTTP",
        description="Serves an issuer on loopback until Ctrl-C. Without --config it has one client, made for this run.",
    )
    serving.add_argument("--config", type=Path, metavar="TOML", help="settings and clients, as add-client writes them")
    serving.add_argument("--store", type=Path, metavar="FILE", help="keep tokens and keys in this SQLite file")
    serving.add_argument("--host", default="127.0.0.1", help="the address to listen on; loopback unless told otherwise")
    serving.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    serving.add_argument(
        "--unsafe-non-loopback",
        action="store_true",
        help="listen where others can reach it: only behind a proxy that speaks TLS",
    )
    adding = tasks.add_parser(
        "add-client",
        help="add a client to a TOML file",
        description="Makes a client and a secret, prints the secret this once, and keeps a hash of it in the file.",
    )
    adding.add_argument("--config", type=Path, metavar="TOML", required=True, help="made, with mode 0600, if not there")
    adding.add_argument("--audience", action="append", required=True, help="an API that it may call; may be repeated")
    adding.add_argument("--scope", default="", help="the scopes that it may have, separated by spaces")
    adding.add_argument("--token-lifetime", type=int, default=3600, metavar="SECONDS")
    adding.add_argument("--introspects", action="append", default=[], help="an API whose tokens it may introspect")
    adding.add_argument("--client-id", help="made up if not given")
    adding.add_argument("--secret-from-stdin", action="store_true", help="bring a secret instead of having one made")


def run_issuer(options: argparse.Namespace, out: TextIO | None = None) -> int:
    """Do what the command line says and return the exit status: 2 for a mistake in it or in a file."""
    task = _serve if options.task == "serve" else _add_client
    try:
        return task(options, sys.stdout if out is None else out)
    except ConfigurationError as error:
        print(f"bearer-guard issuer {options.task}: {error}", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"bearer-guard issuer {options.task}: {where}{error.strerror or error}", file=sys.stderr)
    return 2


def _add_client(options: argparse.Namespace, out: TextIO) -> int:
    if options.secret_from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
        raise_problems("client", [problem] if (problem := secret_problem(secret)) else [])
        kept = brought(secret)
    else:
        secret, kept = made()
    client = new_client(
        "client",
        client_id=options.client_id,
        audience=options.audience,
        scopes=options.scope,
        token_lifetime=options.token_lifetime,
        introspects=options.introspects,
        secret=kept,
    )
    append(options.config, client)
    print(f"client_id: {client.client_id}", file=out)
    if not options.secret_from_stdin:
        print(f"client_secret: {secret}\nThe secret is shown this once: {options.config} holds a hash.", file=out)
    return 0


def _serve(options: argparse.Namespace, out: TextIO) -> int:
    serve = server()
    if not is_loopback(options.host) and not options.unsafe_non_loopback:
        raise ConfigurationError(f"{options.host} is not loopback: give --unsafe-non-loopback if others may reach it")
    settings = {} if options.config is None else read(options.config)
    raise_problems(str(options.config), _problems(settings))
    if not is_loopback(options.host) and "issuer" not in settings:
        raise ConfigurationError("beyond loopback, the file given as --config must name the issuer, an https URL")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.create_server((options.host, options.port), family=family) as listening:
        host = f"[{options.host}]" if family == socket.AF_INET6 else options.host
        here = f"http://{host}:{listening.getsockname()[1]}"
        issuer = _issuer(settings, options, here)
        print("\n".join(_introduction(issuer, settings, options)), file=out, flush=True)
        serve(issuer, listening)
    return 0


def _issuer(settings: Mapping[str, Any], options: argparse.Namespace, here: str) -> Issuer:
    folder = Path() if options.config is None else options.config.parent
    path = options.store or (folder / settings["store"] if "store" in settings else None)
    store: Store = MemoryStore() if path is None else SQLiteStore(path)
    algorithm = settings.get("algorithm")
    brought_key = settings.get("signing_key")
    key = None if brought_key is None else key_from_file(folder / brought_key, algorithm)
    keys = KeyRing(algorithm or "ES256", key=key, store=store, rotate_every=settings.get("rotate_every"))
    token = OpaqueFormat() if settings.get("token") == "opaque" else JWTFormat()
    clients = Clients(store, file=options.config)
    return Issuer(settings.get("issuer", here), keys=keys, clients=clients, dialects=[Dialect(token=token)])


def _introduction(issuer: Issuer, settings: Mapping[str, Any], options: argparse.Namespace) -> Iterable[str]:
    listed = [str(table["client_id"]) for table in settings.get("client", ())]
    client_id, secret = listed[0] if listed else "CLIENT_ID", "$CLIENT_SECRET"
    if options.config is None and options.store is None:
        client, secret = issuer.clients.add(audience=DEMO_AUDIENCE, client_id="demo")
        client_id = client.client_id
    yield f"issuer: {issuer.identifier}"
    yield f"keys: {issuer.jwks_uri}"
    yield f"tokens: {issuer.token_endpoints[0]}"
    yield f'curl -s -u "{client_id}:{secret}" -d grant_type=client_credentials {issuer.token_endpoints[0]}'


def _problems(settings: Mapping[str, Any]) -> Iterable[str]:
    for name, value in settings.items():
        if name not in _SETTINGS:
            yield f"{name} is not a setting: use {', '.join(_SETTINGS)}"
        elif type(value) is not _SETTINGS[name]:
            yield f"{name} must be of type {_SETTINGS[name].__name__}"
    if settings.get("token", "jwt") not in ("jwt", "opaque"):
        yield 'token must be "jwt" or "opaque"'
    if settings.get("algorithm", "ES256") not in ALGORITHMS:
        yield f"algorithm must be one of {', '.join(ALGORITHMS)}"
