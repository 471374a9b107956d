"""A campaign of faults: ``python -m tests.faults --faults N --seed S``.

Prints tried, held and failed by area, and each failure with the number that repeats it
(``--only NUMBER``). With ``--state FILE`` it goes on where it was stopped; ``--minutes`` bounds it.
Exit code 1 if anything failed. ``python -m tests.faults soak`` is the other one: see `soak`.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults import areas, whole_programs
from tests.faults.areas import Bench, Broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SLOW_SECONDS = 90.0

AREAS: Mapping[str, tuple[Callable[[random.Random, Bench], str], int]] = {
    "service lies": (areas.lies, 12),
    "kill": (areas.kills, 7),
    "stop": (areas.stops, 3),
    "two operators": (areas.races, 4),
    "disk full": (areas.disks, 3),
    "clocks": (areas.clocks, 10),
    "byte flips": (areas.flips, 24),
    "hostile text": (areas.texts, 14),
    "sources": (areas.sources, 13),
    "keys": (areas.keys, 7),
    "database dies": (whole_programs.database_deaths, 2),
    "terminal": (whole_programs.consoles, 1),
}
"""Each area with its weight among a hundred faults."""


def area_of(seed: int, number: int) -> tuple[str, random.Random]:
    """Return the area of a fault and the draws it is made of; the same for the same numbers."""
    draw = random.Random(f"{seed}:{number}")  # repeatable, not secret
    names = list(AREAS)
    return draw.choices(names, [AREAS[name][1] for name in names])[0], draw


def one(seed: int, number: int, bench: Bench) -> dict[str, object]:
    """Try one fault and return what came of it."""
    area, draw = area_of(seed, number)
    began = time.monotonic()
    try:
        said, held = AREAS[area][0](draw, bench), True
    except Broken as fault:
        said, held = str(fault), False
    except Exception as fault:  # noqa: BLE001  # whatever escapes is a finding
        said, held = f"escaped: {fault!r}", False
    took = time.monotonic() - began
    if held and took > SLOW_SECONDS:
        said, held = f"took {took:.0f} s: {said}", False
    return {"number": number, "area": area, "held": held, "said": said, "seconds": round(took, 3)}


def campaign(
    faults: int, seed: int, minutes: float | None = None, state: Path | None = None
) -> list[dict[str, object]]:
    """Try ``faults`` faults; those in ``state`` are not tried again."""
    done: dict[int, dict[str, object]] = {}
    if state is not None and state.exists():
        for line in state.read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            if kept.get("seed") == seed:
                done[int(kept["number"])] = kept
    end = None if minutes is None else time.monotonic() + minutes * 60.0
    with Bench() as bench:
        for number in range(faults):
            if number in done:
                continue
            if end is not None and time.monotonic() > end:
                break
            done[number] = one(seed, number, bench)
            if state is not None:
                with state.open("a", encoding="utf-8") as out:
                    out.write(json.dumps({"seed": seed, **done[number]}) + "\n")
    return [done[number] for number in sorted(done) if number < faults]


def table(results: Sequence[dict[str, object]]) -> str:
    """Return tried, held and failed by area, and the failures."""
    lines = [f"{'area':<16}{'tried':>8}{'held':>8}{'failed':>8}{'seconds':>10}"]
    for area in (*AREAS, "all"):
        mine = [each for each in results if area in (each["area"], "all")]
        held = sum(each["held"] is True for each in mine)
        seconds = sum(float(str(each["seconds"])) for each in mine)
        lines.append(f"{area:<16}{len(mine):>8}{held:>8}{len(mine) - held:>8}{seconds:>10.1f}")
    failed = [each for each in results if not each["held"]]
    lines += [f"FAILED {each['number']} {each['area']}: {each['said']}" for each in failed[:50]]
    return "\n".join(lines)


def main() -> int:
    """Run a campaign from the command line."""
    if sys.argv[1:2] == ["soak"]:
        from tests.faults.soak import main as soak

        return soak(sys.argv[2:])
    parser = argparse.ArgumentParser("python -m tests.faults")
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="end after this time")
    parser.add_argument("--state", type=Path, help="a file to go on from")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="repeat one fault")
    chosen = parser.parse_args()
    if chosen.only is not None:
        with Bench() as bench:
            results = [one(chosen.seed, chosen.only, bench)]
    else:
        results = campaign(chosen.faults, chosen.seed, chosen.minutes, chosen.state)
    print(f"seed {chosen.seed}")
    print(table(results))
    if chosen.only is None and len(results) < chosen.faults:
        print(f"{chosen.faults - len(results)} were not tried: the time was over")
    return 0 if results and all(each["held"] for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
