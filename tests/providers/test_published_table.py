"""docs/provider-systems.md says what the servers really do: its lines are made of their answers and compared."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from bearer_guard.dialects import Failure, camel_case_words, incident_words, oauth_words
from bearer_guard.issuer import StoreFailed
from tests.documents import tables

from .documents import parts
from .refusals import challenges
from .systems import BY_NAME, ENDPOINTS, Answer, Question, Running, each
from .test_clients import style
from .test_protected_endpoints import kept, resigned

DOCUMENT = "docs/provider-systems.md"


def fails(client_id: str) -> None:
    raise StoreFailed("the disk is gone")


def code(*words: object) -> str:
    return ", ".join(f"`{word}`" for word in words)


def request_cell(question: Question) -> str:
    body = (question.body or b"").decode()
    as_json = question.headers["Content-Type"] == "application/json"
    names = sorted(json.loads(body) if as_json else parse_qs(body))
    proof = "HTTP Basic, " if "Authorization" in question.headers else ""
    return f"{code(f'{question.method} {question.path}')}, {proof}{'JSON' if as_json else 'form'} body {code(*names)}"


def response_cell(answer: Answer) -> str:
    content = answer.json()
    token = content["access_token"]
    kind = f"JWT, {parts(token)[0]['alg']}" if "." in token else f"{len(token)} hexadecimal characters"
    plain = {"token_type", "expires_in"}
    shown = [f"{name}: {content[name]}" if name in plain else name for name in sorted(content)]
    return f"{code(*shown)}; the token: {kind}"


def scopes_are_in(running: Running) -> str:
    """The claim that decides about the scope: another value there, and nothing else, makes it a 403."""
    if running.system.algorithm is None:
        return "the store"
    claims = parts(running.token())[1]
    found = [
        name
        for name in ("scope", "scp", "scopes")
        if name in claims
        and running.call(resigned(running, **{name: "other" if isinstance(claims[name], str) else ["other"]})).status
        == 403
    ]
    return code(*found)


def accepted_cell(running: Running) -> str:
    answer = running.call(running.token())
    assert answer.status == 200
    system = running.system
    return f"{code(f'{system.method} {system.path}')} with {code(system.needs)} in {scopes_are_in(running)}"


def refused_cell(running: Running, monkeypatch: pytest.MonkeyPatch) -> str:
    system = running.system
    expired = (
        kept(running, audience="https://api.example.com", expires_in=-1)
        if system.algorithm is None
        else resigned(running, exp=1)
    )
    unscoped = running.token(running.new_client(scopes="other"), **({"scope": "other"} if system.scope else {}))
    answers = {
        "wrong secret": running.asked((running.client[0], "wrong")),
        "another grant": running.asked(grant_type="password"),
        "no token": running.call(None),
        "expired token": running.call(expired),
        "scope missing": running.call(unscoped),
    }
    with monkeypatch.context() as patch:
        patch.setattr(running.issuer.store, "client", fails)
        answers["trouble"] = running.asked()
    lines = [f"{what}: {answer.status} {said(answer)}" for what, answer in answers.items()]
    assert {frozenset(answer.json()) for what, answer in answers.items() if what != "trouble"} == {system.words}
    assert answers["trouble"].json().keys() == system.server_words
    shapes = code(*sorted(system.words))
    if system.server_words != system.words:
        shapes += f", in a 5XX {code(*sorted(system.server_words))}"
    return f"{'; '.join(lines)}; members {shapes}"


def said(answer: Answer) -> str:
    """The code in the body, and the challenge's where it has another."""
    codes = [answer.json()["error"]]
    if answer.status == 403 and challenges(answer):
        codes.append(challenges(answer)[0].params["error"])
    return " and ".join(code(word) for word in dict.fromkeys(codes))


@each()
def test_the_published_line_of_a_system_is_what_it_does(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    question = running.system.asking(running.client)
    line = [
        f"`{running.system.name}`",
        request_cell(question),
        response_cell(running.send(question)),
        accepted_cell(running),
        refused_cell(running, monkeypatch),
    ]
    published = {cells[0]: cells for cells in tables(DOCUMENT, "system")}
    assert published.get(line[0]) == line, f"\n| {' | '.join(line)} |"


def test_every_system_has_a_line() -> None:
    assert [cells[0] for cells in tables(DOCUMENT, "system")] == [f"`{name}`" for name in BY_NAME]


def test_the_published_parameters_are_those_that_our_client_is_tested_with() -> None:
    published = {name: cells for name, *cells in tables(DOCUMENT, "systems")}
    found: dict[tuple[str, ...], list[str]] = {}
    for name in ENDPOINTS:
        auth, body = style(BY_NAME[name])
        needs = "required" if BY_NAME[name].scope else "not needed"
        found.setdefault((f'`"{auth}"`', f'`"{body}"`', needs), []).append(f"`{name}`")
    assert {tuple(sorted(names.split(", "))): cells for names, cells in published.items()} == {
        tuple(sorted(names)): list(cells) for cells, names in found.items()
    }


def test_the_published_members_of_words_are_those_that_they_have() -> None:
    failure = Failure.of_status(500, method="GET", path="/", at=0.0)
    published = dict(tables(DOCUMENT, "words"))
    for words in (oauth_words, camel_case_words, incident_words):
        assert published[f"`{words.__name__}`"].split(";")[0] == code(*words(failure))
