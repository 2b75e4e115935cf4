import pytest

from oracle_bench.deviations import NAMES
from oracle_bench.page import PAGE, fresh_page, put_between
from oracle_bench.plants import CLIENT_PLANTS, MIRROR_PLANTS


def test_the_page_is_as_the_code_has_it():
    assert PAGE.read_text(encoding="utf-8") == fresh_page(), "run `python -m oracle_bench --page`"


def test_every_deviation_and_every_plant_has_its_row():
    text = PAGE.read_text(encoding="utf-8")
    for name in (*NAMES, *CLIENT_PLANTS, *MIRROR_PLANTS):
        assert f"| `{name}` |" in text


def test_a_table_goes_between_its_marks():
    text = "a <!-- t: begin -->old<!-- t: end --> b"
    assert put_between(text, "t", "new") == "a <!-- t: begin -->\nnew\n<!-- t: end --> b"
    with pytest.raises(ValueError, match="Expected"):
        put_between("a", "t", "new")
