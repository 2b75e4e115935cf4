import hashlib

import pytest

from rdit_ref_server.esm import ModuleStore


def test_a_module_is_found_under_the_hash_of_its_text():
    store = ModuleStore()
    digest = hashlib.sha256(b"export default {}").hexdigest()
    assert store.url("export default {}") == f"esm/{digest}.js"
    assert store.find(digest) == b"export default {}"


@pytest.mark.threat(25)
def test_what_was_not_put_there_is_not_found():
    store = ModuleStore()
    store.url("export default {}")
    for name in ("", "0" * 64, "../app.py", "/etc/passwd"):
        assert store.find(name) is None


def test_a_module_that_is_a_url_stays_where_it_is():
    assert ModuleStore().url("https://example.org/widget.js") == "https://example.org/widget.js"


def test_modules_outlive_one_reset_but_not_two():
    store = ModuleStore()
    name = store.url("a").removeprefix("esm/").removesuffix(".js")
    store.begin_again()
    assert store.find(name) == b"a"
    store.begin_again()
    assert store.find(name) is None
