"""A trait for a map of heights: a numpy array in Python, float32 as bytes on its way, a DataView in the page."""

import numpy
import traitlets

SIZE = 64


class Heights(traitlets.TraitType):
    """SIZE × SIZE numbers from 0 to 1."""

    info_text = f"a {SIZE} × {SIZE} array of numbers from 0 to 1"

    def __init__(self):
        super().__init__(numpy.zeros((SIZE, SIZE), numpy.float32))
        self.tag(
            to_json=lambda heights, _widget: heights.tobytes(),
            from_json=lambda sent, _widget: numpy.frombuffer(sent, "<f4").reshape(SIZE, SIZE),
        )

    def validate(self, obj, value):
        """Take whatever makes such an array. Nobody may change it in place, since that would reach no page."""
        try:
            heights = numpy.array(value, "<f4")
        except (TypeError, ValueError):
            self.error(obj, value)
        if heights.shape != (SIZE, SIZE) or not numpy.isfinite(heights).all():
            self.error(obj, value)
        heights = heights.clip(0, 1)
        heights.flags.writeable = False
        return heights


def make_island(seed=3):
    """A mountain or two in the sea."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    heights = numpy.zeros((SIZE, SIZE))
    for _ in range(14):
        at_x, at_y = random.uniform(-0.55, 0.55, 2)
        width, height = random.uniform(0.12, 0.38), random.uniform(0.1, 0.42)
        heights += height * numpy.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * width**2))
    for waves in (4, 9, 17):
        turn = random.uniform(0, 7, 4)
        ripple = numpy.sin(waves * x + turn[0] + 2 * numpy.sin(waves / 2 * y + turn[1]))
        heights += 0.16 / waves * ripple * numpy.sin(waves * y + turn[2] + 2 * numpy.sin(waves / 2 * x + turn[3]))
    return 0.08 + 0.85 * (heights - heights.min()) / (heights.max() - heights.min())
