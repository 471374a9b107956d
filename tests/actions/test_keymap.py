"""Keys follow the registry and the operator; quit stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.actions.keymap import Command, KeymapError, keymap, parse, words
from console.actions.registry import ACTIONS, BY_ID
from console.actions.spec import Place
from console.domain.text import visible

PLACES: tuple[Place, ...] = ("fleet", "model", "incidents", "incident")


def test_the_registry_has_no_conflicts() -> None:
    plain = keymap()
    for spec in ACTIONS:
        for key in spec.keys:
            for place in PLACES:
                if spec.in_place(place):
                    assert plain.find(place, key) is spec


def test_an_override_replaces_the_keys() -> None:
    own = keymap({"sort.reverse": "Z, f9"})
    assert own.find("fleet", "Z") is BY_ID["sort.reverse"]
    assert own.find("fleet", "f9") is BY_ID["sort.reverse"]
    assert own.find("fleet", "=") is None
    assert own.first_key("sort.reverse") == "Z"


def test_quit_cannot_be_unbound() -> None:
    own = keymap({"quit": "f10"})
    assert own.find("fleet", "q") is None
    assert own.find("model", "ctrl+q") is BY_ID["quit"]
    assert own.find("model", "f10") is BY_ID["quit"]


def test_the_quit_key_cannot_be_taken() -> None:
    with pytest.raises(KeymapError, match="already belongs to quit"):
        keymap({"group": "ctrl+q"})


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(KeymapError) as caught:
        keymap({"sort.revers": "r", "group": "alt+super+x", "jump": "z"})
    problems = caught.value.problems
    assert any("did you mean sort.reverse?" in problem for problem in problems)
    assert any("survives every terminal" in problem for problem in problems)
    assert any("'z' already belongs to freeze" in problem for problem in problems)


def test_a_key_may_be_swapped_between_two_actions() -> None:
    own = keymap({"group": "z", "freeze": "g"})
    assert own.find("fleet", "z") is BY_ID["group"]
    assert own.find("fleet", "g") is BY_ID["freeze"]


def test_the_comma_can_be_a_key() -> None:
    own = keymap({"sort.previous": ","})
    assert own.find("fleet", ",") is BY_ID["sort.previous"]


def test_commands_come_from_the_registry() -> None:
    assert parse(":theme light") == Command(BY_ID["theme.next"], "light")
    assert parse("q") == Command(BY_ID["quit"])
    assert parse("sort.reverse") == Command(BY_ID["sort.reverse"])
    assert "did you mean :reload?" in str(parse("relaod"))
    assert parse("reload now") == ":reload takes nothing after it"
    assert "type a command" in str(parse(" : "))
    assert "theme NAME" in words()


@given(st.text(max_size=60))
def test_any_command_line_gives_a_command_or_a_sentence(line: str) -> None:
    outcome = parse(line)
    assert isinstance(outcome, Command) or (outcome and visible(outcome, 1000) == outcome)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3))
def test_any_keymap_works_or_names_its_faults(overrides: dict[str, str]) -> None:
    try:
        own = keymap(overrides)
    except KeymapError as error:
        problems: tuple[str, ...] = error.problems
    else:
        problems = ("none",)
        assert own.find("fleet", "ctrl+q") is BY_ID["quit"]
    assert problems
