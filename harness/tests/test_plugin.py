"""The plugin, seen from tests that use it."""

import pytest

WIDGET = """
import anywidget, traitlets
from rdit_harness import expect

class Counter(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)
"""


@pytest.fixture
def outcomes(pytester):
    """Runs a test module in a pytest of its own and gives what became of its tests."""
    pytester.makeini("[pytest]\n")

    def run(body, *options):
        pytester.makepyfile(WIDGET + body)
        others = [word for name in ("cacheprovider", "asyncio", "playwright") for word in ("-p", f"no:{name}")]
        return pytester.runpytest_inprocess(*others, *options)

    return run


def test_the_fixtures_are_there_and_say_what_they_are(outcomes):
    result = outcomes("", "--fixtures")
    result.stdout.fnmatch_lines(["mount*", "*A widget on a simulated page.", "rdit_sim*", "*A simulated front end*"])


def test_a_widget_is_tested_in_a_few_lines(outcomes):
    result = outcomes("""
def test_counter(mount):
    view = mount(Counter, value=2)
    view.model.set("value", 3); view.model.save_changes()
    expect(view).to_have(value=3)
    view.net.drop(); view.set(value=4); view.net.heal()
    expect(view).to_have(value=4)
    assert view.widget.value == 4

def test_two_tabs(rdit_sim):
    counter = Counter()
    here, there = (rdit_sim.page().open(counter) for _ in range(2))
    here.set("value", 5); here.save_changes()
    rdit_sim.settle()
    assert there.get("value") == 5
""")
    result.assert_outcomes(passed=2)


def test_an_observer_that_raises_is_an_error_of_its_test_and_of_no_other(outcomes):
    result = outcomes("""
def test_fails(mount):
    view = mount(Counter)
    view.widget.observe(lambda change: 1 / 0, "value")
    view.set(value=1)

def test_passes(mount):
    mount(Counter).set(value=1)
""")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*1 exception(s) in observers, listeners or modules, the first: ZeroDivisionError*"])


def test_nothing_is_left_after_a_test_even_when_it_failed(outcomes):
    result = outcomes("""
from ipywidgets.widgets.widget import _instances

def test_mount(mount):
    mount(Counter)
    assert False

def test_after_mount():
    assert not _instances

def test_sim(rdit_sim):
    rdit_sim.page().render(Counter())
    assert False

def test_after_sim():
    assert not _instances
""")
    result.assert_outcomes(passed=2, failed=2)


MODES = """
def test_mount(mount, rdit_mode):
    assert mount(Counter).page.mode == rdit_mode == {mount!r}

def test_sim(rdit_sim, rdit_mode):
    assert rdit_sim.page().mode == rdit_mode == {mount!r}

@pytest.mark.parametrize("rdit_mode", ["v1", "base"])
def test_both(mount, rdit_mode):
    assert mount(Counter).page.mode == rdit_mode
"""


@pytest.mark.parametrize(
    ("options", "mode"), [((), "v1"), (("--rdit-mode", "base"), "base"), (("--rdit-mode=v1",), "v1")]
)
def test_pages_speak_rdit_1_or_what_the_run_says_or_what_the_test_says(outcomes, options, mode):
    outcomes("import pytest\n" + MODES.format(mount=mode), *options).assert_outcomes(passed=4)


def test_a_mode_that_there_is_not_is_refused_at_the_start(outcomes):
    result = outcomes("", "--rdit-mode", "v2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--rdit-mode: invalid choice: 'v2'*"])
