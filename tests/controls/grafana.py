"""Grafana's annotations as its published HTTP API describes them, and nothing more of Grafana.

No Grafana is run here: what rests on this server is called a contract test, never a proof.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.http.serving import Asked, Handler, serving

DEFAULT_LIMIT = 100


@dataclass
class Grafana:
    """Annotations by id; ``loses_answers`` keeps what was sent and breaks off before answering."""

    url: str = ""
    annotations: dict[int, dict[str, object]] = field(default_factory=dict)
    loses_answers: bool = False
    posted: int = 0

    def answer(self, handler: Handler, asked: Asked) -> None:
        split = urlsplit(asked.path)
        if asked.headers.get("authorization") != "Bearer glsa_test":
            told(handler, 401, {"message": "Unauthorized"})
        elif asked.method == "GET":
            told(handler, 200, self.found(parse_qs(split.query)))
        elif asked.method == "POST":
            self.post(handler, json.loads(asked.body))
        elif self.annotations.pop(int(split.path.rpartition("/")[2]), None) is None:
            told(handler, 404, {"message": "Could not find annotation to update"})
        else:
            told(handler, 200, {"message": "Annotation deleted"})

    def found(self, query: dict[str, list[str]]) -> list[dict[str, object]]:
        """Several ``tags`` must all be there; newest first, 100 unless told."""
        wanted = set(query.get("tags", []))
        limit = int(query.get("limit", [str(DEFAULT_LIMIT)])[0])
        matching = [
            {"id": number, **one}
            for number, one in self.annotations.items()
            if wanted <= {str(tag) for tag in one["tags"]}  # type: ignore[attr-defined]
        ]
        return matching[::-1][:limit]

    def post(self, handler: Handler, document: dict[str, object]) -> None:
        self.posted += 1
        if not document.get("text"):
            told(handler, 400, {"message": "text field should not be empty"})
            return
        number = len(self.annotations) + 1
        self.annotations[number] = document
        if self.loses_answers:
            handler.close_connection = True
            return
        told(handler, 200, {"message": "Annotation added", "id": number})


def told(handler: Handler, status: int, document: object) -> None:
    handler.answer(status, json.dumps(document).encode())


@contextmanager
def grafana() -> Iterator[Grafana]:
    made = Grafana()
    with serving(made.answer) as server:
        made.url = server.url
        yield made
