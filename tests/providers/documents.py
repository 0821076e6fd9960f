"""The providers' published documents, read from where they are kept, and the schemas and samples within them."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from typing import Any

from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from tests.vectors import provider_document

from .systems import Answer, Question

OPENAPI = {"alternative_payments": "001_*", "sqr_oauth_token": "004_*"}
"""The systems whose document is an OpenAPI document."""


@cache
def openapi(system: str) -> OpenAPI:
    """The system's document, for a tool that is not ours."""
    text = provider_document(OPENAPI[system])
    found = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    return OpenAPI.from_dict(json.loads(found[1] if found else text))


def documented_statuses(system: str) -> set[str]:
    """The statuses that the document has answers for: `200`, `5XX`."""
    paths = (openapi(system).spec / "paths").read_value()
    return {status for path in paths.values() for status in path["post"]["responses"]}


def conforms(system: str, question: Question, answer: Answer, *, request_too: bool = False) -> None:
    """Raise unless the answer, and the request if asked for, is as the document says."""
    document = openapi(system)
    (server,) = (document.spec / "servers").read_value()
    request = MockRequest(
        server["url"],
        question.method,
        question.path.partition("?")[0],
        data=question.body,
        headers=question.headers,
        content_type=question.headers.get("Content-Type", ""),
    )
    if request_too:
        document.validate_request(request)
    response = MockResponse(answer.body, status_code=answer.status, content_type=answer.headers["content-type"])
    document.validate_response(request, response)


def examples(pattern: str) -> list[dict[str, Any]]:
    """The JSON objects that a document of running text shows, the token placeholders in them as they are."""
    found = []
    text, position, decoder = provider_document(pattern), 0, json.JSONDecoder()
    while (position := text.find("{", position)) >= 0:
        try:
            example, position = decoder.raw_decode(text, position)
        except ValueError:
            position += 1
        else:
            found.append(example)
    return found


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a JWT, members in the order in which they stand there."""
    header, claims, _ = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(segment + "==")) for segment in (header, claims)]
    return decoded[0], decoded[1]
