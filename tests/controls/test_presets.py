"""The shipped presets as data: they load, they compile, and they say on what they rest."""

from pathlib import Path

import pytest

from console.controls.declaration import parse_preset, presets
from console.controls.protocol import ControlError
from console.controls.registry import build_control, build_controls
from console.settings.endpoint_tables import ControlAction, ControlRead, ControlSettings
from console.settings.load import Flags, load

KINDS = [(name, kind) for name, preset in presets().items() for kind in preset.kinds]


def settings(name: str, kind: str, /, **changes: object) -> ControlSettings:
    needs = presets()[name].kinds[kind].needs
    plain: dict[str, object] = {
        "driver": "http",
        "preset": name,
        "kind": kind,
        "targets": ("http://127.0.0.1:1",),
        "vars": dict.fromkeys(needs, 'it\'s "a" `name`\\'),
    }
    return ControlSettings(**{**plain, **changes})  # type: ignore[arg-type]


def test_every_preset_of_the_design_is_there() -> None:
    assert set(presets()) == {
        "envoy",
        "grafana-annotation",
        "litellm",
        "midwatch",
        "midwatch-dependency",
        "mlflow-alias",
        "mlflow-tags",
        "mlserver",
        "pagerduty",
        "pagerduty-events",
        "resilience4j",
        "sglang-router",
        "slack-webhook",
        "triton",
        "webhook",
    }


ANNOTATES = {"line", "text", "time_ms", "model", "kind"}
"""What a decision says of itself to those who keep a mark of it."""


CALLS = {
    "to", "summary", "brief", "text", "mrkdwn", "title", "level", "severity", "models",
    "component", "source", "dedup_key",
}  # fmt: skip
GIVEN = {"annotate": ANNOTATES, "escalate": CALLS}


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_preset_compiles_with_any_name_and_names_what_it_needs(name: str, kind: str) -> None:
    control = build_control("c", settings(name, kind), None)
    assert control.problem == ""
    assert control.kind == kind
    for offer in control.offers.values():
        # What creates without a key of ours must be found again before it may be sent again.
        # What calls somebody is never sent again by itself.
        found = offer.retry_class == "C" and offer.has_lookup
        assert offer.retry_class == "A" or found or kind == "escalate"
        assert set(offer.needs) <= GIVEN.get(kind, {"to", "value"})
        assert offer.label != offer.action
    for need in presets()[name].kinds[kind].needs:
        lacking = {key: value for key, value in settings(name, kind).vars.items() if key != need}
        problem = build_control("c", settings(name, kind, vars=lacking), None).problem
        assert f"controls.c.vars.{need} is not set" in problem


def test_a_preset_says_on_what_it_rests() -> None:
    proven = {name for name, preset in presets().items() if preset.proof == "ci"}
    contracts = {"grafana-annotation", "litellm", "pagerduty", "resilience4j"}
    contracts |= {"pagerduty-events", "slack-webhook", "webhook"}
    assert set(presets()) - proven == contracts
    for name, preset in presets().items():
        assert preset.server if name in proven else preset.source
    control = build_control("c", settings("resilience4j", "breaker"), None)
    assert control.proof.sentence.startswith("contract only (resilience4j/resilience4j")
    assert control.offers["trip"].proof.unproven


def test_a_declaration_of_ones_own_replaces_a_presets_and_loses_its_proof() -> None:
    own = ControlAction(desired=("FORCED_OPEN",), path="/mine")
    control = build_control("c", settings("midwatch", "breaker", actions={"trip": own}), None)
    assert control.offers["trip"].proof.sentence == "not run"
    assert control.offers["trip"].label == "trip"
    assert not control.offers["reset"].proof.unproven
    read = ControlRead(path="/mine", value="state")
    control = build_control("c", settings("midwatch", "breaker", read=read), None)
    assert control.proof.unproven


def test_the_service_keeps_the_end_only_where_the_request_carries_it() -> None:
    control = build_control("c", settings("midwatch", "breaker"), None)
    assert control.offers["trip"].ends_itself
    assert not control.offers["reset"].ends_itself
    assert not build_control("c", settings("envoy", "breaker"), None).offers["trip"].ends_itself


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "resiliance4j"}, 'no preset "resiliance4j"; there are envoy'),
        ({"preset": "midwatch", "kind": None}, "needs kind = one of breaker, human"),
        ({"preset": "midwatch", "kind": "ack"}, "has no kind ack; it has breaker"),
        ({"driver": "exec"}, 'is for driver = "http"'),
        ({"driver": "alertmanager", "preset": None}, "drives http, exec, local"),
        ({"preset": "file:own.toml"}, "must be absolute"),
        ({"preset": "file:/no/such.toml"}, "cannot be read"),
        ({"targets": (), "targets_from": {"dns": "x"}}, "x is no base URL"),
        ({"targets": (), "targets_from": {"promql": "up"}}, "needs a source to ask"),
        ({"targets": ()}, "needs targets, or targets_from"),
        ({"targets": (), "targets_from": {"dns": "http://example.net"}}, "is plain http"),
    ],
)
def test_a_fault_disables_one_control_and_says_why(changes: dict[str, object], said: str) -> None:
    control = build_control("c", settings("envoy", "breaker", **changes), None)
    assert said in control.problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = 1", "own.toml:1: title\n    found    1 (a number)"),
        ('title = "x"\n[kinds.breaker]\nneed = {}', 'hint     did you mean "needs"?'),
        ('title = "x"\n[kinds.brake]', "the unknown kind brake; allowed: breaker"),
        ('title = "x"', "declares no kind"),
        ("title =", "is not TOML"),
        ('title="x"\n[kinds.breaker.read]\npath="/../x"', "kinds.breaker.read.path"),
    ],
)
def test_a_faulty_preset_file_says_where(text: str, said: str) -> None:
    with pytest.raises(ControlError) as caught:
        parse_preset(text, "own.toml")
    assert said in str(caught.value)


def test_a_preset_file_of_ones_own_cannot_call_itself_proven(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        'title = "x"\nproof = "ci"\nserver = "s"\n[kinds.breaker.read]\npath = "/"\nvalue = "@"\n'
        '[kinds.breaker.actions.trip]\ndesired = ["x"]\npath = "/"\n'
    )
    path.chmod(0o600)
    control = build_control("c", settings("envoy", "breaker", preset=f"file:{path}"), None)
    assert (control.problem, control.proof.unproven) == ("", True)
    path.chmod(0o666)
    control = build_control("c", settings("envoy", "breaker", preset=f"file:{path}"), None)
    assert "can be written by others" in control.problem


def test_controls_of_a_configuration_are_built_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        """
[controls.good]
driver = "http"
preset = "midwatch"
kind = "route"
targets = ["http://127.0.0.1:1"]
vars = { model = "fraud-scorer" }
[controls.bad]
driver = "http"
preset = "nothing"
targets = ["http://127.0.0.1:1"]
"""
    )
    path.chmod(0o600)
    loaded = load(Flags(config=path), {"HOME": str(tmp_path)})
    controls = build_controls(loaded.settings, None)
    assert list(controls) == ["good", "bad"]
    assert controls["good"].problem == ""
    assert set(controls["good"].offers) == {"fallback", "restore", "human"}
    assert "no preset" in controls["bad"].problem


def test_the_controls_of_the_sample_configuration_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text((Path(__file__).parents[2] / "config.sample.toml").read_text())
    path.chmod(0o600)
    loaded = load(Flags(config=path), {"HOME": str(tmp_path)}, references=False)
    controls = build_controls(loaded.settings, None)
    assert {name: control.problem for name, control in controls.items()} == dict.fromkeys(
        (
            "fraud-breaker",
            "fs-breaker",
            "pager",
            "fraud-tags",
            "fraud-alias",
            "charts",
            "fraud-dag",
        ),
        "",
    )
    assert controls["fs-breaker"].proof.sentence == "not run"
