"""Handover, postmortem and failure report as they are promised to look, whatever texts hold."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from console.domain.blocks import Drawing, Heading, Item, Items, Paragraph, Table
from console.handover.build import handover
from console.handover.handover_text import handover_blocks
from console.reports.failures import failures, failures_blocks
from console.reports.markdown import escaped, markdown
from console.reports.postmortem import postmortem
from console.reports.postmortem_text import postmortem_blocks
from console.reports.redact import cleaned
from console.reports.status import as_json
from console.settings.secret_references import SecretValue
from tests.reports.golden import FOLDER, documents
from tests.reports.samples import SHIFT, failure_facts, postmortem_facts, shift_facts
from tests.support.snapshots import HOSTILE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

SECRET = "pa|ss`w0rd*9"
HOSTILE = (
    *HOSTILE_NAMES[:-1],
    "# big", "## Not known (0)", "- item", "* item", "+ item", "1. item", "2) item", "> quote",
    "---", "***", "___", "===", "    code", "\tcode", "```", "~~~", "``", "a\n\n# b", "a\r\nb",
    "| a | b |", "|", "\\|", "\\", "a\\", "**bold**", "__bold__", "_it_", "*it*", "~~gone~~",
    "[x](http://evil.example)", "![x](http://evil.example/p.png)", "[x]: http://evil.example",
    "<http://evil.example>", "http://evil.example", "see https://evil.example/a_b",
    "www.evil.example",
    "<b>x</b>", "<!-- x", "<script>", "&lt;b&gt;", "&#35; x", "a  ", "\u2028# b", "\u00a0# b",
    "`code`", "x` y `z", "$x$", "{{x}}", "@everyone", "\x00\x1b]0;x\x07", "\u202e# a", SECRET,
    "_HTTP://", "xhttps://a.example",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(documents()))
def test_exports_are_golden(name: str) -> None:
    """A change that is meant: ``python -m tests.reports.golden`` writes the files anew."""
    assert documents()[name] == (FOLDER / name).read_text(encoding="utf-8")


def parser() -> MarkdownIt:
    found = MarkdownIt("gfm-like")
    assert found.linkify is not None
    # What GitHub links without being asked: addresses with a scheme and www.
    found.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    found.linkify.add("//", None)
    return found


PARSER = parser()


def shape(text: str) -> list[str]:
    """Return what kind of thing each token of a Markdown text is, texts left out."""
    return list(_shapes(PARSER.parse(text)))


def _shapes(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ("text", "text_special"):
            continue
        yield f"{token.type} {token.tag} {token.level}"
        if token.children:
            yield from _shapes(token.children)


def words(text: str) -> str:
    """Return everything a Markdown text shows, in order."""
    return "".join(_words(PARSER.parse(text)))


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        yield from _words(token.children) if token.children else (token.content,)


def everywhere(text: str) -> str:
    """Return a document with ``text`` in every place a text from outside can stand."""
    item = Item(text, lead=text, below=(Item(text), Item("x", lead=text)))
    return markdown(
        (
            Heading(text), Paragraph(text), Paragraph(text, lead=text), Items((item, Item(text))),
            Table((text, "b"), ((text, "x"), ("y", text))), Paragraph("end"),
        )
    )  # fmt: skip


PLAIN = shape(everywhere("plain"))


def assert_harmless(text: str) -> None:
    drawn = everywhere(text)
    assert shape(drawn) == PLAIN, drawn
    assert_printable(drawn)


def assert_printable(text: str) -> None:
    bad = [
        one for one in text if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp")
    ]
    assert bad == []


@pytest.mark.parametrize("text", HOSTILE)
def test_no_known_trick_means_anything(text: str) -> None:
    assert_harmless(text)


@settings(max_examples=150, deadline=None)
@given(st.text(min_size=1) | st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join))
def test_no_text_means_anything(text: str) -> None:
    assert_harmless(f"a{text}")
    assert_harmless(f"{text}a")


@given(st.text(alphabet=st.characters(max_codepoint=0x7E, min_codepoint=0x21), min_size=1))
def test_what_is_escaped_reads_as_it_was(text: str) -> None:
    assert words(f"x {escaped(f'y{text}z')}") == f"x y{text}z"


@pytest.mark.parametrize(
    "text", ["&lt;b&gt;", "&#35; x", "x & y", "a_b", "p < 3", "#10402", "4.6s"]
)
def test_what_means_nothing_is_shown_as_it_is(text: str) -> None:
    assert words(escaped(text)) == text


@pytest.mark.parametrize("text", ["a_b", "p < 3", "x & y", "#10402", "4.6s", "-5", "a-b (c) 3%"])
def test_what_could_mean_nothing_is_left_alone(text: str) -> None:
    assert escaped(text) == text


def test_a_drawing_stays_in_its_fence() -> None:
    drawn = markdown((Drawing("a\n```\n~~~\n# b\n\x1b[2J"), Paragraph("after")))
    assert shape(drawn) == [
        "fence code 0",
        "paragraph_open p 0",
        "inline  1",
        "paragraph_close p 0",
    ]
    assert "\x1b" not in drawn


def hostile_handover(text: str) -> str:
    facts = shift_facts()
    snapshot = facts.snapshot
    assert snapshot is not None
    spoiled = replace(
        snapshot,
        environment=text,
        incidents=tuple(
            replace(one, title=text, models=(text,), suppressed_by=(text,), acked_by=text)
            for one in snapshot.incidents
        ),
        overrides=tuple(
            replace(one, reason=text, by=text, target=text) for one in snapshot.overrides
        ),
        changes=tuple(replace(one, subject=text, text=text) for one in snapshot.changes),
        sources=tuple(replace(one, name=text, error=text) for one in snapshot.sources),
    )
    entries = tuple(
        msgspec.structs.replace(one, why=f"todo {text}", target=text, action=text)
        for one in facts.entries
    )
    views = {
        key: replace(view, condition=text, actions=text, needs=text)
        for key, view in facts.views.items()
    }
    made = replace(facts, environment=text, snapshot=spoiled, entries=entries, views=views)
    shift = replace(SHIFT, by=text, to=text, account=text)
    document = cleaned(handover(made, shift), [SecretValue(SECRET)])
    assert_json_clean(as_json(document))
    return markdown(handover_blocks(document))


def hostile_postmortem(text: str) -> str:
    facts = postmortem_facts(named=True)
    view = facts.view
    spoiled = replace(
        view,
        incident=replace(view.incident, title=text, dependency=text, models=(text,)),
        events=tuple(
            replace(one, text=text, by=text, source=text, before=text, after=text, effect=text)
            for one in view.events
        ),
        condition=text, actions=text, people=((text, text),),
        impact=replace(view.impact, regions=text),
        checks=tuple(replace(one, text=text, why=text, done=None) for one in view.checks),
    )  # fmt: skip
    series = ((text, facts.series[0][1]), (text, replace(facts.series[1][1], error=text)))
    document = cleaned(
        postmortem(replace(facts, view=spoiled, series=series)), [SecretValue(SECRET)]
    )
    assert_json_clean(as_json(document))
    return markdown(postmortem_blocks(document))


def hostile_failures(text: str) -> str:
    facts = failure_facts()
    spoiled = replace(
        facts,
        environment=text,
        row=replace(facts.row, model=text, version=text),
        entries=tuple(
            msgspec.structs.replace(one, why=text, target=text, action=text)
            for one in facts.entries
        ),
        unknown=(text,),
    )
    document = cleaned(failures(spoiled), [SecretValue(SECRET)])
    assert_json_clean(as_json(document))
    return markdown(failures_blocks(document))


def assert_json_clean(text: str) -> None:
    assert SECRET not in text
    for line in json.dumps(json.loads(text), ensure_ascii=False, indent=1).splitlines():
        assert_printable(line)


@pytest.mark.parametrize("make", [hostile_handover, hostile_postmortem, hostile_failures])
@pytest.mark.parametrize("text", [*HOSTILE, f"x{SECRET}y", "a" * 9000])
def test_whatever_labels_reasons_and_names_hold_an_export_keeps_its_shape(make, text: str) -> None:
    drawn, plain = make(f"n {text}"), make("n plain")
    assert shape(drawn) == shape(plain)
    assert_printable(drawn)
    assert SECRET not in drawn
    assert escaped(SECRET) not in drawn


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(HOSTILE) | st.text(max_size=20), min_size=1, max_size=5))
def test_no_mixture_of_them_changes_the_shape_of_a_handover(parts: list[str]) -> None:
    text = "n " + "".join(parts)
    drawn = hostile_handover(text)
    assert shape(drawn) == shape(hostile_handover("n plain"))
    assert_printable(drawn)
    assert SECRET not in drawn


def test_a_secret_is_found_before_a_text_is_cut() -> None:
    document = cleaned(
        handover(replace(shift_facts(), environment="x" * 3995 + SECRET), SHIFT),
        [SecretValue(SECRET)],
    )
    assert SECRET[:4] not in document.environment
