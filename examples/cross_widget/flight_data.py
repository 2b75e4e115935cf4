"""Made-up flights, the same ones each time."""

import numpy

AIRLINES = {"AL": "Albatross", "BT": "Bittern", "CR": "Crane", "HN": "Heron", "SW": "Swift"}


def make_flights(rows: int = 2000) -> dict[str, numpy.ndarray]:
    """Columns of so many flights.

    Long flights win some of their delay back, and each airline has its habits.
    """
    random = numpy.random.default_rng(5)
    codes = numpy.array(list(AIRLINES))
    airline = random.choice(len(codes), rows, p=[0.3, 0.15, 0.2, 0.25, 0.1])
    distance = 180 + random.gamma(2.2, 520, rows).clip(0, 4600)
    habit = numpy.array([4, 16, 9, -2, 24])[airline]
    delay = habit + random.normal(0, 9, rows) + random.exponential(19, rows) * (random.random(rows) < 0.45)
    delay = (delay - distance / 320).clip(-25, 150)
    return {
        "flight": numpy.char.add(codes[airline], random.integers(100, 999, rows).astype(str)),
        "airline": codes[airline],
        "distance": distance.astype(numpy.float32),
        "delay": delay.astype(numpy.float32),
    }
