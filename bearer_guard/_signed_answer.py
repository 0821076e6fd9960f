"""Introspection responses that the authorization server has signed (RFC 9701 §5).

What is said about the token is the member `token_introspection` and nothing beside it. A response that is not signed,
of another type, for another API or from another server is trouble at the endpoint, not a fault of the token.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from ._errors import InvalidToken
from ._flow import Flow, Join, Response
from ._jws import CompactJWS, parse
from ._keys import KeySource
from ._signature import SignatureCheck

T = TypeVar("T")

MEDIA_TYPE: Final = "application/token-introspection+jwt"
_TYPE: Final = "token-introspection+jwt"


class SignedAnswer:
    """Reads signed responses of `issuer` that name one of `audiences` as theirs and were made just now.

    `iat` may differ by `leeway` seconds from the time of the question, and be `patience` seconds later: an answer does
    not name the token that it was given for, so that only its age tells that it was not given for another one.
    """

    def __init__(
        self,
        keys: KeySource,
        issuer: str,
        audiences: tuple[str | Container[str] | None, ...],
        leeway: float,
        patience: float,
    ) -> None:
        self.keys = keys
        self._leeway = leeway
        self._patience = patience
        self._signatures = SignatureCheck(keys, None)
        self._issuer = issuer
        self._audiences = audiences

    def members(self, response: Response, now: float, deadline: float) -> Flow[Mapping[str, Any]]:
        """The members about the token. Raises ValueError for a response that must not be used.

        And AuthorityUnavailable when there are no keys to verify it with before `deadline` (real time).
        """
        content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != MEDIA_TYPE:
            raise ValueError("the answer is not a signed one")
        try:
            jws = parse(response.body.decode("ascii").strip())
            self._signatures.check_algorithm(jws)
            verified = self._signatures.keys_that_verify(jws, None, now, lambda _: None, lambda _, now: None)
            yield from _until(deadline, verified)
            return self._read(jws, now)
        except (InvalidToken, ValueError) as failure:
            raise ValueError(f"the signed answer is not acceptable: {failure}") from failure

    def _read(self, jws: CompactJWS, now: float) -> Mapping[str, Any]:
        claims = jws.unverified_claims()  # verified by now
        if jws.header.typ != _TYPE:
            raise ValueError("its typ is another (RFC 9701 §5)")
        if claims.get("iss") != self._issuer:
            raise ValueError("it is from another server")
        named = claims.get("aud")
        names = [named] if isinstance(named, str) else named
        if not isinstance(names, list) or not any(self._is_ours(name) for name in names):
            raise ValueError("it is for another API")
        issued = claims.get("iat")
        if not isinstance(issued, int | float) or isinstance(issued, bool):
            raise ValueError("it does not say when it was made")
        # Whole seconds are what `iat` usually counts: one made in this second may name its beginning.
        if not -self._leeway - 1 < issued - now < self._leeway + self._patience + 1:
            raise ValueError("it was not made just now")
        members = claims.get("token_introspection")
        if not isinstance(members, dict):
            raise ValueError("it says nothing about a token")
        return members

    def _is_ours(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        return any(
            name == audience if isinstance(audience, str) else audience is not None and name in audience
            for audience in self._audiences
        )


def _until(deadline: float, flow: Flow[T]) -> Flow[T]:
    """`flow`, which only ever joins the attempts of a source, joining none past `deadline` (real time)."""
    try:
        step = next(flow)
        while True:
            yield replace(step, deadline=min(step.deadline, deadline)) if isinstance(step, Join) else step
            step = next(flow)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        flow.close()
