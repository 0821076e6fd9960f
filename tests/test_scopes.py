"""What a route requires: all of, any of, nested; against a judge that knows nothing of sets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bearer_guard import ConfigurationError, all_of, any_of
from bearer_guard._scopes import Requirement, requirement

names = st.sampled_from(["a", "b", "c", "d"])
trees = st.recursive(
    names,
    lambda inner: st.builds(
        lambda build, conditions: build(*conditions),
        st.sampled_from([all_of, any_of]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
requirements = trees.map(all_of)
granted = st.frozensets(names | st.sampled_from(["e", "A"]))


def judged(condition: Any, scopes: frozenset[str]) -> bool:
    if isinstance(condition, str):
        return any(scope == condition for scope in scopes)
    verdicts = [judged(inner, scopes) for inner in condition.conditions]
    return False not in verdicts if condition.every else True in verdicts


@settings(deadline=None, max_examples=300)
@given(requirements, granted)
def test_a_requirement_is_met_as_a_judge_without_sets_says(required: Requirement, scopes: frozenset[str]) -> None:
    assert required.allows(scopes) is judged(required, scopes)


@settings(deadline=None)
@given(requirements, granted)
def test_more_scopes_never_close_what_fewer_open(required: Requirement, scopes: frozenset[str]) -> None:
    if required.allows(scopes):
        assert required.allows(scopes | {"one more"})


@settings(deadline=None)
@given(requirements)
def test_a_token_with_the_scopes_that_a_403_names_is_let_in(required: Requirement) -> None:
    assert required.allows(frozenset(required.named))


@settings(deadline=None)
@given(requirements)
def test_a_token_without_scopes_is_never_let_in(required: Requirement) -> None:
    assert not required.allows(frozenset())


@settings(deadline=None)
@given(requirements)
def test_no_scope_is_named_twice(required: Requirement) -> None:
    assert len(set(required.named)) == len(required.named)


@pytest.mark.parametrize(
    ("required", "named"),
    [
        (all_of("a", "b", "a"), ("a", "b")),
        (any_of("a", "b"), ("a",)),
        (all_of("a", any_of(all_of("b", "c"), "d")), ("a", "b", "c")),
        (any_of(all_of("b", "c"), "a"), ("b", "c")),
    ],
)
def test_a_403_names_all_of_all_of_and_the_first_of_any_of(required: Requirement, named: tuple[str, ...]) -> None:
    assert required.named == named


@pytest.mark.parametrize("near", ["Read", "read:all", "readx", "rea", "read ", "ｒead"])
def test_scopes_are_compared_exactly(near: str) -> None:
    assert not all_of("read").allows({near})
    assert not any_of("read").allows({near})


def test_conditions_of_both_kinds_are_weighed_in_all_of_and_in_any_of() -> None:
    assert all_of("a", any_of("b", "c")).allows({"a", "c"})
    assert not all_of("a", any_of("b", "c")).allows({"b", "c"})
    assert any_of("a", all_of("b", "c")).allows({"b", "c"})
    assert not any_of("a", all_of("b", "c")).allows({"b"})


@pytest.mark.parametrize("build", [all_of, any_of])
def test_no_condition_at_all_is_a_mistake_and_never_an_open_door(build: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build()
    assert caught.value.problems == (f"{build.__name__}: no condition given: name at least one scope",)


@pytest.mark.parametrize(
    ("condition", "fix"),
    [
        ("a b", "give each scope as a string of its own"),
        (" a", "give each scope as a string of its own"),
        ("", "use printable ASCII"),
        ('a"b', "use printable ASCII"),
        ("a\\b", "use printable ASCII"),
        ("é", "use printable ASCII"),
        ("a\tb", "use printable ASCII"),
        ("a\n", "use printable ASCII"),
        (None, "NoneType is not a condition: give scope names, any_of(...) or all_of(...)"),
        (b"a", "bytes is not a condition"),
        (["a", "b"], "list is not a condition"),
        (print, "builtin_function_or_method is not a condition"),
    ],
)
@pytest.mark.parametrize("build", [all_of, any_of, requirement])
def test_what_is_not_one_scope_is_a_mistake_that_names_its_fix(build: Any, condition: object, fix: str) -> None:
    if build is requirement and condition is None:
        return  # there None stands for "no requirement"
    with pytest.raises(ConfigurationError) as caught:
        build(condition)
    (problem,) = caught.value.problems
    assert fix in problem


def test_every_mistake_in_the_conditions_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        any_of("a b", "fine", "", 7)  # type: ignore[arg-type]
    assert len(caught.value.problems) == 3
    assert all(problem.startswith("any_of: ") for problem in caught.value.problems)


def test_one_scope_a_requirement_or_none_make_a_requirement() -> None:
    assert requirement(None) is None
    assert requirement("a") == all_of("a")
    ready = any_of("a", "b")
    assert requirement(ready) is ready


def test_requirements_are_compared_and_hashed_by_what_they_say() -> None:
    assert all_of("a", any_of("b")) == all_of("a", any_of("b"))
    assert hash(all_of("a", "b")) == hash(all_of("a", "b"))
    assert all_of("a") != any_of("a")
    assert all_of("a", "b") != all_of("b", "a")
    assert all_of("a") != "a"
    assert all_of("a").__eq__("a") is NotImplemented


@settings(deadline=None)
@given(requirements)
def test_repr_is_the_expression_that_builds_it(required: Requirement) -> None:
    assert eval(repr(required), {"all_of": all_of, "any_of": any_of}) == required
