"""The five systems as their documents describe them, and how a client asks each: what the tests are parametrised with."""

from __future__ import annotations

import base64
import http.client
import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class System:
    name: str
    token_path: str
    method: str
    path: str
    json_body: bool
    members: frozenset[str]
    """What a successful answer holds, exactly."""
    token_type: str = "Bearer"
    lifetime: int = 3600
    scope: str = ""
    """What a request must ask for."""
    bad_credentials: int = 401
    client_words: frozenset[str] = frozenset({"error", "error_description"})
    server_words: frozenset[str] = frozenset({"error", "error_description"})
    needs: str = ""
    """The scope of the protected endpoint."""

    def request(self, client_id: str, secret: str, **changes: str | None) -> tuple[bytes, dict[str, str]]:
        """The body and the header fields of a token request in the document's way; None leaves a parameter out."""
        parameters: dict[str, str | None] = {"grant_type": "client_credentials"}
        if self.scope:
            parameters["scope"] = self.scope
        if self.json_body:
            parameters |= {"client_id": client_id, "client_secret": secret}
        kept = {name: value for name, value in {**parameters, **changes}.items() if value is not None}
        if self.json_body:
            return json.dumps(kept).encode(), {"Content-Type": "application/json"}
        credentials = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        fields = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {credentials}"}
        return urlencode(kept).encode(), fields


_INCIDENT = frozenset({"code", "timestamp", "path", "method", "error", "message"})
_CAMEL = frozenset({"error", "errorDescription"})

SYSTEMS = [
    System(
        name="sqr_b2b",
        token_path="/v1/oauth/token",
        method="POST",
        path="/v1/user-status",
        json_body=True,
        members=frozenset({"access_token", "token_type", "expires_in", "scope"}),
        server_words=_INCIDENT,
        needs="read:users",
    ),
    System(
        name="alternative_payments",
        token_path="/oauth/token",
        method="GET",
        path="/customers",
        json_body=False,
        members=frozenset({"access_token", "token_type", "expires_in"}),
        token_type="bearer",
        bad_credentials=403,
    ),
    System(
        name="screening_eagle",
        token_path="/api/id/v1/auth/token",
        method="GET",
        path="/api/id/v1/user",
        json_body=False,
        members=frozenset({"access_token", "token_type", "expires_in", "scope", "id_token", "refresh_token"}),
        lifetime=604_800,
        scope="openid email profile inspect",
        client_words=_CAMEL,
        server_words=_CAMEL,
        needs="inspect",
    ),
    System(
        name="orocommerce",
        token_path="/oauth2-token",
        method="GET",
        path="/admin/api/users",
        json_body=True,
        members=frozenset({"access_token", "token_type", "expires_in"}),
        needs="all",
    ),
    System(
        name="sqr_oauth_token",
        token_path="/oauth2/token",
        method="POST",
        path="/v1/user-status",
        json_body=True,
        members=frozenset({"access_token", "token_type", "expires_in", "scope"}),
        server_words=_INCIDENT,
        needs="read:users",
    ),
]


def load(name: str) -> ModuleType:
    """The example as a program elsewhere would import it."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Running:
    """A system under a real server, asked over real sockets."""

    def __init__(self, system: System, module: ModuleType, url: str) -> None:
        self.system = system
        self.module = module
        self.url = url
        self.client: tuple[str, str] = (module.CLIENT_ID, module.CLIENT_SECRET)

    @property
    def guard(self) -> Any:
        return getattr(self.module, "guard", None) or self.module.back_office

    @property
    def dialect(self) -> Any:
        return self.module.DIALECT

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=20)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            connection.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Something at the token endpoint."""
        return self.send("POST", self.system.token_path, body, headers)

    def asked(self, client: tuple[str, str] | None = None, **changes: str | None) -> Answer:
        """The document's token request, with these changes."""
        return self.post(*self.system.request(*(client or self.client), **changes))

    def token(self, client: tuple[str, str] | None = None, **changes: str | None) -> str:
        answer = self.asked(client, **changes)
        assert answer.status == 200, answer
        token: str = answer.json()["access_token"]
        return token

    def call(self, token: str | None, path: str | None = None) -> Answer:
        """The protected endpoint, with this token."""
        fields = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.send(self.system.method, path or self.system.path, None, fields)

    def made(self, *, ago: float = 0.0, client_id: str | None = None, audience: str | None = None) -> str:
        """A token of the issuer's own making, some seconds ago or for another audience."""
        issuer = self.module.issuer
        client = issuer.clients.get(client_id or self.client[0])
        scope = " ".join(client.scopes)
        grant = issuer._grant(self.dialect, issuer._clock() - ago, client, [audience or client.audience[0]], scope)
        token: str = issuer._token(grant, self.dialect)
        return token
