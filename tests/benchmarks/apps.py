"""The applications of the request tables: one plain route, unprotected or guarded by one contender, built by name.

Peers are written the way that their documentation shows, with the fastest choice where it leaves one: PyJWT is given
its key beforehand unless a row says otherwise. Handlers answer a few bytes, so that the guard is what is measured.
"""

# No `from __future__ import annotations`: FastAPI looks the annotations of the functions below up by value.

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated, Any

from bearer_guard import Guard, JWTVerifier, RemoteJWKSet
from tests.benchmarks.material import AUDIENCE
from tests.benchmarks.provider import DOMAIN, ISSUER, Site

BODY = b'{"status": "up"}'
ASGI = ("asgi", "starlette", "fastapi")
BARE = {"asgi": "bare ASGI", "starlette": "Starlette", "fastapi": "FastAPI", "wsgi": "bare WSGI", "flask": "Flask"}


@dataclass(frozen=True)
class Contender:
    """A way to guard a route of one framework, and the distributions whose versions tell which one it was."""

    name: str
    framework: str
    build: Callable[[Site], Any]
    distributions: tuple[str, ...] = ("bearer-guard",)

    @property
    def key(self) -> str:
        return f"{self.framework}: {self.name}"

    @property
    def versions(self) -> str:
        return ", ".join(f"{name} {version(name)}" for name in self.distributions)


# --- unprotected ---------------------------------------------------------------------------------------------------


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def bare_wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]


def starlette_app(endpoint: Any = None, middleware: Any = ()) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    async def up(request: Any) -> Response:
        return Response(BODY, media_type="application/json")

    return Starlette(routes=[Route("/", endpoint(up) if endpoint else up)], middleware=list(middleware))


def fastapi_app(*dependencies: Any) -> Any:
    from fastapi import Depends, FastAPI, Response

    app = FastAPI(openapi_url=None)

    @app.get("/", dependencies=[Depends(dependency) for dependency in dependencies])
    async def up() -> Response:
        return Response(BODY, media_type="application/json")

    return app


def flask_app(decorate: Any = None) -> Any:
    from flask import Flask, Response

    app = Flask("benchmark")

    def up() -> Response:
        return Response(BODY, mimetype="application/json")

    app.add_url_rule("/", "up", decorate(up) if decorate else up)
    return app


UNPROTECTED: dict[str, Callable[[], Any]] = {
    "asgi": lambda: bare_asgi,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "wsgi": lambda: bare_wsgi,
    "flask": flask_app,
}


# --- ours ----------------------------------------------------------------------------------------------------------


def guard(site: Site, cache_size: int) -> Guard:
    keys = RemoteJWKSet(site.jwks_uri)
    verifier = JWTVerifier(
        issuer=ISSUER, audience=AUDIENCE, keys=keys, algorithms=["RS256"], cache_size=cache_size, leeway=30
    )
    ready = Guard(verifier)
    ready.warm()
    return ready


def ours(framework: str, cache_size: int = 0) -> Callable[[Site], Any]:
    def build(site: Site) -> Any:
        if framework == "asgi":
            from bearer_guard.asgi import BearerMiddleware as ForASGI

            return ForASGI(bare_asgi, guard(site, cache_size))
        if framework == "wsgi":
            from bearer_guard.wsgi import BearerMiddleware as ForWSGI

            return ForWSGI(bare_wsgi, guard(site, cache_size))
        if framework == "flask":
            from bearer_guard.flask import protect

            app = flask_app()
            protect(app, guard(site, cache_size))
            return app
        from bearer_guard.starlette import BearerMiddleware

        return BearerMiddleware(UNPROTECTED[framework](), guard(site, cache_size))

    return build


# --- PyJWT by hand -------------------------------------------------------------------------------------------------

PYJWT: dict[str, Any] = {"algorithms": ["RS256"], "audience": AUDIENCE, "issuer": ISSUER, "leeway": 30}
PYJWT["options"] = {"require": ["exp", "iss", "aud"]}


def starlette_pyjwt(site: Site) -> Any:
    import jwt
    from starlette.authentication import (
        AuthCredentials,
        AuthenticationBackend,
        AuthenticationError,
        SimpleUser,
        requires,
    )
    from starlette.middleware import Middleware
    from starlette.middleware.authentication import AuthenticationMiddleware

    key = jwt.PyJWK(site.jwk).key

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: Any) -> Any:
            scheme, _, token = conn.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer":
                return None
            try:
                claims = jwt.decode(token, key, **PYJWT)
            except jwt.InvalidTokenError as error:
                raise AuthenticationError("invalid token") from error
            scopes = claims.get("scope", "").split()
            return AuthCredentials(["authenticated", *scopes]), SimpleUser(claims["sub"])

    return starlette_app(requires("authenticated"), [Middleware(AuthenticationMiddleware, backend=Backend())])


def fastapi_pyjwt(*, client: bool) -> Callable[[Site], Any]:
    def build(site: Site) -> Any:
        import jwt
        from fastapi import Depends, HTTPException
        from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

        known = jwt.PyJWK(site.jwk).key
        keys = jwt.PyJWKClient(site.jwks_uri)

        async def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> dict[str, Any]:
            token = credentials.credentials
            try:
                key = keys.get_signing_key_from_jwt(token).key if client else known
                return jwt.decode(token, key, **PYJWT)
            except jwt.InvalidTokenError as error:
                raise HTTPException(401, "invalid token", {"WWW-Authenticate": "Bearer"}) from error

        return fastapi_app(caller)

    return build


# --- peers ---------------------------------------------------------------------------------------------------------


def fastapi_azure_auth(site: Site) -> Any:
    from fastapi_azure_auth.auth import AzureAuthorizationCodeBearerBase

    scheme = AzureAuthorizationCodeBearerBase(
        app_client_id=AUDIENCE, tenant_id="common", openid_config_url=site.metadata_url, leeway=30
    )
    return fastapi_app(scheme)


def auth0_fastapi_api(site: Site) -> Any:
    from fastapi_plugin.fast_api_client import Auth0FastAPI

    async def fetch(url: str) -> Any:
        import httpx2

        page = site.jwks_uri if url.endswith("/jwks") else site.metadata_url
        async with httpx2.AsyncClient() as client:
            return (await client.get(page)).json()

    auth0 = Auth0FastAPI(domain=DOMAIN, audience=AUDIENCE, custom_fetch=fetch)
    return fastapi_app(auth0.require_auth())


def axioms_fastapi(site: Site) -> Any:
    from axioms_fastapi import init_axioms, require_auth
    from fastapi import FastAPI

    app: FastAPI = fastapi_app(require_auth)
    init_axioms(app, AXIOMS_AUDIENCE=AUDIENCE, AXIOMS_ISS_URL=ISSUER, AXIOMS_JWKS_URL=site.jwks_uri)
    return app


def fastmcp(site: Site) -> Any:
    from fastmcp.server.auth.providers.jwt import JWTVerifier as TokenVerifier
    from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
    from starlette.middleware.authentication import AuthenticationMiddleware

    verifier: Any = TokenVerifier(jwks_uri=site.jwks_uri, issuer=ISSUER, audience=AUDIENCE, algorithm="RS256")
    return AuthenticationMiddleware(RequireAuthMiddleware(starlette_app(), []), backend=BearerAuthBackend(verifier))


def flask_jwt_extended(site: Site) -> Any:
    import jwt
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from flask_jwt_extended import JWTManager, jwt_required

    key: Any = jwt.PyJWK(site.jwk).key
    app = flask_app(jwt_required())
    app.config |= {
        "JWT_ALGORITHM": "RS256",
        "JWT_DECODE_ALGORITHMS": ["RS256"],
        "JWT_PUBLIC_KEY": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "JWT_DECODE_AUDIENCE": AUDIENCE,
        "JWT_DECODE_ISSUER": ISSUER,
        "JWT_DECODE_LEEWAY": 30,
    }
    JWTManager(app)
    return app


def authlib_flask(site: Site) -> Any:
    from authlib.integrations.flask_oauth2 import ResourceProtector
    from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set({"keys": [site.jwk]})

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self) -> Any:
            return keys

    protector = ResourceProtector()
    protector.register_token_validator(Validator(issuer=ISSUER, resource_server=AUDIENCE))
    return flask_app(protector())


CACHED = 10_000
CONTENDERS = [
    Contender(name, framework, ours(framework, cache_size))
    for framework in BARE
    for name, cache_size in (("bearer_guard", 0), ("bearer_guard, cached", CACHED))
]
CONTENDERS += [
    Contender("AuthenticationMiddleware + PyJWT", "starlette", starlette_pyjwt, ("starlette", "PyJWT")),
    Contender("FastMCP's JWTVerifier + mcp's middleware", "starlette", fastmcp, ("fastmcp", "mcp")),
    Contender("dependency + PyJWT", "fastapi", fastapi_pyjwt(client=False), ("fastapi", "PyJWT")),
    Contender("dependency + PyJWT's PyJWKClient", "fastapi", fastapi_pyjwt(client=True), ("fastapi", "PyJWT")),
    Contender("fastapi-azure-auth", "fastapi", fastapi_azure_auth, ("fastapi-azure-auth",)),
    Contender("auth0-fastapi-api", "fastapi", auth0_fastapi_api, ("auth0-fastapi-api",)),
    Contender("axioms-fastapi", "fastapi", axioms_fastapi, ("axioms-fastapi",)),
    Contender("flask-jwt-extended", "flask", flask_jwt_extended, ("Flask-JWT-Extended",)),
    Contender("Authlib's ResourceProtector", "flask", authlib_flask, ("Authlib",)),
]


def application(key: str, site: Site) -> Any:
    """The application of a contender, or the unprotected one of a framework, by its key."""
    if key in UNPROTECTED:
        return UNPROTECTED[key]()
    return next(contender for contender in CONTENDERS if contender.key == key).build(site)


# --- one exchange, in process --------------------------------------------------------------------------------------


def scope_of(token: str) -> dict[str, Any]:
    """What uvicorn hands over for a small GET request."""
    headers = [(b"host", b"127.0.0.1:8000"), (b"user-agent", b"benchmark"), (b"accept", b"*/*")]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [*headers, (b"authorization", b"Bearer " + token.encode())],
        "state": {},
    }


def environ_of(token: str) -> dict[str, Any]:
    """What a WSGI server hands over for a small GET request."""
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "HTTP_AUTHORIZATION": f"Bearer {token}", "PATH_INFO": "/"}
    setup_testing_defaults(environ)
    return environ


Exchange = Callable[[Any], int]


def exchanges(framework: str, app: Any, loop: asyncio.AbstractEventLoop, tokens: list[str]) -> Callable[[], list[int]]:
    """A batch of one request for each token; it returns the statuses."""
    if framework in ASGI:
        scopes = [scope_of(token) for token in tokens]
        return lambda: loop.run_until_complete(_asgi(app, scopes))
    environs = [environ_of(token) for token in tokens]
    return lambda: _wsgi(app, environs)


async def _asgi(app: Any, scopes: list[dict[str, Any]]) -> list[int]:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    for scope in scopes:
        await app(dict(scope), receive, send)
    return statuses


def _wsgi(app: Any, environs: list[dict[str, Any]]) -> list[int]:
    statuses: list[int] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        statuses.append(int(status[:3]))

    for environ in environs:
        body = app(dict(environ), start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()
    return statuses
