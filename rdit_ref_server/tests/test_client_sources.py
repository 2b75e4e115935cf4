import re

from rdit_ref_server.client_sources import client_sources


def test_every_module_of_the_browser_side_is_there_and_what_it_imports():
    sources = client_sources()
    assert "index.js" in sources
    for text in sources.values():
        for name in re.findall(r'^(?:import|export) .*? from "\./([\w.]+)"', text, re.MULTILINE):
            assert name in sources
