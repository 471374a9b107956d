"""Anchors: heads kept in a file or behind a URL, and what they prove."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from console.domain.entry import JournalHead
from console.journal import JournalError
from console.journal.anchor import publish_anchor, read_anchors
from console.settings.endpoint_tables import AuthSettings
from console.settings.secrets import SecretResolver
from tests.http.serving import Asked, Handler, serving
from tests.journal.records import NOW, head_of, note, opened, tamper

HEAD = JournalHead(chain="01KB2", seq=7, hash="a" * 64, at=NOW)


def test_a_file_gets_a_line_more_each_time_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "anchor"
    later = JournalHead(chain="01KB2", seq=9, hash="b" * 64, at=NOW + 60)
    publish_anchor(str(file), HEAD)
    publish_anchor(str(file), later)
    assert read_anchors(str(file)) == (HEAD, later)
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text().splitlines()[0])["at"] == "2026-11-23T02:47:13.250000Z"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "shopping list",
        '{"chain": "x"}',
        '{"chain": "x", "seq": true, "hash": "zz", "at": "2026-11-23T02:47:13.250000Z"}',
        "[[]]",
        '"text"',
        '{"chain": 1, "seq": 1, "hash": "x", "at": ""}',
    ],
)
def test_what_is_no_anchor_is_never_taken_for_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "anchor"
    file.write_text(content)
    with pytest.raises(JournalError, match="holds"):
        read_anchors(str(file))
    with pytest.raises(JournalError, match="cannot be read"):
        read_anchors(str(tmp_path / "absent"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be written"):
        publish_anchor(str(tmp_path / "no" / "anchor"), HEAD)


def test_a_witness_behind_http_keeps_heads_and_proves_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[dict[str, str]] = []

    def witness(handler: Handler, asked: Asked) -> None:
        if asked.headers.get("authorization") != "Bearer t0ken":
            handler.answer(401)
            return
        if asked.method == "POST":
            kept.append({key: one[0] for key, one in parse_qs(asked.body.decode()).items()})
            handler.answer(200)
            return
        handler.answer(200, json.dumps(kept).encode())

    auth = AuthSettings(type="bearer", secret="env:WITNESS")
    resolver = SecretResolver(["env:WITNESS"], {"WITNESS": "t0ken"})
    path = tmp_path / "state" / "journal.db"
    journal = opened(path)
    journal.append_all([note("a"), note("b")])
    with serving(witness) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/heads"
        with pytest.raises(JournalError, match="401"):
            publish_anchor(url, HEAD)
        publish_anchor(url, head_of(journal), auth=auth, resolver=resolver)
        anchors = read_anchors(url, auth=auth, resolver=resolver)
        assert journal.verify(anchors).end == "proven"
        tamper(path, "DELETE FROM midwatch_entry WHERE seq = 3")
        assert journal.verify().ok
        judged = journal.verify(anchors)
        assert (judged.ok, judged.bad_seq) == (False, 3)
        assert judged.problem.endswith("its end was cut off")


def test_a_witness_that_is_not_there_is_told() -> None:
    with pytest.raises(JournalError, match="the anchor cannot be reached"):
        read_anchors("http://127.0.0.1:1/heads")
