"""Another process that writes into a journal as it is told to, one command a line on stdin.

usage: python -m tests.engine.keep_record JOURNAL_URL ENVIRONMENT
"""

from __future__ import annotations

import json
import sys

from console.domain.entry import EntryDraft, Who
from console.journal import open_journal

WHO = Who(name="ana", name_source="operator.name", os_user="ana", uid=1001, host="ops-2", pid=1)


def main() -> int:
    journal = open_journal(sys.argv[1], who=WHO, environment=sys.argv[2])
    for line in sys.stdin:
        entry = journal.append(EntryDraft(**json.loads(line)))
        print(entry.seq, flush=True)
    journal.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
