"""What an installation of the core alone costs and brings."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "starlette uvicorn watchfiles websockets playwright pytest selenium hypothesis IPython ipywidgets anywidget numpy "
    "asyncio"
)


def modules_after(code):
    """The modules that are loaded after some code in a process of its own."""
    code += "\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def bare():
    return modules_after("")


def test_importing_the_core_brings_no_server_no_browser_no_pytest_and_no_widget_library(bare):
    brought = modules_after("import rdit_core") - bare
    assert not brought & set(HEAVY.split())
    assert not {name for name in brought if name.startswith(("rdit_ref_server", "rdit_harness"))}
    assert {name for name in brought if name.startswith("rdit_core.")} >= {"rdit_core.manager", "rdit_core.base_server"}


def test_importing_the_core_hooks_nothing():
    assert modules_after("import comm; before = comm.create_comm; import rdit_core; assert comm.create_comm is before")


def test_a_core_without_a_widget_library_manages_nothing_and_says_so():
    assert "ipywidgets" not in modules_after(
        "import rdit_core\n"
        "manager = rdit_core.WidgetManager()\n"
        "try: manager.add(object())\n"
        "except rdit_core.WidgetNotHostable: pass\n"
        "else: raise SystemExit('hosted')\n"
        "connection = manager.connect(rdit_core.TRUSTED)\n"
        "connection.receive_frame('x', 0.0)\n"
        "assert connection.frames_to_send()\n"
        "manager.clear()\n"
    )


def test_the_pytest_plugin_costs_nothing_where_it_is_not_used():
    code = "import pytest, sys, json; before = set(sys.modules); import rdit_harness.plugin\n"
    code += "print(json.dumps(sorted(set(sys.modules) - before)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(out) == ["rdit_harness", "rdit_harness.plugin"]


def test_the_harness_gives_every_name_that_it_announces():
    import rdit_harness

    for name in rdit_harness.__all__:
        assert getattr(rdit_harness, name).__doc__
    assert sorted(rdit_harness._HOMES) == sorted(rdit_harness.__all__)
    assert not hasattr(rdit_harness, "nothing")
    from rdit_harness import expect

    assert callable(expect)
