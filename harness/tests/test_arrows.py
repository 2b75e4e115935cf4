"""The arrows between the rooms, read from the imports."""

import ast
import sys
from pathlib import Path

import pytest

# Texts, which every Python reads alike.
pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
ROOMS = {
    "rdit_core": ROOT / "rdit_core",
    "rdit_ref_server": ROOT / "rdit_ref_server",
    "rdit_harness": ROOT / "harness" / "rdit_harness",
    "oracle_bench": ROOT / "harness" / "oracle_bench",
    "e2e": ROOT / "e2e",
}
# Each room, and those that it may ask something of.
ARROWS = {
    "rdit_core": set(),
    "rdit_ref_server": {"rdit_core"},
    "rdit_harness": {"rdit_core"},
    "oracle_bench": {"rdit_core", "rdit_harness"},
    "e2e": {"rdit_core", "rdit_ref_server", "rdit_harness"},
}
CORE_MAY_IMPORT = {"anywidget", "traitlets", "comm", "executing", "msgspec"}
NOT_OURS = {"node_modules", "artifacts", "__pycache__", "tests"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
# What the user's own script is read and run by; nothing of the wire comes here.
RUN_THE_USERS_SCRIPT = {"rdit_ref_server/run.py", "rdit_ref_server/script.py"}
READS_OBJECTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "runpy"}


def sources(room, *, with_tests=False):
    skipped = NOT_OURS - ({"tests"} if with_tests else set())
    return [path for path in sorted(ROOMS[room].rglob("*.py")) if not skipped & set(path.relative_to(ROOT).parts)]


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree):
    """Full names of the modules that a tree imports from elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level < 2, "a room is flat: nothing is imported from a parent"
            if node.level == 0:
                yield node.module or ""


def roots(tree):
    return {name.partition(".")[0] for name in imports(tree)}


def is_for_types_only(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_asks_only_those_that_its_arrows_point_to(room):
    paths = sources(room)
    assert paths
    for path in paths:
        strangers = roots(parsed(path)) & (ROOMS.keys() - {room} - ARROWS[room])
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


@pytest.mark.parametrize(("room", "allowed"), [("rdit_core", set()), ("rdit_ref_server", {"rdit_core"})])
def test_the_tests_of_a_room_keep_its_arrows(room, allowed):
    for path in sources(room, with_tests=True):
        strangers = roots(parsed(path)) & (ROOMS.keys() - {room} - allowed)
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def test_the_core_imports_the_standard_library_and_four_packages():
    for path in sources("rdit_core"):
        strangers = roots(parsed(path)) - set(sys.stdlib_module_names) - CORE_MAY_IMPORT - {"rdit_core"}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def test_the_core_opens_no_socket_starts_no_thread_and_reads_no_clock():
    forbidden = {"socket", "ssl", "asyncio", "selectors", "subprocess", "multiprocessing", "time", "random", "sched"}
    for path in sources("rdit_core"):
        tree = parsed(path)
        assert not roots(tree) & forbidden, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in {("threading", "Thread"), ("threading", "Timer")}, path
                assert not (node.value.id == "datetime" and node.attr in {"now", "utcnow", "today"}), path


def test_the_pytest_plugin_imports_pytest_and_the_standard_library_and_nothing_else_until_it_is_used():
    tree = parsed(ROOMS["rdit_harness"] / "plugin.py")
    top = ast.Module([node for node in tree.body if not is_for_types_only(node)], [])
    eager = [node for node in top.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not [node for node in eager if isinstance(node, ast.ImportFrom) and node.level]
    assert roots(ast.Module(eager, [])) <= set(sys.stdlib_module_names) | {"pytest"}


@pytest.mark.parametrize("room", ["rdit_core", "rdit_ref_server"])
@pytest.mark.threat(26)
def test_nothing_that_came_over_a_wire_can_become_code(room):
    for path in sources(room):
        if path.relative_to(ROOT).as_posix() in RUN_THE_USERS_SCRIPT:
            continue
        tree = parsed(path)
        assert not set(imports(tree)) & READS_OBJECTS, path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                allowed = {"compile"} if isinstance(node.func, ast.Attribute) else set()  # re.compile
                assert name not in (RUNS_TEXT | {"import_module"}) - allowed, f"{path}:{node.lineno} calls {name}"
