"""What an issuer knows of a client (RFC 6749 §2), and how that is spelled where it is kept."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from .._errors import ConfigurationError, raise_problems
from .._jwks import load_jwks
from .._scopes import requirement
from ._secrets import SecretHash

LONGEST_LIFETIME: Final = 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client: what it may be granted, and how it proves itself.

    `token_lifetime` is in seconds; `scopes` keeps its order, which is that of the `scope` in an answer. `secret` is how
    its secret is kept, `jwks` its public keys for private_key_jwt; one with neither is public and is granted nothing
    (RFC 6749 §4.4). It may introspect its own tokens, and those for the audiences in `introspects` (RFC 7662 §2.1).
    """

    client_id: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    token_lifetime: int = 3600
    secret: SecretHash | None = field(default=None, repr=False)
    jwks: Mapping[str, Any] | None = field(default=None, repr=False)
    introspects: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether it has nothing to prove itself by."""
        return self.secret is None and self.jwks is None


def new_client(
    owner: str,
    *,
    client_id: str | None = None,
    audience: str | Iterable[str],
    scopes: str | Iterable[str] = (),
    token_lifetime: int = 3600,
    introspects: str | Iterable[str] = (),
    secret: SecretHash | None = None,
    jwks: Mapping[str, Any] | None = None,
) -> Client:
    """A client of these parameters, checked. Raises ConfigurationError with every problem, on behalf of `owner`."""
    audiences = (audience,) if isinstance(audience, str) else tuple(audience)
    names = tuple(scopes.split() if isinstance(scopes, str) else scopes)
    watched = (introspects,) if isinstance(introspects, str) else tuple(introspects)
    identifier = secrets.token_urlsafe(16) if client_id is None else client_id
    problems: list[str] = []
    if not audiences or not all(isinstance(name, str) and name for name in audiences):
        problems.append("audience must name at least one API")
    if not all(isinstance(name, str) and name for name in watched):
        problems.append("introspects must hold names of APIs")
    for name in names:
        try:
            requirement(name)
        except ConfigurationError as error:
            problems += error.problems
    if type(token_lifetime) is not int or not 1 <= token_lifetime <= LONGEST_LIFETIME:
        problems.append("token_lifetime must be at least one second and at most a year, in whole seconds")
    if not isinstance(identifier, str) or not identifier or not spellable(identifier):
        problems.append("client_id must be unique and not empty, of characters that UTF-8 can spell and no NUL")
    if jwks is not None:
        try:
            load_jwks(dict(jwks))
        except ValueError as error:
            problems.append(f"jwks: {error}")
    raise_problems(owner, problems)
    return Client(
        client_id=identifier,
        audience=audiences,
        scopes=names,
        token_lifetime=token_lifetime,
        secret=secret,
        jwks=jwks,
        introspects=watched,
    )


def members_of(client: Client) -> dict[str, Any]:
    """`client` in values that JSON and TOML have; its identifier and what it does not have are left out."""
    members: dict[str, Any] = {
        "audience": list(client.audience),
        "scopes": list(client.scopes),
        "token_lifetime": client.token_lifetime,
    }
    if client.introspects:
        members["introspects"] = list(client.introspects)
    if client.secret is not None:
        members["secret"] = client.secret.text
    if client.jwks is not None:
        members["jwks"] = dict(client.jwks)
    return members


def client_from(owner: str, client_id: str, members: Mapping[str, Any]) -> Client:
    """The client that `members_of` spelled, checked like a new one. Raises ConfigurationError."""
    known = {"audience", "scopes", "token_lifetime", "introspects", "secret", "jwks"}
    raise_problems(owner, [f"unknown member {name!r}" for name in sorted(set(members) - known)])
    given = dict(members)
    try:
        secret = SecretHash.from_text(given.pop("secret")) if "secret" in given else None
    except ValueError as error:
        raise ConfigurationError(f"{owner}: secret is {error}") from None
    jwks = given.pop("jwks", None)
    problems = [] if jwks is None or isinstance(jwks, Mapping) else ["jwks must be a JWK Set"]
    for name in ("audience", "scopes", "introspects"):
        if not isinstance(given.get(name, []), str | list):
            problems.append(f"{name} must be a text or an array of texts")
    raise_problems(owner, problems)
    return new_client(
        owner,
        client_id=client_id,
        audience=given.get("audience", ()),
        scopes=given.get("scopes", ()),
        token_lifetime=given.get("token_lifetime", 3600),
        introspects=given.get("introspects", ()),
        secret=secret,
        jwks=cast("Mapping[str, Any] | None", jwks),
    )


def restored(client_id: str, members: Mapping[str, Any]) -> Client:
    """The client that `members_of` spelled, from where nobody else writes: nothing is checked again."""
    return Client(
        client_id=client_id,
        audience=tuple(members["audience"]),
        scopes=tuple(members["scopes"]),
        token_lifetime=members["token_lifetime"],
        secret=SecretHash.from_text(members["secret"]) if "secret" in members else None,
        jwks=members.get("jwks"),
        introspects=tuple(members.get("introspects", ())),
    )


def spellable(text: str) -> bool:
    """Whether UTF-8 and every file can hold `text`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
