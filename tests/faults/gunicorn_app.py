"""What gunicorn serves in `test_gunicorn`: a guarded application that says which process answered."""

from __future__ import annotations

import os
import ssl

from bearer_guard import Guard, JWTVerifier, RemoteJWKSet
from bearer_guard.wsgi import BearerMiddleware
from tests.tokens import ISSUER, NOW, RESOURCE

source = RemoteJWKSet(
    os.environ["JWKS_URL"], ssl_context=ssl.create_default_context(cafile=os.environ["JWKS_CA"]), timeout=15.0
)
guard = Guard(JWTVerifier(issuer=ISSUER, audience=RESOURCE, keys=source, clock=lambda: NOW))
if os.environ.get("BEGIN_BEFORE_THE_FORK"):
    guard.warm(wait=False)


def who(environ, start_response):  # type: ignore[no-untyped-def]
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = BearerMiddleware(who, guard)
