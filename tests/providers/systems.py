"""The systems as their documents describe them, how a client asks each, and what each is like while it runs."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlencode

import pytest

from bearer_guard import Guard
from bearer_guard.issuer import Issuer

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Credentials = tuple[str, str]
"""A client's identifier and secret."""


@dataclass(frozen=True)
class Question:
    """A request, before it is sent."""

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A response, its field names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class System:
    """One row of the table: what its document says, and which example serves it.

    `members` are those of a successful answer, all of them; `scope` what a request must ask for; `needs` the scope of
    the protected endpoint; `words` and `server_words` the members of a refusal that is the client's or the server's.
    """

    name: str
    example: str
    token_path: str
    method: str
    path: str
    json_body: bool
    members: frozenset[str]
    algorithm: str | None
    needs: str
    realm: str
    token_type: str = "Bearer"
    lifetime: int = 3600
    scope: str = ""
    bad_credentials: int = 401
    words: frozenset[str] = frozenset({"error", "error_description"})
    server_words: frozenset[str] = frozenset({"error", "error_description"})
    accept: str = "application/json"

    @property
    def fields(self) -> tuple[str, ...]:
        """The parameters that the document's request has in its body, each of them required."""
        if self.json_body:
            return ("client_id", "client_secret", "grant_type")
        return ("grant_type", "scope") if self.scope else ("grant_type",)

    def asking(self, credentials: Credentials, /, headers: Mapping[str, str] | None = None, **changes: Any) -> Question:
        """The document's token request with these changes: of parameters, of which None leaves one out, or fields."""
        client_id, secret = credentials
        parameters: dict[str, Any] = {"grant_type": "client_credentials"}
        if self.scope:
            parameters["scope"] = self.scope
        if self.json_body:
            parameters |= {"client_id": client_id, "client_secret": secret}
        parameters = {name: value for name, value in {**parameters, **changes}.items() if value is not None}
        if self.json_body:
            usual = {"Content-Type": "application/json"}
            body = json.dumps(parameters).encode()
        else:
            proof = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
            usual = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {proof}"}
            body = urlencode(parameters).encode()
        kept = {name: value for name, value in {**usual, **(headers or {})}.items() if value}
        return Question("POST", self.token_path, body, kept)


_INCIDENT = frozenset({"code", "timestamp", "path", "method", "error", "message"})
_CAMEL = frozenset({"error", "errorDescription"})
_LIFETIME_ALONE = frozenset({"access_token", "token_type", "expires_in"})


def _sqr(name: str, example: str, token_path: str, algorithm: str) -> System:
    return System(
        name=name,
        example=example,
        token_path=token_path,
        method="POST",
        path="/v1/user-status",
        json_body=True,
        members=_LIFETIME_ALONE | {"scope"},
        algorithm=algorithm,
        needs="read:users",
        realm="sqr",
        server_words=_INCIDENT,
    )


def _orocommerce(name: str, path: str, realm: str) -> System:
    return System(
        name=name,
        example="orocommerce",
        token_path="/oauth2-token",
        method="GET",
        path=path,
        json_body=True,
        members=_LIFETIME_ALONE,
        algorithm="RS256",
        needs="all",
        realm=realm,
        accept="application/vnd.api+json",
    )


SYSTEMS = [
    _sqr("sqr_b2b", "sqr_b2b", "/v1/oauth/token", "RS256"),
    _sqr("sqr_b2b_hs256", "sqr_b2b", "/v1/oauth/token", "HS256"),
    System(
        name="alternative_payments",
        example="alternative_payments",
        token_path="/oauth/token",
        method="GET",
        path="/customers",
        json_body=False,
        members=_LIFETIME_ALONE,
        algorithm=None,
        needs="read:customers",
        realm="payments",
        token_type="bearer",
        bad_credentials=403,
    ),
    System(
        name="screening_eagle",
        example="screening_eagle",
        token_path="/api/id/v1/auth/token",
        method="GET",
        path="/api/id/v1/user",
        json_body=False,
        members=_LIFETIME_ALONE | {"scope", "id_token", "refresh_token"},
        algorithm="HS256",
        needs="inspect",
        realm="Screening Eagle",
        lifetime=604_800,
        scope="openid email profile inspect",
        words=_CAMEL,
        server_words=_CAMEL,
    ),
    _orocommerce("orocommerce", "/admin/api/users", "back office"),
    _orocommerce("orocommerce_storefront", "/api/users", "storefront"),
    _sqr("sqr_oauth_token", "sqr_oauth_token", "/oauth2/token", "RS256"),
]
BY_NAME = {system.name: system for system in SYSTEMS}
ENDPOINTS = [system.example for system in SYSTEMS if system.name == system.example]
"""One system for each token endpoint: the others are asked in the same words, at the same place or one like it."""
COLOURS = ("asgi", "wsgi")


@cache
def load(example: str) -> ModuleType:
    """The example as a program elsewhere would import it."""
    spec = importlib.util.spec_from_file_location(example, EXAMPLES / f"{example}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Parts:
    """What a system is made of, whatever its example calls it."""

    issuer: Issuer
    guard: Guard
    client: Credentials
    asgi_app: Any
    wsgi_app: Any


@cache
def parts_of(name: str) -> Parts:
    """The parts of a system, made once."""
    module = load(BY_NAME[name].example)
    if name == "sqr_b2b_hs256":
        made = module.create("HS256")
        client, secret = made.issuer.clients.add(audience=module.API, scopes="read:users write:logs")
        return Parts(made.issuer, made.guard, (client.client_id, secret), made.asgi_app, made.wsgi_app)
    if name == "orocommerce_storefront":
        client = module.STOREFRONT_CLIENT_ID, module.STOREFRONT_CLIENT_SECRET
        return Parts(module.issuer, module.storefront, client, module.asgi_app, module.wsgi_app)
    guard = module.back_office if name == "orocommerce" else module.guard
    return Parts(module.issuer, guard, (module.CLIENT_ID, module.CLIENT_SECRET), module.asgi_app, module.wsgi_app)


class Running:
    """A system under a real server, asked over real sockets by the standard library's HTTP client."""

    def __init__(self, system: System, url: str) -> None:
        self.system = system
        self.url = url
        self.module = load(system.example)
        parts = parts_of(system.name)
        self.issuer, self.guard, self.client = parts.issuer, parts.guard, parts.client

    def send(self, question: Question) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=20)
        try:
            connection.request(question.method, question.path, question.body, dict(question.headers))
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            connection.close()

    def asked(self, client: Credentials | None = None, **changes: Any) -> Answer:
        """What the document's token request gets, with these changes."""
        return self.send(self.system.asking(client or self.client, **changes))

    def token(self, client: Credentials | None = None, **changes: Any) -> str:
        """A token that is granted to this request."""
        answer = self.asked(client, **changes)
        assert answer.status == 200, answer
        token: str = answer.json()["access_token"]
        return token

    def call(self, token: str | None, path: str | None = None, **headers: str) -> Answer:
        """What the protected endpoint, or another, answers to this token."""
        fields = {"Accept": self.system.accept, **headers}
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        return self.send(Question(self.system.method, path or self.system.path, None, fields))

    def new_client(
        self, audience: Iterable[str] | None = None, scopes: str | None = None, **options: Any
    ) -> Credentials:
        """A client that is registered now; for this API and with the scope that it needs, unless told otherwise."""
        known = self.issuer.clients.get(self.client[0])
        assert known is not None
        client, secret = self.issuer.clients.add(
            audience=known.audience if audience is None else audience,
            scopes=known.scopes if scopes is None else scopes,
            token_lifetime=self.system.lifetime,
            **options,
        )
        return client.client_id, secret


class Case(Protocol):
    """A line of a table: its name, and whether it says anything about a system."""

    @property
    def name(self) -> str: ...

    def concerns(self, system: System) -> bool: ...


def each(cases: Iterable[Case] = (), systems: Iterable[str] = BY_NAME) -> Callable[[Any], Any]:
    """Parametrise a test with `running`, in both colours, and with `case`: each system and all that concerns it.

    A system that is not `running` yet is started under its server, and serves until the session ends.
    """
    chosen = [BY_NAME[name] for name in systems]
    cases = list(cases)
    if not cases:
        rows = [((system.name, colour), f"{system.name}-{colour}") for system in chosen for colour in COLOURS]
        return pytest.mark.parametrize(
            "running", [row for row, _ in rows], ids=[name for _, name in rows], indirect=True
        )
    lines = [
        pytest.param((system.name, colour), case, id=f"{system.name}-{colour}-{case.name}")
        for case in cases
        for system in chosen
        if case.concerns(system)
        for colour in COLOURS
    ]
    return pytest.mark.parametrize(("running", "case"), lines, indirect=["running"])
