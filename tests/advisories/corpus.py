"""How an attack is put to a guard: as an Authorization field, and past the field's grammar to the verifier itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bearer_guard import AccessDenied, AuthorityUnavailable, Guard, IncomingRequest, InvalidToken
from tests.answers import IR, IT, OK, Answer, ask
from tests.quick import within
from tests.tokens import T

BOUND = 0.02
"""Seconds of CPU that no refusal may take."""


def rejected(guard: Guard, token: str, **options: Any) -> Answer:
    """Assert that `token` is refused with 401 or 400, quickly, and by the verifier whatever HTTP would have said."""
    answer = ask(guard, token, **options)
    assert answer.kind in (IT, IR), f"{answer.kind}: {answer.error}"
    request = IncomingRequest("GET", "/r", [("authorization", f"Bearer {token}")])

    def again() -> None:
        with pytest.raises((AccessDenied, AuthorityUnavailable)):
            guard.check(request)

    assert within(BOUND, again)
    if answer.kind == IR:
        with pytest.raises(InvalidToken):
            guard._verifier.verify(token)
    return answer


def all_alike(guard: Guard, attacks: Mapping[str, str]) -> None:
    """Assert that no answer of this group tells a client more than another, and that a good token gets in beside them."""
    wires = {rejected(guard, token).wire for token in attacks.values()}
    assert len({wire for wire in wires if wire[0] == 401}) == 1
    assert ask(guard, T()).kind == OK
