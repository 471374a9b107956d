"""Contract test: Grafana's published annotations API, by a server written from its documents."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from console.domain.snapshot import Change
from console.http.resilience import WireError
from console.incidents.annotations import MOST, GrafanaAnnotations, build_annotations
from console.incidents.feeds import AlertsUnreadable, describe
from console.incidents.severity_words import LabelNames
from console.settings.endpoint_tables import AuthSettings, ChangeSettings
from console.settings.secret_references import SecretValue
from tests.support.web import Reply, Request, WebServer, web_server

NOW = 1_763_865_000.0
DAY_MS = 86_400_000


def annotation(seconds_ago: float, text: str, *tags: str, **more: object) -> dict[str, object]:
    made = {
        "id": 7, "alertId": 0, "dashboardUID": "", "panelId": 0, "userId": 1, "login": "maria",
        "created": 0, "updated": 0, "time": int((NOW - seconds_ago) * 1000),
        "timeEnd": 0, "text": text, "tags": list(tags), "data": {},
    }  # fmt: skip
    return {**made, **more}


class Grafana:
    """What the documents say: from, to and limit count; several tags must all be there."""

    def __init__(self) -> None:
        self.kept: list[dict[str, object]] = []
        self.status = 200

    def __call__(self, request: Request) -> Reply:
        parts = urlsplit(request.path)
        asked = parse_qs(parts.query)
        if parts.path != "/api/annotations" or self.status != 200:
            return Reply(b'{"message":"no"}', 404 if self.status == 200 else self.status)
        wanted = set(asked.get("tags", ()))
        low, high = int(asked["from"][0]), int(asked["to"][0])
        found = [
            each
            for each in self.kept
            if wanted <= set(each["tags"] or ()) and low <= each["time"] <= high  # type: ignore[call-overload, operator]
        ]
        limit = int(asked.get("limit", ["100"])[0])
        return Reply(json.dumps(found[:limit]).encode(), content_type="application/json")


@pytest.fixture
def grafana() -> Iterator[tuple[Grafana, WebServer]]:
    made = Grafana()
    with web_server(made) as server:
        yield made, server


async def read(server: WebServer, *tags: str) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    reader = build_annotations(ChangeSettings("g", "grafana", url=server.url, tags=tags))
    try:
        told = await reader.read(NOW)
    finally:
        await reader.aclose()
    return told.changes, told.warnings


async def test_tags_say_what_a_change_is_about(grafana: tuple[Grafana, WebServer]) -> None:
    made, server = grafana
    made.kept = [
        annotation(60, "config push #8812", "deploy", "dependency:feature-store-eu"),
        annotation(90, "two at once", "model:fraud", "model:kyc", "model:"),
        annotation(120, "gateway 4.2", "deploy", login=""),
        annotation(150, "", "deploy", "prod"),
    ]
    changes, warnings = await read(server)
    assert changes == (
        Change(NOW - 60, "feature-store-eu", "config push #8812 (maria)"),
        Change(NOW - 90, "fraud", "two at once (maria)"),
        Change(NOW - 90, "kyc", "two at once (maria)"),
        Change(NOW - 120, "", "gateway 4.2"),
        Change(NOW - 150, "", "deploy, prod (maria)"),
    )
    assert warnings == ()


async def test_declared_tags_narrow_and_the_last_day_is_asked(
    grafana: tuple[Grafana, WebServer],
) -> None:
    made, server = grafana
    made.kept = [annotation(5, "a", "deploy", "prod"), annotation(5, "b", "deploy")]
    changes, _ = await read(server, "deploy", "prod")
    assert [change.text for change in changes] == ["a (maria)"]
    asked = parse_qs(urlsplit(server.requests[-1].path).query)
    assert int(asked["to"][0]) - int(asked["from"][0]) == DAY_MS
    assert asked["limit"] == [str(MOST)]


async def test_alerts_and_plans_are_no_changes(grafana: tuple[Grafana, WebServer]) -> None:
    made, server = grafana
    made.kept = [annotation(5, "an alert of Grafana's own", alertId=3), annotation(0, "now")]
    changes, _ = await read(server)
    assert [change.text for change in changes] == ["now (maria)"]


async def test_hostile_texts_are_harmless_and_a_foreign_entry_costs_itself_alone(
    grafana: tuple[Grafana, WebServer],
) -> None:
    made, server = grafana
    made.kept = [
        annotation(5, "\x1b[2J[/foo]\n\n" + "x" * 10_000, "model:\x1b[31mred"),
        annotation(6, "sound", tags=None) | {"tags": ["deploy"]},
        annotation(7, "odd", "t") | {"text": 5},
    ]
    changes, warnings = await read(server)
    assert [len(change.text) < 300 and "\x1b" not in change.text for change in changes] == [
        True
    ] * 2
    assert changes[1].text == "sound (maria)"
    assert len(warnings) == 1
    assert warnings[0].startswith("1 of 3 annotations cannot be read")


async def test_more_than_is_read_is_said(grafana: tuple[Grafana, WebServer]) -> None:
    made, server = grafana
    made.kept = [annotation(5, str(number)) for number in range(MOST + 3)]
    changes, warnings = await read(server)
    assert len(changes) == MOST
    assert "only the newest" in warnings[0]


async def test_a_refused_token_and_a_login_page_are_said(
    grafana: tuple[Grafana, WebServer],
) -> None:
    made, server = grafana
    made.status = 401
    with pytest.raises(WireError, match="401"):
        await read(server)
    server.answer = lambda _request: Reply(b"<html>log in", content_type="text/html")
    with pytest.raises(AlertsUnreadable, match="not Grafana's list of annotations"):
        await read(server)


async def test_the_token_travels_in_the_header_alone(grafana: tuple[Grafana, WebServer]) -> None:
    _, server = grafana

    class Secrets:
        def get(self, reference: str, timeout_seconds: float = 3.0) -> SecretValue:
            return SecretValue("s3cret")

        def refresh(self, reference: str) -> None:
            raise AssertionError(reference)

    auth = AuthSettings("bearer", secret="env:GRAFANA_TOKEN")
    reader: GrafanaAnnotations = build_annotations(
        ChangeSettings("g", "grafana", url=server.url, auth=auth), Secrets()
    )
    await reader.read(NOW)
    await reader.aclose()
    assert server.requests[-1].headers["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in server.requests[-1].path


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            '<b>Errors</b> over 5%<br/>see <a href="https://a.example/x">book</a> &amp; call',
            "Errors over 5% see book (https://a.example/x) & call",
        ),
        ("p95 <5s and a<b", "p95 <5s and a<b"),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("a &lt;b&gt; c", "a <b> c"),
        ("<script>x</script>", "<script>x</script>"),
    ],
)
def test_html_in_an_annotation_reads_as_text(written: str, shown: str) -> None:
    said = describe({"alertname": "A"}, {"summary": written}, LabelNames())
    assert said.summary == shown
