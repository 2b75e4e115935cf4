import re

from starlette.testclient import TestClient

from rdit_ref_server.app import CLIENT, create_app
from rdit_ref_server.client_files import JOINED, read_client
from rdit_ref_server.security import AccessRules


def test_the_page_asks_for_one_script_and_one_style():
    files = read_client(CLIENT)
    page = files["index.html"].content.decode()
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["data:,", "client/page.css", f"client/{JOINED}"]
    assert "modulepreload" not in page
    assert "startPage" in files[JOINED].content.decode()
    # For a front end of one's own everything is there as it is.
    assert files["model.js"].content == (CLIENT / "model.js").read_bytes()


def test_a_page_of_ones_own_without_our_script_is_left_alone(client_folder):
    files = read_client(client_folder)
    assert JOINED not in files
    assert files["index.html"].content == (client_folder / "index.html").read_bytes()


def test_compressed_or_not_it_is_the_same_file(running):
    rules = AccessRules.for_address("127.0.0.1", 8765, token=None, allowed_origins=["http://localhost:5173"])
    with TestClient(create_app(running.kernel, running.script, rules), base_url="http://127.0.0.1:8765") as site:
        plain = site.get(f"/client/{JOINED}", headers={"accept-encoding": "br, gzip;q=0"})
        small = site.get(f"/client/{JOINED}", headers={"accept-encoding": "br, gzip;q=0.5"})
        assert "content-encoding" not in plain.headers
        assert small.headers["content-encoding"] == "gzip"
        assert plain.text == small.text
        assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 3
        for answer in (plain, small):
            assert {one.strip() for one in answer.headers["vary"].split(",")} == {"accept-encoding", "origin"}
        again = site.get(f"/client/{JOINED}", headers={"if-none-match": f'"other", W/{plain.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == plain.headers["content-security-policy"]
        assert site.get(f"/client/{JOINED}", headers={"if-none-match": '"other"'}).status_code == 200
