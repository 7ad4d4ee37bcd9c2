"""When the tokens of an answer are there: after a wait, and then in bursts, as a service sends them.

A service reads the whole request before it writes, which takes the longer the more there is to
read; and what it has written arrives a few tokens at a time, now sooner, now later. The built-in
model knows its answer at once. It waits so that the times in lessons are like those of a service.
"""

from __future__ import annotations

import random

# All of these are in the time that one token takes, 25 ms at the course's pace.
FIRST = 14  # from the request to the first token
READING = 1 / 500  # more for each byte of the request
LONGEST = 40  # that reading takes
BURST = 4  # tokens that come at once, at most


def times(seed: str, size: int, length: int, pace: float) -> list[float]:
    """Return after how many seconds there are 0, 1, 2, … `length` tokens; 0 is at once.

    `size` is that of the request, in bytes, and `pace` in tokens per second, 0 for no waiting. The
    same `seed` gives the same times.
    """
    if not pace:
        return [0.0] * (length + 1)
    chance = random.Random(seed)
    now = FIRST * chance.uniform(0.8, 1.2) + min(size * READING, LONGEST)
    found = [0.0]
    while len(found) <= length:
        burst = chance.randint(1, BURST)
        found += [now / pace] * burst
        now += burst * chance.uniform(0.5, 1.5)
    return found[: length + 1]
