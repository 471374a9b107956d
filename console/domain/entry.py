"""One journal entry: what was done, to what, by whom, why; and the journal's state at a tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from msgspec import Struct

if TYPE_CHECKING:
    Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
else:
    Json = object  # msgspec reads annotations at run time and knows no recursive alias

ENTRY_SCHEMA = 1

EntryKind = Literal[
    "segment",  # opens a segment of the journal; written by the journal itself
    "pruned",  # a segment went to an archive; written by the journal itself
    "armed",
    "intent",
    "sent",
    "outcome",
    "observed",
    "override",
    "override_renewed",
    "override_ended",
    "approval",
    "break_glass",
    "ack",
    "snooze",
    "escalate",
    "merge",
    "severity",
    "close",
    "note",
    "change",
    "decision",
    "evidence",
    "handover",
    "handover_accepted",
    "drill",
    "resolved",
    "lease_broken",
    "journal_accepted",
    "readiness",  # a proof attested or taken back, or the whole signed off
]
ENTRY_KINDS: tuple[str, ...] = get_args(EntryKind)

ConfirmClass = Literal["", "C0", "C1", "C2", "C3"]


def number_of(kept: object) -> float | None:
    """Return what an entry keeps as a number, None where it is none."""
    return float(kept) if isinstance(kept, int | float) and not isinstance(kept, bool) else None


class Who(Struct, frozen=True, kw_only=True):
    """Who stood behind an entry: the declared name, and what the host says by itself.

    ``name`` is self-declared and ``name_source`` says where (``operator.name``, ``env:USER``);
    ``login_uid`` survives su and sudo, None is unset. ``ssh_connection`` is client address and
    port, server address and port; inside a long-lived tmux it may be that of an older login.
    ``sudo_user`` and ``ssh_connection`` come from the environment: remarks, proof of nothing.
    """

    name: str
    name_source: str
    os_user: str
    uid: int
    host: str
    pid: int
    sudo_user: str | None = None
    login_uid: int | None = None
    login_user: str | None = None
    session_id: int | None = None
    ssh_connection: str | None = None
    tty: str | None = None
    multiplexer: str | None = None

    @property
    def person(self) -> str:
        """The account that the kernel knows: of the login where it remembers one, else of the uid.

        Nothing the caller can set changes it; ``SUDO_USER`` is a variable like any other.
        """
        if self.login_uid is not None:
            return self.login_user or f"uid {self.login_uid}"
        return self.os_user

    @property
    def person_uid(self) -> int:
        """The uid behind `person`."""
        return self.uid if self.login_uid is None else self.login_uid


class Writer(Struct, frozen=True, kw_only=True):
    """Who a database server says wrote an entry: its role, and from where it connected.

    ``personal`` is a role of one person: a member of the server's role ``midwatch_people``. No
    client can state these itself.
    """

    role: str
    address: str
    personal: bool


class EntryDraft(Struct, frozen=True, kw_only=True):
    """What a caller wants written; the journal adds place, author and hashes.

    ``at`` is Unix seconds UTC. ``op_id`` is the ULID that joins the entries of one operation.
    ``target`` is a model or ``dep:NAME``. ``before``, ``wanted`` and ``after`` are states as the
    control showed them, ``blast`` the blast radius, ``details`` whatever belongs to the kind.
    """

    kind: EntryKind
    at: float
    action: str = ""
    target: str = ""
    op_id: str = ""
    why: str = ""
    confirm_class: ConfirmClass = ""
    incident: str = ""
    before: Json = None
    wanted: Json = None
    after: Json = None
    blast: Mapping[str, Json] = {}
    details: Mapping[str, Json] = {}


class Entry(Struct, frozen=True, kw_only=True):
    """One entry as it stands in the chain; read back from exactly the bytes that were hashed.

    ``hash`` is SHA-256 over the canonical JSON of everything else, ``prev_hash`` that of the
    entry before. ``at`` is the writer's clock, ``store_at`` the database server's, both Unix
    seconds UTC. ``clock_back_seconds`` > 0: the writer's clock stood that far behind the entry
    before. ``kind`` may be one that only a newer version knows.
    """

    schema: int
    chain: str
    segment: int
    seq: int
    id: str
    at: float
    store_at: float | None
    clock_back_seconds: float
    environment: str
    kind: str
    action: str
    target: str
    op_id: str
    why: str
    confirm_class: str
    incident: str
    before: Json
    wanted: Json
    after: Json
    blast: dict[str, Json]
    details: dict[str, Json]
    who: Who
    version: str
    config_digest: str
    prev_hash: str
    hash: str = ""


class JournalHead(Struct, frozen=True, kw_only=True):
    """The last entry of a chain: what an anchor outside the journal keeps. ``at`` in seconds."""

    chain: str
    seq: int
    hash: str
    at: float


class Verification(Struct, frozen=True, kw_only=True):
    """What reading the whole chain showed.

    ``bad_seq`` is the first broken entry, ``problem`` why. ``end`` is ``proven`` only where an
    anchor kept elsewhere names the last entry: a chain alone cannot show that its end was cut
    off or that all of it was written anew. ``remarks`` do not break the chain (a clock that went
    back, entries that an archive holds).
    """

    ok: bool
    entries: int
    first_seq: int | None
    head: JournalHead | None
    end: Literal["proven", "not proven"]
    sentence: str
    bad_seq: int | None = None
    problem: str = ""
    remarks: tuple[str, ...] = ()


class Segment(Struct, frozen=True, kw_only=True):
    """One run of the chain that is archived as a whole; ``archive`` is the file once it is.

    ``last_at`` is the latest time of any of its entries (seconds UTC), also where a clock went
    back, so that no young entry counts as old.
    """

    number: int
    first_seq: int
    last_seq: int
    first_at: float
    last_at: float
    head_hash: str
    archive: str | None = None
    archive_sha256: str | None = None


class Lease(Struct, frozen=True, kw_only=True):
    """Who may act on something until when; ``fence`` grows whenever the holder changes."""

    name: str
    holder: str
    expires_at: float
    fence: int


RecordState = Literal["off", "starting", "open", "absent", "unreadable"]
"""``absent``: nothing was ever written; ``unreadable``: what is known is from ``read_at``."""


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """An entry that is not what was hashed, or does not follow the one before."""

    seq: int
    problem: str


@dataclass(frozen=True, slots=True)
class Record:
    """The journal as it was last read; times in Unix seconds.

    ``sentence`` says why it cannot be read and what to do. ``entries`` are the newest, newest
    first, and ``broken`` what did not belong among what was read since ``followed_from``.
    ``keeper`` is who ends overrides (``midwatch keep``) and ``keeper_until`` how long that counts
    without another sign of life; empty is nobody, and None that it was never read.
    """

    state: RecordState = "off"
    place: str = ""
    sentence: str = ""
    read_at: float | None = None
    head_seq: int = 0
    followed_from: int = 0
    entries: tuple[Entry, ...] = ()
    broken: tuple[BrokenEntry, ...] = ()
    keeper: str | None = None
    keeper_until: float | None = None

    @property
    def trusted(self) -> bool:
        """Tell whether what is in force is known now, and nothing read so far is broken."""
        return self.state in ("off", "open", "absent") and not self.broken

    def summary(self, now: float) -> tuple[str, bool]:
        """Return the record in a few words, and whether it is well."""
        match self.state:
            case "off":
                return "journal not read here", True
            case "starting":
                return "journal not read yet", True
            case "absent":
                return "journal empty: nothing was ever done from here", True
            case "unreadable":
                age = "never" if self.read_at is None else f"{max(0.0, now - self.read_at):.0f} s"
                return f"journal UNREADABLE, last read {age} ago: {self.sentence}", False
            case "open" if self.broken:
                first = self.broken[0]
                return f"journal BROKEN at #{first.seq}: {first.problem}", False
            case "open":
                return f"journal followed to #{self.head_seq}", True


NO_RECORD = Record()


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Older entries, newest first; ``sentence`` says why there are none that could be read."""

    entries: tuple[Entry, ...] = ()
    broken: tuple[BrokenEntry, ...] = ()
    sentence: str = ""
