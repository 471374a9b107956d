"""docs/midwatch-control.openapi.yaml, the demo that answers it, and the preset that speaks it."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator

from console.controls.declaration import presets
from console.demo.demo_fleet import DemoFleet
from tests.controls.acting import WHO, preset

CONTRACT = Path(__file__).parents[2] / "docs" / "midwatch-control.openapi.yaml"
CHANGES: Mapping[str, Mapping[str, object]] = {
    "/control/breaker": {"state": "FORCED_OPEN"},
    "/control/route": {"target": "fraud-small"},
    "/control/threshold": {"value": 0.7},
    "/control/review": {"all": True},
}


@pytest.fixture(scope="module")
def contract() -> Any:
    return yaml.safe_load(CONTRACT.read_text())


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    fleet = DemoFleet(scenario="calm")
    fleet.start()
    try:
        yield next(each.url for each in fleet.services if each.name == "fraud-scorer")
    finally:
        fleet.stop()


def faults(contract: Any, schema: Mapping[str, object], document: object) -> list[str]:
    whole = {**schema, "components": contract["components"]}
    return [fault.message for fault in Draft202012Validator(whole).iter_errors(document)]


def schema_of(contract: Any, path: str, method: str, status: str) -> Mapping[str, object]:
    response = contract["paths"][path][method]["responses"][status]
    found = contract["components"]["responses"][response["$ref"].rpartition("/")[2]]
    schema: Mapping[str, object] = found["content"]["application/json"]["schema"]
    return schema


def ask(url: str, document: object = None, **headers: str) -> tuple[int, Mapping[str, str], Any]:
    body = None if document is None else json.dumps(document).encode()
    method = "GET" if document is None else "PUT"
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), json.loads(refused.read())


def test_the_contract_is_a_sound_document(contract: Any) -> None:
    assert contract["openapi"].startswith("3.1")
    for schema in contract["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert set(contract["paths"]) == set(CHANGES)


@pytest.mark.parametrize("path", CHANGES)
def test_the_demo_answers_as_the_contract_says(contract: Any, service: str, path: str) -> None:
    status, headers, document = ask(f"{service}{path}?model=fraud-scorer")
    assert (status, "ETag" in headers) == (200, True)
    assert faults(contract, schema_of(contract, path, "get", "200"), document) == []
    change = {**CHANGES[path], "ttl_seconds": 60, "by": "ana", "reason": "a test"}
    asked = contract["paths"][path]["put"]["requestBody"]["content"]["application/json"]["schema"]
    assert faults(contract, asked, change) == []
    status, after, document = ask(f"{service}{path}?model=fraud-scorer", change)
    assert status == 200
    assert faults(contract, schema_of(contract, path, "put", "200"), document) == []
    assert after["ETag"] != headers["ETag"]


@pytest.mark.parametrize("path", CHANGES)
def test_the_demo_refuses_as_the_contract_says(contract: Any, service: str, path: str) -> None:
    url = f"{service}{path}"
    for status, (asked, headers), document in (
        (404, (f"{url}?model=moon", {}), None),
        (400, (url, {}), {**CHANGES[path], "unheard": 1}),
        (400, (url, {}), {}),
        (412, (url, {"If-Match": '"older"'}), CHANGES[path]),
    ):
        before = ask(url)[1]["ETag"]
        got, _, said = ask(asked, document, **headers)
        assert got == status
        method = "get" if document is None else "put"
        assert faults(contract, schema_of(contract, path, method, str(status)), said) == []
        assert ask(url)[1]["ETag"] == before


@pytest.mark.parametrize("kind", presets()["midwatch"].kinds)
async def test_the_preset_asks_only_what_the_contract_offers(
    contract: Any, service: str, kind: str
) -> None:
    control = preset("midwatch", service, kind=kind, model="fraud-scorer")
    seen = await control.read(0.0)
    for action in control.offers:
        values = {**WHO, "to": "fraud-tiny", "value": 0.123, "ttl_seconds": 60}
        (call,) = control.prepare(action, values, seen).calls
        if call.already:
            continue
        line, _, body = call.shown.partition("\n")
        method, url = line.split(" ")
        path = urlsplit(url).path
        asked = contract["paths"][path][method.lower()]["requestBody"]
        schema = asked["content"]["application/json"]["schema"]
        assert faults(contract, schema, json.loads(body.partition("\n\n")[2])) == []
