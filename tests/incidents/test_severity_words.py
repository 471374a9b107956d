"""Words for how bad an alert is, and the labels by which it names its model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain.model import ModelRow
from console.domain.severity import Severity
from console.incidents.feeds import describe
from console.incidents.grouping import Member, _placed, surroundings
from console.incidents.severity_words import LabelNames
from console.settings.load import Flags, load
from console.settings.problems import SettingsError
from console.settings.schema import Settings
from tests.incidents.making import alert


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("P1", Severity.S1),
        ("sev-1", Severity.S1),
        ("SEV 0", Severity.S1),
        ("Disaster", Severity.S1),
        ("error", Severity.S2),
        ("CRITICAL", Severity.S1),
        ("Warning", Severity.S2),
        ("p3", Severity.S3),
        ("sev5", Severity.S4),
        ("", Severity.UNKNOWN),
        ("schlimm", Severity.S2),
    ],
)
def test_words_that_people_use_are_known(said: str, level: Severity) -> None:
    assert describe({"severity": said}, {}, LabelNames()).severity is level


def test_own_words_come_first_and_unknown_ones_are_named() -> None:
    names = LabelNames.of({"severity": "prio"}, {"Schlimm": "S1", "p1": "S3"})

    assert describe({"prio": "schlimm"}, {}, names).severity is Severity.S1
    assert describe({"prio": "P1"}, {}, names).severity is Severity.S3
    known, unknown = (replace(alert("x"), severity_text=text) for text in ("schlimm", "wild\x1b"))
    assert names.unknown_words([known]) == ()
    (told,) = names.unknown_words([known, unknown])
    assert "severity wild" in told
    assert "ranks as S2" in told


def test_the_first_label_of_a_list_that_an_alert_has_names_the_model() -> None:
    names = LabelNames.of({"model": ("ml_model", "model_name")})

    assert describe({"model_name": "b", "model": "c"}, {}, names).model == "b"
    assert describe({"model_name": "b", "ml_model": "a"}, {}, names).model == "a"
    assert describe({"model": "c"}, {}, names).model == ""


def test_the_label_of_the_rows_own_server_is_tried_too() -> None:
    row = ModelRow("ha-model", profile="vllm")
    around = surroundings([row], (), Settings())
    named = replace(alert("TTFTHigh"), model="", labels=(("model_name", "ha-model"),))
    other = replace(named, labels=(("model_name", "somebody"),))

    assert _placed(Member(named), around).alert.model == "ha-model"
    assert _placed(Member(other), around).alert.model == ""


def test_the_configuration_takes_both(tmp_path) -> None:
    path = tmp_path / "midwatch.toml"
    text = (
        '[[alerts]]\nname = "am"\nkind = "alertmanager"\nurl = "http://x"\n'
        'labels = { model = ["ml_model", "model_name"], severity = "prio" }\n'
        '[alerts.severity]\nrot = "S1"\n'
    )
    path.write_text(text)
    (place,) = load(Flags(config=path), {"HOME": str(tmp_path)}).settings.alerts
    assert place.labels == {"model": ("ml_model", "model_name"), "severity": "prio"}
    assert place.severity == {"rot": "S1"}
    path.write_text(text.replace("S1", "S9"))
    with pytest.raises(SettingsError) as caught:
        load(Flags(config=path), {"HOME": str(tmp_path)})
    assert '"S1", "S2", "S3" or "S4"' in caught.value.problems[0].render()
