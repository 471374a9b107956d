"""One fault of each area: what is tried, and whether the promise held; draws come from a seed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from textual._xterm_parser import XTermParser

from console.actions.executor import ActionExecutor
from console.actions.recovery import WATCH_SECONDS
from console.actions.ttl_controller import Keeper
from console.domain.entry import EntryDraft
from console.domain.text import visible
from console.journal import JournalError, Question, gather_who, open_journal
from console.journal.leases import LONGEST_LEASE_SECONDS
from console.journal.override_log import overrides_in_force
from console.sources.exposition import ExpositionError, ExpositionReader
from tests.actions.support import write_config
from tests.actions.world import config_toml
from tests.faults import operator
from tests.faults.service import GETS, LATE_SECONDS, PUTS
from widgets.terminal_driver import PASTE_LIMIT, InputText

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.domain.entry import Entry, EntryKind
    from console.settings.schema import Settings

HANG_SECONDS = 60.0
UNCHANGED = ("rejected", "failed", "superseded", "no_op", "refused")


class Broken(Exception):
    """A promise that did not hold; the text says which, and how it was seen."""


def hold(promise: bool, text: str) -> None:
    if not promise:
        raise Broken(text)


@dataclass
class Bench:
    """A lying service and operators to fork, in processes of their own; a context manager."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="midwatch-faults-")))
    number: int = 0
    rest: ExitStack = field(default_factory=ExitStack)
    """What single areas begin for themselves, ended with the bench."""

    def __enter__(self) -> Self:
        python = [sys.executable, "-m"]
        self._service = subprocess.Popen(
            [*python, "tests.faults.service"], stdout=subprocess.PIPE, text=True
        )
        assert self._service.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._service.stdout.readline())}"
        text = config_toml(self.folder / "unused.db", [self.url], within=0.5)
        text = text.replace("read = 3.0, total = 4.0", "read = 0.6, total = 1.0")
        config = write_config(self.folder / "c.toml", text)
        self.settings: Settings = operator.settings_of(config)
        self._zygote = subprocess.Popen(
            [*python, "tests.faults.operator", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        hold(self._line() == "ready", "the operators did not start")
        self._sample: bytes = b""
        return self

    def __exit__(self, *_: object) -> None:
        self.rest.close()
        for process in (self._zygote, self._service):
            process.kill()
            process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _line(self) -> str:
        assert self._zygote.stdout is not None
        return self._zygote.stdout.readline().strip()

    def _ask(self, wish: Mapping[str, object]) -> int:
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(wish) + "\n")
        self._zygote.stdin.flush()
        return int(self._line())

    def fork(self, journal: Path | str, name: str = "ana", **more: object) -> tuple[int, Path]:
        """Let an operator begin; return its process and the file of its result."""
        self.number += 1
        out = self.folder / f"out-{self.number}"
        return self._ask({"journal": str(journal), "name": name, "out": str(out), **more}), out

    def wait(self, pid: int) -> int:
        """Wait for an operator and return how it ended; one that hangs is killed and told."""
        end = time.monotonic() + HANG_SECONDS
        while _runs(pid):
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                self._ask({"wait": pid})
                raise Broken("an operator hung")
            time.sleep(0.003)
        return self._ask({"wait": pid})

    def new_journal(self) -> Path:
        self.number += 1
        return self.folder / f"journal-{self.number}" / "j.db"

    def set(self, put: str = "ok", get: str = "ok", state: str = "CLOSED") -> None:
        self._call("/mode", {"put": put, "get": get, "state": state})

    def log(self) -> tuple[str, list[str]]:
        """Return the breaker's state and the changes that arrived."""
        found = self._call("/log")
        return found["states"].get("breaker", "?"), list(found["changes"])

    def _call(self, path: str, data: object = None) -> dict[str, dict[str, str]]:
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body), timeout=10) as r:
            return json.loads(r.read())  # type: ignore[no-any-return]

    def entries(self, journal: Path | str) -> tuple[Entry, ...]:
        opened = open_journal(
            operator.journal_url(journal), who=gather_who("test", "test", {}), read_only=True
        )
        try:
            judged = opened.verify()
            hold(judged.ok, f"the chain is broken: {judged.sentence}")
            return opened.entries(Question())
        finally:
            opened.close()

    def sample(self) -> bytes:
        """Return a small journal as bytes, made once."""
        if not self._sample:
            path = self.new_journal()
            opened = open_journal(f"sqlite:///{path}", who=gather_who("ana", "test", {}))
            kinds: tuple[EntryKind, ...] = ("intent", "outcome", "intent", "override", "note")
            drafts = [
                EntryDraft(
                    kind=kind,
                    at=1.7e9 + 60 * n,
                    op_id=f"01KB{n // 2}",
                    target="fraud",
                    details={"outcome": "applied"},
                )
                for n, kind in enumerate(kinds)
            ]
            opened.append_all(drafts)
            opened.close()
            self._sample = path.read_bytes()
        return self._sample


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def result(out: Path) -> dict[str, object]:
    hold(out.exists(), "an operator ended without a result")
    made: dict[str, object] = json.loads(out.read_text(encoding="utf-8"))
    hold(made["kind"] != "crash", f"an operator crashed: {made['text']}")
    return made


def settle(bench: Bench, journal: Path | str, ahead_seconds: float = 0.0) -> None:
    """Let a keeper look, on a clock that is ahead where what is watched has to be over."""

    async def go() -> None:
        made = operator.environment(
            bench.settings, journal, name="keeper", ahead_seconds=ahead_seconds
        )
        try:
            keeper = Keeper(ActionExecutor(made, "armed"), lambda _: None)
            await keeper.look()
            await keeper.leave()
            hold(made.journal.unsettled() == (), "an intent stays open after the keeper looked")
        finally:
            made.journal.close()

    asyncio.run(asyncio.wait_for(go(), HANG_SECONDS))


def check_truth(kind: object, text: object, state: str, changes: list[str]) -> None:
    hold(len(changes) <= 1, f"sent {len(changes)} times")
    if kind == "applied":
        hold(state == "FORCED_OPEN", f"said applied, and it is {state}: {text}")
    if kind in UNCHANGED:
        hold(state == "CLOSED", f"said {kind}, and it is {state}: {text}")
    if kind == "diverged":
        hold(state not in ("CLOSED", "FORCED_OPEN"), f"said diverged, and it is {state}: {text}")


def check_record(entries: tuple[Entry, ...], changes: list[str]) -> None:
    intents = [each for each in entries if each.kind == "intent"]
    hold(len(intents) >= len(changes), "something arrived that was never written down")
    for each in intents:
        outcomes = [one for one in entries if one.op_id == each.op_id and one.kind == "outcome"]
        hold(len(outcomes) == 1, f"an intent has {len(outcomes)} outcomes")


def lies(draw: random.Random, bench: Bench) -> str:
    """A service that lies when it answers a change, and cannot be read well afterwards."""
    put, get = draw.choice(PUTS), draw.choice(GETS)
    bench.set(put, get)
    journal = bench.new_journal()

    async def go() -> dict[str, object]:
        made = operator.environment(bench.settings, journal)
        try:
            return await operator.act(made)
        finally:
            made.journal.close()

    found = asyncio.run(asyncio.wait_for(go(), HANG_SECONDS))
    state, changes = bench.log()
    what = f"{put}/{get}"
    try:
        check_truth(found["kind"], found["text"], state, changes)
        check_record(bench.entries(journal), changes)
        if put == "late":
            hold(found["kind"] in ("unverified", "applied"), f"late: said {found['kind']}")
            time.sleep(LATE_SECONDS)
            settle(bench, journal)
            state, changes = bench.log()
            hold(len(changes) == 1, f"late: sent {len(changes)} times")
            if get == "ok":
                _holds_one(bench, journal, state)
    except Broken as fault:
        raise Broken(f"{what}: {fault}") from fault
    return what


def _holds_one(bench: Bench, journal: Path, state: str) -> None:
    made = operator.environment(bench.settings, journal)
    try:
        held = overrides_in_force(made.journal)
        hold(len(held) == int(state == "FORCED_OPEN"), f"{len(held)} overrides, state {state}")
        hold(all(each.ends_at is not None for each in held), "an override without an end")
    finally:
        made.journal.close()


def kills(draw: random.Random, bench: Bench) -> str:
    """SIGKILL or SIGTERM at any moment of an action; the keeper closes it by reading."""
    bench.set(draw.choice(("ok", "ok", "apply500", "late", "no500")))
    journal = bench.new_journal()
    pid, out = bench.fork(journal)
    after_seconds = draw.uniform(0.0, 0.25)
    number = draw.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    time.sleep(after_seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    bench.wait(pid)
    time.sleep(LATE_SECONDS)
    if not journal.exists() or journal.stat().st_size == 0:
        hold(bench.log()[1] == [], "something was sent before there was a journal")
        return "before the journal"
    settle(bench, journal)
    state, changes = bench.log()
    entries = bench.entries(journal)
    hold(len(changes) <= 1, f"sent {len(changes)} times")
    check_record(entries, changes)
    said = [each.details.get("outcome") for each in entries if each.kind in ("outcome", "observed")]
    if said and said[-1] not in ("unverified", "partial"):
        check_truth(said[-1], "", state, changes)
    settle(bench, journal, WATCH_SECONDS + 30.0)
    entries = bench.entries(journal)
    said = [each.details.get("outcome") for each in entries if each.kind in ("outcome", "observed")]
    if said:
        hold(said[-1] not in ("unverified",), "still unverified after the end of the watch")
        ended = bench.log()[0]
        hold(ended != "FORCED_OPEN" or said[-1] == "applied", f"in force, and said {said[-1]}")
    hold(len(bench.log()[1]) <= 2, "sent again")
    return f"{number.name} {'alive' if not out.exists() else 'done'}"


def stops(draw: random.Random, bench: Bench) -> str:
    """SIGSTOP in the middle of an action, another operator acts, SIGCONT."""
    bench.set("ok")
    journal = bench.new_journal()
    pid, out = bench.fork(journal)
    time.sleep(draw.uniform(0.0, 0.15))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    other, second = bench.fork(journal, "ben", verb=draw.choice(("trip", "half-open")))
    bench.wait(other) if draw.random() < 0.7 else time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    bench.wait(pid)
    if not second.exists():
        bench.wait(other)
    first = result(out)
    then = result(second)
    _, changes = bench.log()
    acted = [each["kind"] for each in (first, then) if each["kind"] not in (*UNCHANGED,)]
    hold(len(changes) <= len(acted), f"{len(changes)} changes, {acted}")
    check_record(bench.entries(journal), changes)
    return f"{first['kind']}, {then['kind']}"


def races(draw: random.Random, bench: Bench) -> str:
    """Two or three operators at once on one target."""
    bench.set("ok")
    journal = bench.new_journal()
    open_journal(f"sqlite:///{journal}", who=gather_who("ana", "test", {})).append(
        EntryDraft(kind="note", at=time.time(), why="begun")
    )
    names = ("ana", "ben", "cem")[: draw.choice((2, 2, 3))]
    begun = []
    for name in names:
        begun.append(bench.fork(journal, name))
        time.sleep(draw.uniform(0.0, 0.03))
    for pid, _ in begun:
        bench.wait(pid)
    kinds = [result(out)["kind"] for _, out in begun]
    state, changes = bench.log()
    # On a slow machine a read may take too long and nobody acts; two never do.
    applied = kinds.count("applied")
    hold(applied <= 1, f"{kinds}")
    hold(changes == ["FORCED_OPEN"] * applied, f"changes {changes}, {kinds}")
    hold((state == "FORCED_OPEN") == (applied == 1), f"{state}, {kinds}")
    check_record(bench.entries(journal), changes)
    return ", ".join(map(str, kinds))


def clocks(draw: random.Random, bench: Bench) -> str:
    """Leases and entries written by clocks that were ahead or behind."""
    journal = bench.new_journal()
    off = draw.choice((-1, 1)) * 10 ** draw.uniform(0.0, 6.0)
    now = time.time()
    made = operator.environment(bench.settings, journal, ahead_seconds=off)
    try:
        name = "act fraud-scorer"
        lease = made.journal.take_lease(name, "joel@elsewhere:1 01KB", 20.0, now + off)
        seen = made.journal.lease(name, now)
        real = now < lease.expires_at <= now + LONGEST_LEASE_SECONDS
        hold((seen is not None) == real, f"clock {off:+.0f} s: in force {seen is not None}")
        mine = made.journal.take_lease(name, "me", 20.0, now)
        hold((mine.holder == "me") == (not real), f"clock {off:+.0f} s: {mine.holder}")
        left = mine.expires_at - now
        hold(left <= LONGEST_LEASE_SECONDS, f"blocked for {left:.0f} s")
        made.journal.append(EntryDraft(kind="note", at=now + off, why="written then"))
        later = made.journal.append(EntryDraft(kind="note", at=now, why="written now"))
        hold(made.journal.verify().ok, "the chain")
        hold(later.clock_back_seconds >= 0.0, "a clock that went back")
    finally:
        made.journal.close()
    return f"{off:+.0f} s"


def flips(draw: random.Random, bench: Bench) -> str:
    """A byte of the journal changed: named, refused as damaged, or nothing that is read changed."""
    raw = bytearray(bench.sample())
    at = draw.randrange(len(raw))
    raw[at] ^= draw.randrange(1, 256)
    path = bench.folder / f"flipped-{draw.randrange(8)}.db"
    path.write_bytes(raw)
    path.chmod(0o600)
    sound = bench.folder / "sound.db"
    if not sound.exists():
        sound.write_bytes(bench.sample())
        sound.chmod(0o600)
    who = gather_who("test", "test", {})
    try:
        journal = open_journal(f"sqlite:///{path}", who=who, read_only=True)
    except JournalError:
        return "refused"
    try:
        judged = journal.verify()
        if not judged.ok:
            return "named"
        right = open_journal(f"sqlite:///{sound}", who=who, read_only=True)
        try:
            hold(journal.listing() == right.listing(), f"byte {at}: read otherwise and not named")
            hold(journal.unsettled() == right.unsettled(), f"byte {at}: folded otherwise")
        finally:
            right.close()
    except JournalError:
        return "refused"
    finally:
        journal.close()
    return "not read"


_NASTY = (
    "\x00\x07\x1b[2J\x1b]52;c;x\x07\x9b1m\u202e\u2066\u200b\ufeff\u2028\x7f\r\n\t|<!--`[]\ud800😀é"
)


def hostile_text(draw: random.Random) -> str:
    count = draw.randrange(0, 40)
    picked = [
        draw.choice(_NASTY) if draw.random() < 0.6 else chr(draw.randrange(0x110000))
        for _ in range(count)
    ]
    return "".join(picked)


def texts(draw: random.Random, bench: Bench) -> str:
    """Text from outside as target, reason and detail: kept, and harmless wherever it is shown."""
    from console.cli.journal_command import entry_lines, listed_line

    text = hostile_text(draw)
    shown = visible(text, 200)
    bad = [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    hold(not bad, f"{text!r} is shown with {bad!r}")
    if draw.random() < 0.1:
        path = bench.folder / "texts" / "j.db"
        journal = open_journal(f"sqlite:///{path}", who=gather_who("ana", "test", {}))
        try:
            draft = EntryDraft(
                kind="note", at=time.time(), target=text, why=text, details={"text": text}
            )
            entry = journal.append(draft)
            lines = [listed_line(entry), *entry_lines(entry)]
            bad = [c for c in "".join(lines) if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
            hold(not bad, f"{text!r} is listed with {bad!r}")
            hold(journal.tail(entry.seq - 1) == (entry,), "read back otherwise")
        finally:
            journal.close()
    return f"{len(text)} characters"


_LINES = (
    'model_requests_total{model="m",status="ok"} 10',
    'model_latency_seconds_bucket{model="m",le="0.5"} 3',
    "# TYPE model_requests_total counter",
    'model_drift{kind="prediction",measure="psi"} NaN 1700000000000',
)


def sources(draw: random.Random, _bench: Bench) -> str:
    """A metrics page with bytes changed, cut or blown up: read, or refused in a sentence."""
    text = bytearray("\n".join(draw.choice(_LINES) for _ in range(draw.randrange(1, 8))).encode())
    for _ in range(draw.randrange(0, 6)):
        at = draw.randrange(len(text))
        match draw.randrange(4):
            case 0:
                text[at] = draw.randrange(256)
            case 1:
                del text[at : at + draw.randrange(1, 9)]
                text = text or bytearray(b"\n")
            case 2:
                text[at:at] = bytes(draw.randrange(256) for _ in range(3))
            case _:
                text[at:at] = b"x" * draw.choice((10, 5000))
    reader = ExpositionReader(lambda _: True)
    try:
        found = reader.read(bytes(text))
    except ExpositionError as fault:
        bad = [c for c in fault.sentence if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
        hold(not bad, f"the refusal holds {bad!r}")
        hold(len(fault.sentence) < 1000, "the refusal is endless")
        return "refused"
    hold(len(found.ids) == len(found.values), "ids and values")
    hold(all(0 <= each < len(reader.series) for each in found.ids), "ids")
    return "read"


def keys(draw: random.Random, _bench: Bench) -> str:
    """Bytes from a terminal: text for the parser, bounded, and no exception."""
    reading, parser = InputText(), XTermParser()
    pieces = (
        b"\x1b[200~",
        b"\x1b[201~",
        b"\x1b[<35;1;1M",
        b"\x1b",
        b"\xff\xfe",
        b"q" * 300,
        b"\xe9j",
    )
    now = fed = 0.0
    for _ in range(draw.randrange(1, 30)):
        data = draw.choice(pieces) if draw.random() < 0.6 else draw.randbytes(draw.randrange(1, 60))
        now += draw.choice((0.001, 0.3, 9.0))
        text = reading.stalled(now) + reading.feed(data, now)
        fed += len(text)
        hold(len(text) <= len(data) + PASTE_LIMIT, "more came out than went in")
        if text:
            for event in parser.feed(text):
                hold(event is not None, "an event")
    return f"{fed:.0f} characters"


def disks(draw: random.Random, bench: Bench) -> str:
    """A disk that takes no more at any point: nothing is sent that was not written down before."""
    bench.set("ok")
    journal = bench.new_journal()
    open_journal(f"sqlite:///{journal}", who=gather_who("ana", "test", {})).append(
        EntryDraft(kind="note", at=time.time(), why="begun")
    )
    size = journal.stat().st_size
    limit = size + draw.choice((0, 0, 512, 2048, 4096, 8192, 16384, 40000))
    pid, out = bench.fork(journal, file_limit=limit)
    bench.wait(pid)
    found = result(out)
    state, changes = bench.log()
    check_truth(found["kind"], found["text"], state, changes)
    if changes:
        settle(bench, journal)
        check_record(bench.entries(journal), changes)
    return f"{limit - size} bytes left: {found['kind']}"
