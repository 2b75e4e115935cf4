import pytest

from rdit_ref_server.app import create_app
from rdit_ref_server.security import AccessRules
from rdit_ref_server.workers import workers_of


@pytest.mark.parametrize(
    ("environment", "argv", "count"),
    [
        ({}, ["/usr/bin/uvicorn", "app:app"], 1),
        ({}, ["/usr/bin/uvicorn", "app:app", "--workers", "4"], 4),
        ({}, ["/lib/uvicorn/__main__.py", "app:app", "--workers=3"], 3),
        ({}, ["gunicorn", "-w", "2", "app:app"], 2),
        ({"WEB_CONCURRENCY": "2"}, ["uvicorn", "app:app"], 2),
        ({"WEB_CONCURRENCY": "2"}, ["uvicorn", "app:app", "--workers", "1"], 1),
        ({"WEB_CONCURRENCY": "many"}, ["uvicorn", "app:app", "--workers"], 1),
        ({"WEB_CONCURRENCY": "2"}, ["program.py", "--workers", "4"], 1),
        ({"WEB_CONCURRENCY": "2"}, [], 1),
    ],
)
def test_what_a_web_server_was_told_is_found(environment, argv, count):
    assert workers_of(environment, argv) == count


def test_an_application_for_several_workers_is_refused(running, monkeypatch):
    rules = AccessRules.for_address("127.0.0.1", 8765, token=None)
    with pytest.raises(RuntimeError, match="expected one worker, got 2"):
        create_app(running.kernel, running.script, rules, workers=2)
    monkeypatch.setattr("sys.argv", ["uvicorn", "app:app", "--workers", "4"])
    with pytest.raises(RuntimeError, match="expected one worker, got 4"):
        create_app(running.kernel, running.script, rules)
    create_app(running.kernel, running.script, rules, workers=1)
