"""Stories of who fails, when and why, and a generator of hundreds of them.

The ranges: dependencies 1–6, models 1–12, one or more calls each, up to 4 attempts a call, .5 to
30 requests a second, background failures of 0–6%, strengths of 5–90%, onsets 0–300 s apart.
"""

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from console.domain.snapshot import Change, Snapshot
from tests.calibration.world import START, STEP_SECONDS, Fleet, row

Floats = NDArray[np.float64]

BEGINS = 6.5 * 3600.0
"""When trouble begins, in seconds of the story; before it lies what is usual."""

WATCHED_BEFORE, WATCHED_AFTER = 240.0, 600.0
STEPS = int((BEGINS + WATCHED_AFTER + 60.0) / STEP_SECONDS)


@dataclass(frozen=True)
class Trouble:
    """A failing share (0-1), or seconds added, from ``after`` seconds past the beginning on."""

    share: float = 0.0
    seconds: float = 0.0
    after: float = 0.0


CALM = Trouble()


@dataclass(frozen=True)
class Shared:
    """A dependency: what fails always, what begins to, and how long a call takes (seconds)."""

    name: str
    background: float = 0.0005
    trouble: Trouble = CALM
    p95_seconds: float = 0.08


@dataclass(frozen=True)
class User:
    """A model: requests a second, objective, its own failures, whom it calls, attempts a call."""

    name: str
    uses: tuple[str, ...]
    rate: float = 8.0
    slo: float = 0.999
    own: Trouble = CALM
    background: float = 0.0005
    attempts: int = 1
    deploy_at: float | None = None


@dataclass(frozen=True)
class Story:
    """Who is there, and who is guilty: by model its dependency, "" for none, "deploy" its own."""

    users: tuple[User, ...]
    shared: tuple[Shared, ...]
    guilty: dict[str, str] = field(default_factory=dict)


def told(story: Story, random: Generator) -> Fleet:
    """Let a story happen: draw every request and every call of it."""
    order = _callees_first(story.users)
    troubled: dict[str, Floats] = {
        one.name: _share(one.background, one.trouble) for one in story.shared
    }
    slowness = {one.name: _slow(one.p95_seconds, one.trouble, random) for one in story.shared}
    requests: dict[str, Floats] = {}
    bad: dict[str, Floats] = {}
    calls: dict[tuple[str, str], tuple[Floats, Floats, Floats]] = {}
    for user in order:
        asked = random.poisson(user.rate * STEP_SECONDS, STEPS)
        well = asked.copy()
        slow = _slow(0.1, user.own, random)
        tried = np.zeros(STEPS)
        for name in user.uses:
            waiting, attempts, failures = asked.copy(), np.zeros(STEPS), np.zeros(STEPS)
            for _ in range(user.attempts):
                attempts += waiting
                waiting = random.binomial(waiting, np.clip(troubled[name], 0.0, 1.0))
                failures += waiting
            lost = random.binomial(waiting, well / np.maximum(asked, 1))
            well = np.maximum(well - lost, 0)
            tried = tried + attempts
            calls[user.name, name] = (attempts, failures, slowness[name])
            slow = slow + slowness[name]
        own = _share(user.background, user.own)
        well = random.binomial(well, 1.0 - own)
        requests[user.name] = asked.astype(np.float64)
        bad[user.name] = (asked - well).astype(np.float64)
        troubled[user.name] = bad[user.name] / np.maximum(requests[user.name], 1.0)
        slowness[user.name] = slow
    names = sorted(requests)
    pairs = tuple(sorted(calls))
    return Fleet(
        rows=tuple(row(name, next(u.slo for u in order if u.name == name)) for name in names),
        requests=np.stack([requests[name] for name in names], axis=1),
        bad=np.stack([bad[name] for name in names], axis=1),
        p95=np.stack([slowness[name] for name in names], axis=1),
        pairs=pairs,
        calls=np.stack([calls[pair][0] for pair in pairs], axis=1),
        bad_calls=np.stack([calls[pair][1] for pair in pairs], axis=1),
        tries=np.stack([calls[pair][0] for pair in pairs], axis=1),
        pair_p95=np.stack([calls[pair][2] for pair in pairs], axis=1),
        changes=tuple(
            Change(START + BEGINS + user.deploy_at, user.name, f"{user.name} went from 1 to 2")
            for user in order
            if user.deploy_at is not None
        ),
    )


def _callees_first(users: tuple[User, ...]) -> list[User]:
    names = {user.name for user in users}
    found: list[User] = []
    waiting = list(users)
    while waiting:
        done = {user.name for user in found}
        ready = [u for u in waiting if all(use in done or use not in names for use in u.uses)]
        found += ready
        waiting = [user for user in waiting if user not in ready]
    return found


def _share(background: float, trouble: Trouble) -> Floats:
    at = np.arange(STEPS) * STEP_SECONDS
    return background + np.where(at >= BEGINS + trouble.after, trouble.share, 0.0)


def _slow(usual: float, trouble: Trouble, random: Generator) -> Floats:
    at = np.arange(STEPS) * STEP_SECONDS
    added = np.where(at >= BEGINS + trouble.after, trouble.seconds, 0.0)
    noise = random.normal(1.0, 0.04, STEPS).clip(0.8, 1.2)
    return np.asarray((usual + added) * noise, np.float64)


def last_look(story: Story, random: Generator, every: float = 15.0) -> Snapshot:
    """Return the judgement ten minutes after the trouble began, with all looks before it."""
    fleet = told(story, random)
    looks = deque(fleet.watched(BEGINS - WATCHED_BEFORE, BEGINS + WATCHED_AFTER, every), maxlen=1)
    return looks[-1]


def named(snapshot: Snapshot, model: str) -> str:
    """Return what is named for a model: a dependency, "deploy" for its own change, "" for none."""
    cause = snapshot.causes.get(snapshot.index[model])
    if cause is None or not cause.name:
        return ""
    return "deploy" if cause.kind == "change" else cause.name


def generated(random: Generator) -> Story:
    """Make a story: 3 in 5 have a guilty dependency, the others a model that fails by itself."""
    shared = _dependencies(random)
    users = _models(random, [one.name for one in shared])
    if random.random() < 0.6:
        return _guilty(random, users, shared)
    return _innocent(random, users, shared)


def _dependencies(random: Generator) -> list[Shared]:
    letters = random.permutation(26)[: int(random.integers(1, 7))]
    return [
        Shared(
            f"{chr(97 + int(letter))}-store",
            background=float(random.choice([0.0, 0.0005, 0.005, 0.02, 0.06])),
            p95_seconds=float(random.uniform(0.02, 0.4)),
        )
        for letter in letters
    ]


def _models(random: Generator, names: list[str]) -> list[User]:
    found = []
    for number in range(int(random.integers(1, 13))):
        most = min(3, len(names))
        uses = random.permutation(names)[: int(random.integers(1, most + 1))]
        found.append(
            User(
                f"model-{number:02d}",
                tuple(str(use) for use in uses),
                rate=float(np.exp(random.uniform(np.log(0.5), np.log(30.0)))),
                slo=float(random.choice([0.99, 0.999, 0.9995])),
                background=float(random.choice([0.0, 0.0005, 0.002])),
                attempts=int(random.choice([1, 1, 1, 2, 3, 4])),
            )
        )
    return found


def _after(random: Generator) -> float:
    """Return how much later something begins: within one scrape in a third of all stories."""
    return float(
        random.choice([random.uniform(0.0, 14.0), random.uniform(60.0, 300.0)], p=[1 / 3, 2 / 3])
    )


def _guilty(random: Generator, users: list[User], shared: list[Shared]) -> Story:
    place = int(random.integers(len(shared)))
    bad = shared[place]
    callers = [user.name for user in users if bad.name in user.uses]
    if not callers:
        users[0] = replace(users[0], uses=(*users[0].uses, bad.name))
        callers = [users[0].name]
    kind = random.choice(["errors", "errors", "latency"])
    strength = float(random.uniform(0.25, 0.9))
    trouble = (
        Trouble(share=strength)
        if kind == "errors"
        else Trouble(seconds=float(random.uniform(2.0, 10.0)))
    )
    shared[place] = replace(bad, background=min(bad.background, 0.02), trouble=trouble)
    for other in range(len(shared)):
        if other != place and kind == "errors" and random.random() < 0.4:
            # Its victim: later, or at once and weaker.
            later = _after(random)
            weaker = strength * float(random.uniform(0.1, 0.4))
            share = weaker if later < 30.0 else float(random.uniform(0.05, 0.5))
            shared[other] = replace(shared[other], trouble=Trouble(share=share, after=later))
    return Story(tuple(users), tuple(shared), dict.fromkeys(callers, bad.name))


def _innocent(random: Generator, users: list[User], shared: list[Shared]) -> Story:
    place = int(random.integers(len(users)))
    strength = float(random.uniform(0.2, 0.9))
    deployed = bool(random.random() < 0.5)
    users[place] = replace(
        users[place],
        own=Trouble(share=strength),
        deploy_at=-float(random.uniform(0.0, 240.0)) if deployed else None,
    )
    for number, one in enumerate(shared):
        if random.random() < 0.6:
            # Something else happens to a dependency: too little, or too late to be the cause.
            later = _after(random)
            most = 0.15 * strength if later < 90.0 else 0.4
            shared[number] = replace(
                one,
                trouble=Trouble(share=float(random.uniform(0.01, most)), after=later),
            )
    return Story(tuple(users), tuple(shared), {users[place].name: "deploy" if deployed else ""})
