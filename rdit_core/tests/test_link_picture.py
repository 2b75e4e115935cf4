import itertools
import re
from xml.etree import ElementTree

import traitlets

from rdit_core import link_traits, links
from rdit_core.link_picture import draw

SVG = "{http://www.w3.org/2000/svg}"


def kind(name, *traits):
    return type(name, (traitlets.HasTraits,), {trait: traitlets.Any(0) for trait in traits or ("value",)})


def picture(pairs):
    """The picture of links between these objects, as (element, texts, boxes as (x, y, height))."""
    root = ElementTree.fromstring(draw((source, target, is_one_way) for source, target, is_one_way in pairs))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    boxes = [
        tuple(float(element.get(name)) for name in ("x", "y", "height"))
        for element in root.iter(f"{SVG}rect")
        if element.get("class") == "box"
    ]
    return root, texts, boxes


def arrows(root):
    return [one for one in root.iter(f"{SVG}path") if one.get("class") == "link"]


def test_widgets_are_boxes_with_the_traits_that_are_linked():
    plot, table = kind("Plot", "chosen", "unused")(), kind("Table", "rows")()
    root, texts, boxes = picture([((plot, "chosen"), (table, "rows"), False)])
    assert texts == ["Plot", "chosen", "Table", "rows"] and len(boxes) == 2
    assert root.get("aria-label") == "2 widgets, 1 link"


def test_an_arrow_has_a_head_where_a_value_goes():
    a, b = kind("A")(), kind("B")()
    root, _, _ = picture([((a, "value"), (b, "value"), True), ((a, "value"), (b, "value"), False)])
    one_way, both = arrows(root)
    assert one_way.get("marker-end") and not one_way.get("marker-start")
    assert both.get("marker-end") and both.get("marker-start")


def test_a_source_stands_before_those_that_follow_it():
    a, b, c = (kind(name)() for name in "ABC")
    _, texts, boxes = picture([((b, "value"), (c, "value"), True), ((a, "value"), (b, "value"), True)])
    assert [text for _, text in sorted(zip([x for x, _, _ in boxes], texts[::2], strict=True))] == ["A", "B", "C"]


def test_text_is_escaped_and_cut_with_the_whole_of_it_as_a_title():
    name, long = "<b onclick='x'>&", "a_name_that_is_much_too_long_for_a_box"
    a, b = kind(name)(), kind("B", long)()
    svg = draw([((a, "value"), (b, long), False)])
    root = ElementTree.fromstring(svg)
    assert name in [element.text for element in root.iter(f"{SVG}text")] and "<b onclick" not in svg
    assert [element.text for element in root.iter(f"{SVG}title")] == [long]


def test_an_object_that_is_gone_and_no_link_at_all_are_drawn():
    _, texts, _ = picture([((None, "value"), (kind("B")(), "value"), False)])
    assert texts[0] == "(gone)"
    root, texts, boxes = picture([])
    assert (texts, boxes, root.get("aria-label")) == ([], [], "0 widgets, 0 links")


def shapes(count):
    """A chain, a star, a ring and many pairs, of so many widgets each."""
    objects = [kind(f"W{number}")() for number in range(count)]
    ends = [(one, "value") for one in objects]
    yield "chain", [(a, b, False) for a, b in itertools.pairwise(ends)]
    yield "star", [(ends[0], end, True) for end in ends[1:]]
    yield "ring", [(a, b, False) for a, b in zip(ends, [*ends[1:], ends[0]], strict=True)]
    yield "pairs", [(a, b, True) for a, b in zip(ends[::2], ends[1::2], strict=True)]


def test_fifty_widgets_overlap_nowhere_and_stay_within_a_page():
    for shape, pairs in shapes(50):
        root, _, boxes = picture(pairs)
        width, height = float(root.get("width")), float(root.get("height"))
        assert len(boxes) == 50
        assert width <= 1400 and height <= 1400, shape
        for at, (x, y, tall) in enumerate(boxes):
            assert 0 <= x <= width - 150 and 0 <= y <= height - tall, shape
            for other_x, other_y, other_tall in boxes[:at]:
                is_apart = abs(x - other_x) >= 150 or y >= other_y + other_tall or other_y >= y + tall
                assert is_apart, shape


def test_the_picture_has_colours_for_light_and_dark():
    a, b = kind("A")(), kind("B")()
    link_traits((a, "value"), (b, "value"))
    style = re.search("<style>(.*)</style>", links(a).to_svg()).group(1)
    assert "prefers-color-scheme:dark" in style
    assert all(
        rule.lstrip("}").startswith((".rdit-links", "@media")) for rule in re.findall(r"[^{}]*(?=\{)", style) if rule
    )
    links(a).unlink()
