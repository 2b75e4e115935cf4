"""The example of a whole widget tested in Python is a test that passes."""

from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "test_in_python.py"


def test_the_example_passes_in_a_pytest_of_its_own(pytester):
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(EXAMPLE.read_text(encoding="utf-8"))
    others = [word for name in ("cacheprovider", "asyncio", "playwright") for word in ("-p", f"no:{name}")]
    pytester.runpytest_inprocess(*others).assert_outcomes(passed=4)
