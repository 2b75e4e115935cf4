"""Chance from a seed, the same on every machine and every Python.

`random.Random.random()` is the one method whose sequence for an integer seed Python promises to keep ("Notes on
Reproducibility" in the documentation of `random`); `randrange`, `choice` and `shuffle` have changed before. So
everything here is made of `random()` alone, which is also several times faster than a generator written in Python.

Each purpose has its own stream (`stream("plan")`, `stream("network")`), so that leaving one thing out, as shrinking
does, leaves what the others draw as it was.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream of chance."""

    __slots__ = ("name", "random", "seed")

    def __init__(self, seed: int, name: str = "") -> None:
        self.seed = seed
        self.name = name
        digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
        self.random = random.Random(int.from_bytes(digest, "big")).random
        """The next float in [0, 1)."""

    def stream(self, name: str) -> Dice:
        """An independent stream of the same seed."""
        return Dice(self.seed, f"{self.name}/{name}")

    def below(self, limit: int) -> int:
        """An integer from 0 to `limit` - 1."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of some."""
        return options[int(self.random() * len(options))]

    def weighted(self, options: Sequence[tuple[float, T]]) -> T:
        """One of some, by weight."""
        point = self.random() * sum(weight for weight, _ in options)
        for weight, option in options:
            point -= weight
            if point < 0:
                return option
        return options[-1][1]

    def some(self, options: Sequence[T], probability: float) -> list[T]:
        """Each with a probability, in order."""
        return [option for option in options if self.random() < probability]
