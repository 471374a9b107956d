"""The human review queue: first in, first out, cleared at the reviewers' rate."""

from collections import deque

import numpy as np

REVIEW_SHARES = (0.86, 0.10, 0.04)
QUEUE_LIMIT = 50_000


class ReviewQueue:
    """Answers waiting for a person; ages are kept per simulated second, not per answer."""

    def __init__(self, capacity_per_second: float) -> None:
        self.capacity_per_second = capacity_per_second
        self.depth = 0
        self._waiting: deque[tuple[float, int]] = deque()

    def arrive(self, now: float, count: int) -> int:
        """Put answers into the queue and return how many found room."""
        taken = min(count, QUEUE_LIMIT - self.depth)
        if taken > 0:
            self._waiting.append((now, taken))
            self.depth += taken
        return max(0, taken)

    def clear(self, rng: np.random.Generator, seconds: float) -> int:
        """Let the reviewers work for ``seconds`` and return how many answers they cleared."""
        done = min(self.depth, int(rng.poisson(self.capacity_per_second * seconds)))
        left = done
        while left:
            at, count = self._waiting[0]
            if count > left:
                self._waiting[0] = (at, count - left)
                break
            left -= count
            self._waiting.popleft()
        self.depth -= done
        return done

    def oldest_seconds(self, now: float) -> float:
        """Return the age of the oldest waiting answer, 0 when none waits."""
        return max(0.0, now - self._waiting[0][0]) if self._waiting else 0.0

    def restore(self, now: float, depth: int, oldest_seconds: float) -> None:
        """Fill the queue as history left it, ages spread evenly up to the oldest."""
        self._waiting.clear()
        self.depth = depth
        for place in range(depth):
            age = oldest_seconds * (1.0 - place / depth)
            self._waiting.append((now - age, 1))
