"""Worker processes of one issuer on one SQLite file, forked from this program: what each has been told is on stdout.

Run with a file of settings. For every line on stdin another worker is forked. A worker issues opaque tokens and JWTs,
presents assertions that the others present too, revokes, rotates keys, and says what was answered, one line each, after
the answer: `T` an opaque token, `J` a JWT, `A` the number of an assertion that was accepted, `r` a token that is about to
be revoked, `R` one that was, `K` a key that was added, `E` anything that must not be.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bearer_guard.issuer import STANDARD, Dialect, Issuer, IssuerRequest, KeyRing, OpaqueFormat, SQLiteStore

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def issuer_on(path: str) -> Issuer:
    store = SQLiteStore(path, patience=60.0)
    opaque = Dialect(path="/opaque", token=OpaqueFormat())
    return Issuer("https://id.example.com", store=store, keys=KeyRing(store=store), dialects=(STANDARD, opaque))


def post(issuer: Issuer, path: str, **members: str) -> tuple[int, dict[str, Any]]:
    response = issuer.respond(IssuerRequest("POST", path, FORM, urlencode(members).encode()))
    return response.status, json.loads(response.body)


def said(kind: str, what: object) -> None:
    os.write(1, f"{os.getpid()} {kind} {what}\n".encode())  # short enough to be written at once


def work(issuer: Issuer, settings: dict[str, Any]) -> None:
    chance, client, assertions = random.Random(os.getpid()), settings["client"], settings["assertions"]
    grant = {"grant_type": "client_credentials"}
    while True:
        status, answer = post(issuer, "/opaque", **grant, **client)
        said(*(("T", answer["access_token"]) if status == 200 else ("E", status)))
        number = chance.randrange(len(assertions))
        asserted = {"client_assertion_type": ASSERTION, "client_assertion": assertions[number]}
        accepted, _ = post(issuer, "/opaque", **grant, **asserted)
        if accepted != 401:
            said(*(("A", number) if accepted == 200 else ("E", accepted)))
        if chance.random() < 0.3:
            said("r", answer["access_token"])
            revoked, _ = post(issuer, "/oauth2/revoke", token=answer["access_token"], **client)
            said(*(("R", answer["access_token"]) if revoked == 200 else ("E", revoked)))
        if chance.random() < 0.3:
            status, answer = post(issuer, "/oauth2/token", **grant, **client)
            said(*(("J", answer["access_token"]) if status == 200 else ("E", status)))
        if chance.random() < 0.1:
            said("K", issuer.keys.rotate().kid)


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    issuer = issuer_on(settings["store"])
    post(issuer, "/opaque", grant_type="client_credentials", **settings["client"])  # the store has been used before
    for _ in sys.stdin:
        if os.fork() == 0:
            try:
                work(issuer, settings)
            except BaseException as error:
                said("E", repr(error))
            finally:
                os._exit(1)


if __name__ == "__main__":
    main()
