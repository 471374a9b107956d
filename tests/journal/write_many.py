"""One writer process: appends notes and prints each entry's number and hash once it stands.

Arguments: URL, how many, name, and optionally ``untouched SEQ`` to append only one intent about
``fraud-scorer`` and only if nobody else wrote about it since, or ``slow SECONDS`` to wait before
each entry. The last line is ``done``, how many seconds all of it took, and the longest entry.
"""

from __future__ import annotations

import sys
import time

from console.domain.entry import EntryDraft, Who
from console.journal import TargetTouchedError, gather_who, open_journal


def main(url: str, count: str, name: str, *more: str) -> None:
    who: Who = gather_who(name, "test", {})
    journal = open_journal(url, who=who)
    print("ready", flush=True)
    sys.stdin.readline()
    if more[:1] == ("untouched",):
        draft = EntryDraft(kind="intent", at=time.time(), target="fraud-scorer", op_id=name)
        try:
            entry = journal.append(draft, untouched_since=int(more[1]))
            print(entry.seq, entry.hash, flush=True)
        except TargetTouchedError as fault:
            print("touched", fault.entry.who.name, flush=True)
        return
    pause_seconds = float(more[1]) if more else 0.0
    began = time.monotonic()
    longest = 0.0
    for number in range(int(count)):
        time.sleep(pause_seconds)
        draft = EntryDraft(kind="note", at=time.time(), target=f"model-{name}", why=str(number))
        asked = time.monotonic()
        entry = journal.append(draft)
        longest = max(longest, time.monotonic() - asked)
        print(entry.seq, entry.hash, flush=True)
    print("done", time.monotonic() - began, longest, flush=True)
    journal.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
