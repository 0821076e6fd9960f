"""Public paths: patterns that are refused, and that no spelling makes more public than its plain form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearer_guard._paths import PublicPaths, path_problems


@pytest.mark.parametrize(
    ("pattern", "fix"),
    [
        ("health", 'must start with "/"'),
        ("", 'must start with "/"'),
        ("*", 'must start with "/"'),
        ("/*/x", 'only as a final "/*"'),
        ("/docs*", 'only as a final "/*"'),
        ("/docs/**", 'only as a final "/*"'),
        ("/a/*/*", 'only as a final "/*"'),
        ("/a?b", "without query"),
        ("/a#b", "without query"),
        ("/a%20b", "decoded"),
        ("/a/../b", "plain form"),
        ("//a", "plain form"),
        ("/a//*", "plain form"),
        ("/a\\b", "plain form"),
        ("/a/./b", "plain form"),
        ("/a\n", "plain form"),
        (b"/a", "must be a string"),
        (None, "must be a string"),
    ],
)
def test_a_pattern_that_could_mean_two_things_is_refused_with_its_fix(pattern: object, fix: str) -> None:
    (problem,) = path_problems([pattern])
    assert fix in problem
    assert repr(pattern) in problem


@pytest.mark.parametrize("patterns", ["/health", b"/bytes", None, 1, {"/health": 1}, (p for p in ["/health"])])
def test_what_is_not_a_list_of_paths_is_refused(patterns: object) -> None:
    (problem,) = path_problems(patterns)
    assert "must be a list of paths" in problem


def test_every_wrong_pattern_is_reported() -> None:
    assert len(list(path_problems(["a", "/ok", "/b*", "/c?"]))) == 3


@pytest.mark.parametrize("patterns", [[], ["/"], ("/a",), {"/a/*"}, frozenset({"/*"}), ["/.well-known/*"], ["/café"]])
def test_plain_patterns_have_no_problem(patterns: object) -> None:
    assert list(path_problems(patterns)) == []


def test_no_pattern_makes_nothing_public() -> None:
    paths = PublicPaths([])
    assert not any(paths.admit(path, None) for path in ("", "/", "/health"))


def test_the_root_alone_is_the_root_alone() -> None:
    paths = PublicPaths(["/"])
    assert paths.admit("/", None)
    assert paths.admit("", None)  # the root of a mounted application
    assert not paths.admit("/a", None)


def test_a_tree_at_the_root_is_everything_in_plain_spelling() -> None:
    paths = PublicPaths(["/*"])
    assert all(paths.admit(path, None) for path in ("", "/", "/a", "/a/b"))
    assert not paths.admit("//a", None)
    assert not paths.admit("/a/../b", None)


def test_a_path_outside_ascii_is_compared_decoded() -> None:
    paths = PublicPaths(["/café"])
    assert paths.admit("/café", "/caf%C3%A9")
    assert paths.admit("/café", "/caf\xc3\xa9")  # a target sent unencoded, which servers hand on as ISO 8859-1
    assert not paths.admit("/café", "/caf%E9")


@pytest.mark.parametrize("path", ["/docs/\ufffd", "/docs/\x7f", "/docs/\x85", "/docs/%41"])
def test_a_path_that_is_not_plain_text_is_never_public(path: str) -> None:
    assert not PublicPaths(["/docs/*"]).admit(path, None)


def test_a_lone_surrogate_is_never_public() -> None:
    assert not PublicPaths(["/docs/*"]).admit("/docs/" + chr(0xD800), None)


def test_a_target_that_spells_another_path_closes_the_path() -> None:
    paths = PublicPaths(["/health"])
    assert paths.admit("/health", "/health?x=%2f")
    assert paths.admit("/health", "/api/health")  # a mount point in front
    assert paths.admit("/health", "http://api.example.com/health")  # the absolute form of a proxy's request
    assert not paths.admit("/health", "/admin")
    assert not paths.admit("/health", "//health")  # waitress drops leading slashes
    assert not paths.admit("/health", "/admin/../health")
    assert not paths.admit("/health", "/admin?/health")
    assert not paths.admit("/health", "/%2568ealth")


@given(st.text(alphabet="/.%2eEfF5cC\\docsx \n;", max_size=12))
def test_whatever_is_public_below_docs_is_one_plain_path_at_a_boundary(tail: str) -> None:
    path = "/docs" + tail
    if PublicPaths(["/docs/*"]).admit(path, None):
        segments = path.split("/")
        assert segments[:2] == ["", "docs"]
        assert not {".", ".."} & set(segments)
        assert "" not in segments[1:-1]
        assert not set(path) & set("\\%\n")
