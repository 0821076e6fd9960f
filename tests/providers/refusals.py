"""What every refusal is held to: the document's members and types, the challenge beside them, nothing to be cached."""

from __future__ import annotations

from typing import Any

from bearer_guard._challenge import Challenge, parse_challenges

from .systems import Answer, Running


def in_words(answer: Answer, members: frozenset[str]) -> dict[str, Any]:
    """The members of a refusal, which must be these: text all of them, but a number for `code`."""
    assert answer.headers["content-type"] == "application/json"
    content: dict[str, Any] = answer.json()
    assert content.keys() == members
    assert all(type(value) is (int if name == "code" else str) for name, value in content.items()), content
    assert all(content.values()), content
    return content


def challenges(answer: Answer) -> list[Challenge]:
    """The challenges of an answer, parsed; none where there is no such field."""
    return list(parse_challenges(answer.headers.get("www-authenticate", "")))


def not_granted(running: Running, answer: Answer, status: int, error: str) -> None:
    """Assert that the token endpoint refused with this status and code, in the document's words."""
    assert answer.status == status, answer
    assert in_words(answer, running.system.words)["error"] == error
    assert answer.headers["cache-control"] == "no-store"
    schemes = [challenge.scheme for challenge in challenges(answer)]
    if status == 401:  # RFC 6749 §5.2: the scheme that the client used; for credentials in a body there is none
        assert schemes == ["Client-Secret-Post" if running.system.json_body else "Basic"]
    else:
        assert schemes == []


def denied(running: Running, answer: Answer, status: int, error: str | None, *, scope: str | None = None) -> None:
    """Assert that the protected endpoint refused by RFC 6750 §3 beside, and in the document's words within."""
    assert answer.status == status, answer
    content = in_words(answer, running.system.words)
    (challenge,) = challenges(answer)
    assert challenge.scheme == "Bearer"
    expected = {"realm": running.system.realm, "error": error, "scope": scope}
    found = {name: value for name, value in challenge.params.items() if name != "error_description"}
    assert found == {name: value for name, value in expected.items() if value is not None}
    assert ("error_description" in challenge.params) == (error is not None)
    if running.system.name == "screening_eagle" and status == 403:  # the example that its document has for 403
        assert content == {"error": "Forbidden", "errorDescription": "permission denied"}
    else:
        assert content["error"] == (error or "unauthorized")
    assert answer.headers["cache-control"] == "no-store"


def unavailable(running: Running, answer: Answer, status: int = 503) -> dict[str, Any]:
    """Assert that the fault is the server's, in the document's words; what they are."""
    assert answer.status == status, answer
    assert "www-authenticate" not in answer.headers
    return in_words(answer, running.system.server_words)
