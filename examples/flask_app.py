"""A Flask API guarded from inside, so that Flask's after-request hooks see refusals too, such as those for CORS."""

from __future__ import annotations

import socket

import waitress
from flask import Flask, Response
from flask.views import MethodView

from bearer_guard import Guard, JWTVerifier
from bearer_guard.flask import current_token, protect, requires
from bearer_guard.testing import LocalIssuer

API = "https://api.example.com"
PAGE = "https://app.example.com"


class Users(MethodView):
    @requires("read:users")
    def get(self) -> dict[str, list[str]]:
        return {"users": []}

    @requires("write:users")
    def post(self) -> tuple[dict[str, str], int]:
        return {"created_by": current_token().identity}, 201


def create_app(guard: Guard) -> Flask:
    app = Flask(__name__)
    protect(app, guard, public=["/health"])

    @app.post("/v1/user-status")
    @requires("read:users")
    def user_status() -> dict[str, str]:
        return {"status": "active", "asked_by": current_token().identity}

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "up"}

    @app.after_request
    def readable_by_the_page(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = PAGE
        response.headers["Access-Control-Expose-Headers"] = "WWW-Authenticate"
        return response

    app.add_url_rule("/v1/users", view_func=Users.as_view("users"))
    return app


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    # In production this is your identity provider: its URL is all that the verifier needs.
    with LocalIssuer(API).serve(scopes="read:users") as provider:
        guard = Guard(JWTVerifier(issuer=provider.url, audience=API), realm="users")
        print(f"curl -i -X POST {url}/v1/user-status")
        print(
            f"curl -u '{provider.client_id}:{provider.client_secret}' "
            f"-d grant_type=client_credentials {provider.token_endpoint}"
        )
        print(f'curl -i -X POST -H "Authorization: Bearer $TOKEN" {url}/v1/user-status', flush=True)
        waitress.serve(create_app(guard), sockets=[listener])


if __name__ == "__main__":
    main()
