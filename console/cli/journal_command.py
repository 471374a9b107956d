"""``midwatch journal``: list, show, verify, export, prune and anchor the record."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from console.actions.write_gate import mode_of_command, require_writable
from console.cli import command_line
from console.cli.bootstrap import prepare
from console.cli.command_line import (
    CommandError,
    Parser,
    UsageError,
    add_shared,
    flags,
    moment,
    one_of,
)
from console.domain.action import WritesNotAllowed
from console.domain.entry import ENTRY_KINDS, Entry, EntryDraft, Who
from console.domain.text import visible
from console.journal import (
    KEEP_SECONDS,
    BrokenEntryError,
    JournalError,
    JournalReadOnlyError,
    JournalReplacedError,
    Question,
    open_configured,
)
from console.journal.anchor import AnchorPlace, anchor_place, anchors_at, bearer, publish_anchor
from console.journal.chain import iso
from console.journal.export import verify_files
from console.journal.store_base import short_op
from console.settings.durations import format_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from console.cli.bootstrap import Prepared
    from console.domain.entry import EntryKind, JournalHead, Verification
    from console.journal import Journal
    from console.journal.journal import ChainedJournal

_TIMES = frozenset({"at", "store_at", "first_at", "last_at", "expires_at"})
_LONGEST = 4000
_NAMES = {
    "op_id": "operation",
    "confirm_class": "class",
    "blast": "blast radius",
    "config_digest": "configuration",
    "prev_hash": "hash before",
}


def document_of(value: msgspec.Struct | BrokenEntryError) -> dict[str, object]:
    """Return a Struct as JSON values with times in ISO 8601 UTC."""
    if isinstance(value, BrokenEntryError):
        return {"seq": value.seq, "broken": value.problem}
    made: dict[str, object] = msgspec.to_builtins(value)
    return _with_iso_times(made)


def _with_iso_times(table: dict[str, object]) -> dict[str, object]:
    """Return the journal's own times as text; what an entry carries inside stays as it is."""
    changed: dict[str, object] = {}
    for key, value in table.items():
        if key in _TIMES and isinstance(value, float):
            changed[key] = iso(value)
        elif key == "head" and isinstance(value, dict):
            changed[key] = _with_iso_times(value)
        elif key == "archived" and isinstance(value, (list, tuple)):
            changed[key] = [_with_iso_times(each) for each in value]
        else:
            changed[key] = value
    return changed


def listed_line(entry: Entry | BrokenEntryError) -> str:
    """Return one entry on one line: number, time, operation, kind, what, who, why."""
    if isinstance(entry, BrokenEntryError):
        return f"{entry.seq:>6}  BROKEN: {visible(entry.problem)}"
    at = iso(entry.at)
    what = " ".join(part for part in (entry.action, entry.target, entry.confirm_class) if part)
    who = f"{entry.who.name}@{entry.who.host}"
    why = f'"{visible(entry.why, 100)}"' if entry.why else ""
    tail = visible(entry.incident, 40) if entry.incident else ""
    late = f"(clock {entry.clock_back_seconds:.0f} s back)" if entry.clock_back_seconds else ""
    line = (
        f"{entry.seq:>6}  {at[:10]} {at[11:19]}Z  {short_op(entry.op_id) or '-':<6}  "
        f"{visible(entry.kind, 17):<17}  "
        f"{visible(what, 48) or '-':<30}  {visible(who, 40):<18}  {why}  {tail}  {late}"
    )
    return line.rstrip()


def entry_lines(entry: Entry) -> Iterator[str]:
    """Yield one entry field by field; fields that say nothing are left out."""
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if value is None or value in ("", {}, 0.0):
            continue
        if name in _TIMES:
            shown = iso(value)
        elif isinstance(value, Who):
            shown = _who(value)
        elif isinstance(value, str):
            shown = visible(value, _LONGEST)
        else:
            shown = visible(json.dumps(value, ensure_ascii=False, sort_keys=True), _LONGEST)
        yield f"{_NAMES.get(name, name.replace('_', ' ')):<14}  {shown}"


def _who(who: Who) -> str:
    told = [f"{who.name} ({who.name_source})", f"account {who.os_user} on {who.host}"]
    if who.login_user and who.login_user != who.os_user:
        told.append(f"logged in as {who.login_user}")
    if who.sudo_user:
        told.append(f"sudo by {who.sudo_user}")
    if who.ssh_connection:
        told.append(f"ssh from {who.ssh_connection.split(' ')[0]}")
    if who.tty:
        told.append(f"terminal {who.tty}")
    if who.multiplexer:
        told.append(f"in {who.multiplexer}")
    told.append(f"process {who.pid}")
    return visible(", ".join(told), _LONGEST)


def verification_lines(judged: Verification) -> Iterator[str]:
    """Yield the judgement, the end of the chain, and what else was seen."""
    yield f"{'ok' if judged.ok else 'FAILED'}: {visible(judged.sentence, _LONGEST)}"
    if judged.head is not None:
        place = "head: entry" if judged.ok else "sound up to entry"
        yield f"{place} {judged.head.seq} {judged.head.hash} {iso(judged.head.at)}"
    for remark in judged.remarks:
        yield f"note: {visible(remark)}"


_VERBS = ("list", "show", "verify", "export", "prune", "anchor", "init", "accept")
_WRITING = frozenset({"prune", "anchor", "init", "accept"})
_LISTED = 50


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Run one verb; `verify` exits 1 on a broken chain."""
    chosen = parser().parse_all(arguments)
    try:
        if chosen.verb in _WRITING:
            settings = prepare(flags(shared), needs_source=False).loaded.settings
            require_writable(f"midwatch journal {chosen.verb}", mode_of_command(settings))
        return _VERB[chosen.verb](shared, chosen)
    except (WritesNotAllowed, JournalReadOnlyError) as fault:
        raise CommandError(str(fault), command_line.NOT_ALLOWED) from fault
    except JournalError as fault:
        raise CommandError(fault.sentence) from fault


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch journal", "The record: who did what to which model, when and why.")
    made.add_argument(
        "verb",
        metavar="|".join(_VERBS),
        type=made.value(one_of(_VERBS, "midwatch journal")),
        help="what is done with the record",
    )
    made.add_argument(
        "what", nargs="?", metavar="WHAT", help="show: number or id; anchor: FILE or URL"
    )
    made.add_argument(
        "--since",
        metavar="TIME",
        type=made.value(moment, "--since"),
        help="12h, or 2026-11-23T02:00:00Z",
    )
    made.add_argument(
        "--kind",
        metavar="KIND",
        action="append",
        default=[],
        type=made.value(one_of(ENTRY_KINDS, "entry of kind")),
        help="only this kind (repeatable)",
    )
    made.add_argument("--target", metavar="TARGET", help="only this model, or dep:NAME")
    made.add_argument("--op", metavar="OP", help="only this operation")
    made.add_argument("--incident", metavar="ID", help="only this incident")
    made.add_argument(
        "--limit", type=int, default=_LISTED, metavar="N", help="list: the newest N, 0 is all"
    )
    made.add_argument("--json", action="store_true", help="a document for scripts")
    made.add_argument(
        "--anchor",
        metavar="WHERE",
        help="verify: FILE or URL that holds earlier heads (default: journal.anchor)",
    )
    made.add_argument(
        "--anchor-secret", metavar="REF", help="bearer token for the anchor, such as env:TOKEN"
    )
    made.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="FILE",
        help="verify: exports and archives, in order, instead of the journal (repeatable)",
    )
    made.add_argument("--reason", metavar="TEXT", help="accept: why; stands in the record")
    made.add_argument("--directory", metavar="DIR", help="prune: where archives go")
    made.add_argument("-o", "--output", metavar="FILE", help="export: a new file, not stdout")
    add_shared(made)
    return made


def _list(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    if chosen.limit < 0:
        raise UsageError("--limit is a number of entries, 0 for all")
    question = _question(chosen, newest=chosen.limit or None)
    with _Opened(shared) as journal:
        found = journal.listing(question)
        place = journal.place
    broken = [each for each in found if isinstance(each, BrokenEntryError)]
    if chosen.json:
        entries = [document_of(each) for each in found]
        _print_json({"schema": "midwatch.journal/1", "journal": place, "entries": entries})
    else:
        for each in found:
            print(listed_line(each))
        if chosen.limit and len(found) == chosen.limit:
            _say(f"the newest {chosen.limit}; --limit 0 shows all")
    if not found:
        _say(f"no entry matches in {place}")
    if broken:
        raise CommandError(broken[0].sentence)
    return command_line.OK


def _show(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    if not chosen.what:
        raise UsageError("name the entry: midwatch journal show NUMBER, or the id of an operation")
    with _Opened(shared) as journal:
        found = _find(journal, chosen.what)
    if not found:
        raise CommandError(f"the journal has no entry or operation {visible(chosen.what, 60)}")
    if chosen.json:
        entries = [document_of(entry) for entry in found]
        _print_json({"schema": "midwatch.journal/1", "entries": entries})
        return command_line.OK
    for index, entry in enumerate(found):
        print("" if index == 0 else "\n", end="")
        print("\n".join(entry_lines(entry)))
    return command_line.OK


def _find(journal: Journal, what: str) -> tuple[Entry, ...]:
    if what.isascii() and what.isdigit() and len(what) < 16:
        entry = journal.entry(int(what))
        return () if entry is None else (entry,)
    return journal.entries(Question(op_id=what.upper()))


def _verify(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    prepared = prepare(flags(shared), needs_source=False)
    anchors = _anchors(prepared, chosen)
    if chosen.file:
        judged = verify_files([Path(name) for name in chosen.file], anchors)
    else:
        with _Opened(shared, prepared) as journal:
            judged = journal.verify(anchors)
    if chosen.json:
        _print_json({"schema": "midwatch.journal.verification/1", **document_of(judged)})
    else:
        print("\n".join(verification_lines(judged)))
    return command_line.OK if judged.ok else command_line.FAILED


def _anchors(prepared: Prepared, chosen: argparse.Namespace) -> tuple[JournalHead, ...]:
    return anchors_at(_place(prepared, chosen, chosen.anchor), prepared.resolver)


def _place(prepared: Prepared, chosen: argparse.Namespace, named: str | None) -> AnchorPlace | None:
    """Return the anchor named on the command line, else the configured one."""
    if named:
        return AnchorPlace(named, bearer(chosen.anchor_secret))
    return anchor_place(prepared.loaded.settings.journal.anchor)


def _export(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    if chosen.kind or chosen.target or chosen.op or chosen.incident:
        raise UsageError(
            "an export with gaps could not be verified, so it takes --since only; "
            "`midwatch journal list --json` filters"
        )
    with _Opened(shared) as journal:
        first = 1
        if chosen.since:
            matching = journal.entries(_question(chosen, limit=1))
            head = journal.head()
            after_end = 1 if head is None else head.seq + 1
            first = matching[0].seq if matching else after_end
        lines = journal.export_lines(Question(after_seq=first - 1))
        if not chosen.output:
            if sys.stdout.isatty():
                raise UsageError(
                    "an export is exact bytes, control characters of outside text included, which "
                    "a terminal would obey: -o FILE, or a pipe"
                )
            for line in lines:
                sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            return command_line.OK
        path = Path(chosen.output)
        count = 0
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                for line in lines:
                    out.write(line)
                    count += 1
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise CommandError(
                f"{visible(str(path), 200)} cannot be written: {visible(error.strerror or '')}"
            ) from error
    _say(f"{count} entries in {visible(str(path), 200)}")
    return command_line.OK


def _prune(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    prepared = prepare(flags(shared), needs_source=False)
    keep_seconds = prepared.loaded.settings.journal.keep_seconds
    if keep_seconds < KEEP_SECONDS:
        _say(
            f"journal.keep is {format_duration(keep_seconds)}; records of high-risk systems are "
            "to be kept for at least six months (183d)"
        )
    directory = Path(chosen.directory) if chosen.directory else None
    with _Opened(shared, prepared, read_only=False) as journal:
        done = journal.prune(time.time(), keep_seconds=keep_seconds, directory=directory)
    if chosen.json:
        _print_json({"schema": "midwatch.journal.pruned/1", **document_of(done)})
        return command_line.OK
    for segment in done.archived:
        print(
            f"segment {segment.number}, entries {segment.first_seq} to {segment.last_seq}: "
            f"archived as {visible(segment.archive or '', 200)}"
        )
    for sentence in done.kept:
        print(sentence)
    return command_line.OK


def _anchor(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    prepared = prepare(flags(shared), needs_source=False)
    place = _place(prepared, chosen, chosen.what)
    if place is None:
        raise UsageError(
            "name the place: midwatch journal anchor FILE, or a URL, or set journal.anchor"
        )
    with _Opened(shared, prepared) as journal:
        judged = journal.verify()
    # Anchoring a chain that is already broken would make the break look proven.
    if not judged.ok or judged.head is None:
        raise CommandError(f"nothing was anchored: {judged.sentence}")
    publish_anchor(place.where, judged.head, auth=place.auth, resolver=prepared.resolver)
    print(f"entry {judged.head.seq} {judged.head.hash} anchored")
    return command_line.OK


def _accept(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    """Take the journal as it is for the right one; what was known of another stands in it."""
    if not (chosen.reason or "").strip():
        raise UsageError("say what you saw: --reason TEXT is required and stands in the record")
    with _Opened(shared, read_only=False, as_it_is=True) as journal:
        doubt = journal.doubt()
        if not doubt:
            print(f"the journal {journal.place} is the one that is known here")
            return command_line.OK
        now = time.time()
        draft = EntryDraft(
            kind="journal_accepted", at=now, why=chosen.reason, details={"doubt": doubt}
        )
        entry = journal.append(draft)
        journal.accept_head()
    print(f"accepted as entry {entry.seq}: from here on this journal is the record")
    return command_line.OK


def _init(shared: argparse.Namespace, _chosen: argparse.Namespace) -> int:
    with _Opened(shared, read_only=False) as journal:
        print(f"the journal {journal.place} is ready")
    return command_line.OK


class _Opened:
    """The configured journal for the length of a ``with``; reading never makes a new one."""

    def __init__(
        self,
        shared: argparse.Namespace,
        prepared: Prepared | None = None,
        *,
        read_only: bool = True,
        as_it_is: bool = False,
    ) -> None:
        self._as_it_is = as_it_is
        self._prepared = prepared or prepare(flags(shared), needs_source=False)
        self._read_only = read_only

    def __enter__(self) -> ChainedJournal:
        try:
            self._journal = self._open(as_it_is=True)
        except JournalError:
            # One that is gone is told as that, where it was known here.
            self._journal = self._open(as_it_is=self._as_it_is)
        if not self._as_it_is:
            self._check(self._journal)
        return self._journal

    def _open(self, *, as_it_is: bool) -> ChainedJournal:
        return open_configured(
            self._prepared.loaded,
            self._prepared.resolver,
            os.environ,
            read_only=self._read_only,
            as_it_is=as_it_is,
        )

    def _check(self, journal: ChainedJournal) -> None:
        """Say that the journal is not what it was; who only looks may look all the same."""
        try:
            journal.check_head()
        except JournalReplacedError as fault:
            if not self._read_only:
                journal.close()
                raise
            _say(f"WARNING: {fault.sentence}")

    def __exit__(self, *_: object) -> None:
        self._journal.close()


def _question(
    chosen: argparse.Namespace, *, newest: int | None = None, limit: int | None = None
) -> Question:
    kinds: tuple[EntryKind, ...] = tuple(chosen.kind)
    return Question(
        since=chosen.since,
        kinds=kinds,
        target=chosen.target,
        op_id=chosen.op.upper() if chosen.op else None,
        incident=chosen.incident,
        newest=newest,
        limit=limit,
    )


_UNSEEN = re.compile(r"[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def _print_json(document: object) -> None:
    """Print JSON whose control and invisible characters are escapes: the same text for a program.

    U+009B alone begins a control sequence on many a terminal.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2)
    print(_UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def _say(sentence: str) -> None:
    sys.stderr.write(f"midwatch: {sentence}\n")


_VERB: dict[str, Callable[[argparse.Namespace, argparse.Namespace], int]] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "export": _export,
    "prune": _prune,
    "anchor": _anchor,
    "init": _init,
    "accept": _accept,
}
