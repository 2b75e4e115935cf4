import linecache
import subprocess
import sys
import textwrap

import pytest

from rdit_ref_server.script import Script, parse


def program_of(source):
    return parse(textwrap.dedent(source), "script.py")


def sources(source):
    return [statement.source for statement in program_of(source).statements]


def displays(source):
    return [statement.displays for statement in program_of(source).statements]


def test_a_file_is_cut_into_its_top_level_statements():
    assert sources("a = 1\nif a:\n    b = 2\nelse:\n    b = 3\nb\n") == [
        "a = 1",
        "if a:\n    b = 2\nelse:\n    b = 3",
        "b",
    ]


def test_statements_have_the_line_numbers_of_the_file():
    first, second = program_of("\n\na = (\n  1\n)\nb = 2\n").statements
    assert (first.lineno, first.end_lineno, second.lineno) == (3, 5, 6)


def test_decorators_belong_to_their_function():
    (statement,) = program_of("@staticmethod\n@property\ndef f():\n    pass\n").statements
    assert (statement.lineno, statement.source) == (1, "@staticmethod\n@property\ndef f():\n    pass")


def test_two_statements_on_a_line_are_two():
    assert sources("é = 1; b = é\n") == ["é = 1", "b = é"]


@pytest.mark.parametrize("text", ["a", "(a)", "(a\n)", "a  # ;", "f(';')", "a\n;".replace("\n;", " ")])
def test_a_bare_expression_is_displayed(text):
    assert displays(text) == [True]


@pytest.mark.parametrize("text", ["a;", "a ;  ", "(a);  # hidden", "(\na\n);"])
def test_a_trailing_semicolon_hides_an_expression(text):
    assert displays(text) == [False]


def test_a_semicolon_between_statements_hides_nothing():
    assert displays("a; b") == [True, True]


@pytest.mark.parametrize("text", ["a = 1", "import os", "def f(): pass", "for a in b: a", "del a"])
def test_other_statements_display_nothing(text):
    assert displays(text) == [False]


def test_the_docstring_is_the_modules_and_not_displayed():
    program = program_of('"""About this."""\n"shown"\n')
    assert program.docstring == "About this."
    assert [statement.displays for statement in program.statements] == [False, True]


def test_future_imports_hold_for_what_follows():
    program = program_of("from __future__ import annotations\ndef f(a: not_defined): pass\n")
    namespace = {}
    for statement in program.statements:
        eval(statement.code, namespace)
    assert namespace["f"].__annotations__ == {"a": "not_defined"}


def test_our_own_future_imports_do_not_leak_into_a_script():
    namespace = {}
    (statement,) = program_of("def f(a: int): pass\n").statements
    eval(statement.code, namespace)
    assert namespace["f"].__annotations__ == {"a": int}


@pytest.mark.parametrize(
    ("source", "line"),
    [("a = 1\nb = (", 2), ("a = 1\nreturn a\n", 2), ("a = 1\nfrom __future__ import annotations\n", 2), ("break\n", 1)],
)
def test_what_python_refuses_before_it_runs_is_refused_before_anything_runs(source, line):
    with pytest.raises(SyntaxError) as caught:
        program_of(source)
    assert caught.value.filename == "script.py"
    assert caught.value.lineno == line


def test_a_script_that_is_compiled_warns_once(recwarn):
    # Each warning is an error in this suite, so this also says that the check of the whole file is silent.
    with pytest.warns(SyntaxWarning) as caught:
        program_of("1 is 1")
    assert len(caught) == 1


def test_form_feeds_do_not_count_as_lines():
    first, second = program_of("a = 1\n\x0c\nb = 2\n").statements
    assert (first.source, second.source, second.lineno) == ("a = 1", "b = 2", 3)


def test_an_encoding_declaration_is_respected(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    namespace = {}
    (statement,) = Script(path).load().statements
    eval(statement.code, namespace)
    assert namespace["name"] == "é"


def test_a_file_in_another_encoding_than_it_says_is_a_syntax_error(tmp_path):
    path = tmp_path / "broken.py"
    path.write_bytes(b"name = '\xe9'\n")
    with pytest.raises(SyntaxError):
        Script(path).load()


def test_tracebacks_show_what_runs_even_when_the_file_changes(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("a = 1\n")
    script = Script(path)
    script.load()
    path.write_text("something = 'else entirely'\n")
    linecache.checkcache()
    assert linecache.getline(script.filename, 1) == "a = 1\n"


FACTS = """
import sys
print([__name__, __file__, __doc__, __package__, __spec__, sys.argv, sys.path[0]])
print(__builtins__ is sys.modules["builtins"])
print(sorted(name for name in globals() if name != "__annotations__"))
"""


def test_the_module_looks_as_in_a_plain_run(tmp_path, monkeypatch, running):
    path = tmp_path / "inner" / "script.py"
    path.parent.mkdir()
    path.write_text('"""Doc."""' + FACTS)
    monkeypatch.chdir(tmp_path)
    running.serve()
    running.kernel.run(Script(path.relative_to(tmp_path), ("one", "--two")))
    running.wait_for(lambda: running.kernel.log.is_done)
    plain = subprocess.run(
        [sys.executable, "-X", "utf8", "inner/script.py", "one", "--two"], capture_output=True, text=True, check=True
    )
    assert running.text() == plain.stdout
