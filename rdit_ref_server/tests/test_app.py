import pytest
from starlette.testclient import TestClient

from rdit_core import __version__
from rdit_ref_server.app import CLIENT, create_app
from rdit_ref_server.security import AccessRules

from .conftest import ORIGIN


def test_the_page_and_its_files_are_served(site):
    assert site.get("/").text.startswith("<!doctype html>")
    assert site.get("/").headers["content-type"] == "text/html; charset=utf-8"
    answer = site.get("/client/page.js")
    assert (answer.text, answer.headers["content-type"]) == ("export {};", "text/javascript; charset=utf-8")
    assert site.get("/client/page.css").headers["content-type"] == "text/css; charset=utf-8"
    assert site.get("/client/page.js").headers["cache-control"] == "no-cache"


def test_a_page_that_may_see_only_is_told_so_at_once(running, client_folder):
    (client_folder / "index.html").write_text('<!doctype html><html lang="en"><title>rdit</title>')

    def page(*, read_only):
        rules = AccessRules.for_address("127.0.0.1", 8765, token=None, read_only=read_only)
        running.kernel.submit(lambda: None)
        with TestClient(
            create_app(running.kernel, running.script, rules, client=client_folder), base_url=ORIGIN
        ) as site:
            answer = site.get("/")
            again = site.get("/", headers={"if-none-match": answer.headers["etag"]})
            return answer, again.status_code

    one, one_again = page(read_only=True)
    other, other_again = page(read_only=False)
    assert one.text == other.text.replace("<html", "<html data-rdit-read-only", 1) != other.text
    assert one.headers["etag"] != other.headers["etag"]
    assert (one_again, other_again) == (304, 304)


@pytest.mark.parametrize(
    "path",
    [
        "/client/package.json",
        "/client/tests/page.test.js",
        "/client/page.test.js",
        "/client/../app.py",
        "/client/%2e%2e/app.py",
        "/client/..%2fapp.py",
        "/client/%2fetc%2fpasswd",
        "/client/",
        "/esm/../app.py",
        "/esm/app.js",
        f"/esm/{'0' * 64}.js",
        f"/esm/{'0' * 64}",
    ],
)
def test_nothing_else_is(site, path):
    answer = site.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


def test_the_real_client_is_there():
    assert (CLIENT / "index.html").is_file()


def test_a_module_is_served_as_a_script_of_our_own_origin(site, running, counter_source):
    (event,) = [one for one in running.run(counter_source + "counter\n") if one["kind"] == "widget"]
    answer = site.get(event["esm_url"])
    assert answer.text == event["esm"]
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "immutable" in answer.headers["cache-control"]


def test_a_module_comes_compressed_to_those_who_take_it_and_is_the_same_for_all(site, running, counter_source):
    code = "export default { render() {} }; // " + "long " * 1000
    name = running.kernel.modules.url(code)
    plain = site.get(name, headers={"accept-encoding": "br, gzip;q=0"})
    small = site.get(name, headers={"accept-encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert plain.text == small.text == code
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 10
    for answer in (plain, small):
        assert "accept-encoding" in answer.headers["vary"]
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["etag"] == plain.headers["etag"]
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    again = site.get(name, headers={"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert site.get(running.kernel.modules.url("1"), headers={"accept-encoding": "gzip"}).text == "1"


def test_the_status_says_what_runs(site, running):
    running.run("1\n")
    running.wait_for(lambda: running.kernel.state == "idle")
    status = site.get("/api/status").json()
    assert status.pop("counters")["connections"]["open"] == 0
    assert status == {
        "script": "script.py",
        "state": "idle",
        "last_event_id": 3,
        "version": __version__,
        "protocol": "base",
    }


def test_a_reset_runs_the_script_afresh_as_it_is_now(site, running, counter_source):
    running.run(counter_source + "counter\n")
    running.write("print('counter' in globals())\n")
    assert site.post("/api/reset").status_code == 202
    assert "event: reset" in site.get("/api/execute").text
    assert running.text() == "False\n"
    assert list(running.kernel.manager.widgets) == []


def test_an_interrupt_is_taken(site, running):
    running.run("1\n")
    assert site.post("/api/interrupt").status_code == 202


@pytest.mark.parametrize("path", ["/api/reset", "/api/interrupt"])
def test_what_changes_something_is_not_a_get(site, path):
    assert site.get(path).status_code == 405


def test_a_failure_of_ours_has_the_headers_and_no_details(site, running, monkeypatch):
    from starlette.testclient import TestClient

    from .conftest import ORIGIN, TOKEN

    def fail(name):
        raise RuntimeError("a secret")

    monkeypatch.setattr(running.kernel.modules, "find", fail)
    client = TestClient(site.app, base_url=ORIGIN, raise_server_exceptions=False)
    answer = client.get("/esm/x.js", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
