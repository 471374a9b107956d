"""Precedence: flag over environment over file over default, and what nothing may raise."""

from pathlib import Path

import pytest

from console.settings.load import Flags, Loaded, SettingsError, load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        'theme = "light"\nwrites = "armed"\nrefresh = "7s"\n'
        '[[sources]]\nname = "prometheus"\nkind = "prometheus"\nurl = "http://file"\n'
    )
    path.chmod(0o600)
    return path


def test_flag_over_environment_over_file_over_default(config: Path) -> None:
    environ = {"MIDWATCH_CONFIG": str(config)}
    assert load(Flags(), {}).settings.theme == "dark"
    assert load(Flags(), environ).settings.theme == "light"
    environ["MIDWATCH_THEME"] = "ansi"
    by_environment = load(Flags(), environ)
    assert by_environment.settings.theme == "ansi"
    assert by_environment.origins["theme"].where == "MIDWATCH_THEME"
    by_flag = load(Flags(theme="high-contrast"), environ)
    assert by_flag.settings.theme == "high-contrast"
    assert (by_flag.origins["theme"].kind, by_flag.origins["theme"].where) == ("flag", "--theme")
    assert by_flag.origins["refresh"].kind == "file"
    assert by_flag.origins["mouse"].kind == "default"


def test_every_variable_counts(config: Path) -> None:
    settings = load(
        Flags(),
        {
            "MIDWATCH_CONFIG": str(config),
            "MIDWATCH_REFRESH": "9s",
            "MIDWATCH_WRITES": "open",
            "MIDWATCH_ASCII": "1",
            "MIDWATCH_ENVIRONMENT": "lab",
        },
    ).settings
    assert settings.refresh_seconds == 9.0
    assert (settings.writes, settings.ascii, settings.environment) == ("open", True, "lab")


def test_a_fault_in_a_flag_or_variable_names_it() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Flags(theme="drak"), {"MIDWATCH_REFRESH": "5", "MIDWATCH_ASCII": "perhaps"})
    text = caught.value.render()
    for place in ("--theme", "MIDWATCH_REFRESH", "MIDWATCH_ASCII", 'did you mean "dark"'):
        assert place in text


def names_and_urls(result: Loaded) -> list[tuple[str, str | None]]:
    return [(source.name, source.url) for source in result.settings.sources]


def test_sources_of_flags_need_no_file() -> None:
    result = load(
        Flags(prometheus=("http://a:9090", "http://b:9090"), scrape=("http://c/m", "http://d/m")),
        {},
    )
    assert names_and_urls(result) == [
        ("prometheus", "http://a:9090"),
        ("prometheus-2", "http://b:9090"),
        ("scrape", None),
    ]
    assert result.settings.sources[2].targets == ("http://c/m", "http://d/m")
    assert result.origins["sources.prometheus-2.url"].where == "--prometheus"


def test_sources_of_flags_come_first_under_free_names(config: Path) -> None:
    result = load(Flags(config=config, prometheus=("http://flag",)), {})
    assert names_and_urls(result) == [
        ("prometheus-2", "http://flag"),
        ("prometheus", "http://file"),
    ]
    assert result.origins["sources.prometheus.url"].where == f"{config}:7"


def test_sources_of_variables_give_way_to_flags() -> None:
    environ = {"MIDWATCH_PROMETHEUS": "http://a, http://b", "MIDWATCH_SCRAPE": "http://c/m"}
    assert len(load(Flags(), environ).settings.sources) == 3
    result = load(Flags(prometheus=("http://f",)), environ)
    assert names_and_urls(result) == [("prometheus", "http://f"), ("scrape", None)]
    assert result.origins["sources.scrape.targets"].where == "MIDWATCH_SCRAPE"


def test_a_bad_url_in_a_flag_is_told_as_the_flags() -> None:
    with pytest.raises(SettingsError) as caught:
        load(Flags(prometheus=("localhost:9090",)), {})
    (fault,) = caught.value.problems
    assert fault.file == "--prometheus"
    assert 'did you mean "http://localhost:9090"?' in fault.hint


def test_lines_of_the_file_stay_right_beside_added_sources(config: Path) -> None:
    config.write_text(config.read_text().replace("http://file", "file"))
    with pytest.raises(SettingsError) as caught:
        load(Flags(config=config, prometheus=("http://flag",)), {})
    (fault,) = caught.value.problems
    assert (fault.file, fault.line) == (str(config), 7)


def test_nothing_raises_writes_never(config: Path) -> None:
    config.write_text('writes = "never"\n')
    result = load(Flags(config=config, write=True), {"MIDWATCH_WRITES": "open"})
    assert result.settings.writes == "never"
    assert not result.armed_at_start
    assert any("MIDWATCH_WRITES is ignored" in sentence for sentence in result.warnings)
    assert any("--write is ignored" in sentence for sentence in result.warnings)


def test_read_only_lowers_and_write_arms(config: Path) -> None:
    assert load(Flags(config=config, read_only=True), {}).settings.writes == "never"
    armed = load(Flags(config=config, write=True), {})
    assert (armed.settings.writes, armed.armed_at_start) == ("armed", True)
    assert not load(Flags(config=config), {}).armed_at_start
    with pytest.raises(SettingsError, match="--read-only"):
        load(Flags(config=config, write=True, read_only=True), {})
