"""How long something is tried again, and how often."""

from __future__ import annotations

import random
import time

FIRST_WAIT = 0.05
LONGEST_WAIT = 1.0


class Patience:
    """Waits between tries, longer each time, until the seconds are over. Nobody waits in step with others."""

    def __init__(self, seconds: float):
        self._until = time.monotonic() + seconds
        self._wait = FIRST_WAIT

    def left(self) -> float:
        return self._until - time.monotonic()

    def wait(self) -> bool:
        """Whether there is time for another try; then the wait before it is over."""
        left = self.left()
        if left <= 0:
            return False
        time.sleep(min(left, self._wait * random.uniform(0.5, 1.0)))
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        return True
