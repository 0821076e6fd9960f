"""What the published API documents promise, as data: their schemas and their sample tokens, with reserved names."""

from __future__ import annotations

from typing import Any

_STRINGS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}

ALTERNATIVE_PAYMENTS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Alternative Payments", "version": "1.1.0"},
    "servers": [{"url": "https://api.example.com"}],
    "security": [{"BasicAuth": []}],
    "components": {
        "securitySchemes": {"BasicAuth": {"type": "http", "scheme": "basic"}},
        "schemas": {
            "TokenResponse": {
                "type": "object",
                "properties": {
                    "access_token": {"type": "string"},
                    "expires_in": {"type": "integer"},
                    "token_type": {"type": "string"},
                },
            }
        },
    },
    "paths": {
        "/oauth/token": {
            "post": {
                "operationId": "createOAuthToken",
                "requestBody": {
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {
                                "type": "object",
                                "properties": {"grant_type": {"type": "string"}},
                                "required": ["grant_type"],
                            }
                        }
                    }
                },
                "responses": {
                    "200": {
                        "description": "",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TokenResponse"}}},
                    },
                    "403": {"description": "", "content": {"application/json": {"schema": _STRINGS}}},
                },
            }
        }
    },
}
"""Document 001."""


def _response(schema: str) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}


SQR: dict[str, Any] = {
    "openapi": "3.0.0",
    "info": {"title": "OAuth Token API", "version": "1.0"},
    "servers": [{"url": "https://api.example.com"}],
    "paths": {
        "/oauth2/token": {
            "post": {
                "operationId": "getAccessToken",
                "security": [],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TokenRequestDto"}}},
                },
                "responses": {
                    "200": _response("TokenResponseDto"),
                    "400": _response("TokenErrorDto"),
                    "401": _response("TokenErrorDto"),
                    "5XX": _response("InternalErrorDto"),
                },
            }
        }
    },
    "components": {
        "schemas": {
            "TokenRequestDto": {
                "type": "object",
                "required": ["client_id", "client_secret", "grant_type"],
                "properties": {
                    "client_id": {"type": "string"},
                    "client_secret": {"type": "string"},
                    "grant_type": {"type": "string"},
                },
            },
            "TokenResponseDto": {
                "type": "object",
                "properties": {
                    "access_token": {"type": "string"},
                    "token_type": {"type": "string"},
                    "expires_in": {"type": "integer"},
                    "scope": {"type": "string"},
                },
                "required": ["access_token", "token_type", "expires_in"],
            },
            "TokenErrorDto": {
                "type": "object",
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
                "required": ["error", "error_description"],
            },
            "InternalErrorDto": {
                "type": "object",
                "properties": {
                    "code": {"type": "number"},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "path": {"type": "string"},
                    "method": {"type": "string"},
                    "error": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["code", "timestamp", "path", "method", "error", "message"],
            },
        }
    },
}
"""Document 004."""

ACCESS_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJpbnRlZ3JhdGlvbi1kZXYtVk5aUXFEdDRIdiIsImV4cCI6MTcxNjQ2NjIxOCwianRp"
    "IjoiYjc4N2FiMTUtNDgxNS00MTFmLTkzYjctYzc5YWIxNWYwZDg3IiwiaWF0IjoxNzE1ODYxNDE4LCJpc3MiOiJTY3JlZW5pbmcgRWFnbGUgSUQiLC"
    "JzdWIiOiIxMzAyIiwic2NwIjoib3BlbmlkIGVtYWlsIHByb2ZpbGUgaW5zcGVjdCIsInNjb3BlcyI6WyJ1c2VyIl0sInVzZXJJRCI6MTMwMiwidXNl"
    "clJlZ2lvbiI6IlNHIn0.zsN5ys3qdmcJmJwzZHR9c9LC92KPTh2-NaliF2eSHFc"
)
REFRESH_TOKEN = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJpbnRlZ3JhdGlvbi1kZXYtVk5aUXFEdDRIdiIsImV4cCI6MTcyMTQxMzUzOSwianRp"
    "IjoiY2YyNzdhMWUtYTRlNC00ODAzLTgzZmYtNDM5N2MzYzdhZWY0IiwiaWF0IjoxNzA1ODYxNTM5LCJpc3MiOiJTY3JlZW5pbmcgRWFnbGUgSUQiLC"
    "JzdWIiOiIxNDEzIiwic2NwIjoib3BlbmlkIGVtYWlsIHByb2ZpbGUgb2ZmbGluZSJ9.IkZRvpIzQ5nr3xOhYWpEHrPkw0X-QWTHA75IAbM8ZLM"
)
"""Two of the three sample tokens of document 002, published there. The third holds an address and is told by its claims."""

ID_TOKEN_CLAIMS = {
    "aud": str,
    "exp": int,
    "iat": int,
    "iss": str,
    "sub": str,
    "email": str,
    "email_verified": bool,
    "name": str,
    "first_name": str,
    "last_name": str,
    "country_code": str,
    "picture": str,
    "updated_at": int,
}
"""The claims of the sample id_token of document 002, and their types."""
