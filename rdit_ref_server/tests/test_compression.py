import gzip
import random
import threading

import pytest

from rdit_ref_server import compression
from rdit_ref_server.compression import Compressed, takes_gzip

from .conftest import PATIENCE_S

CODE = b"export default {}; " * 100


@pytest.fixture
def times(monkeypatch):
    """How often something was compressed."""
    done = []
    compress = compression.compressed
    monkeypatch.setattr(compression, "compressed", lambda content: done.append(content) or compress(content))
    return done


def test_content_is_compressed_once_however_many_ask_for_it_at_once(times):
    kept = Compressed()
    begin = threading.Barrier(10)
    found = []

    def ask():
        begin.wait(PATIENCE_S)
        found.append(kept.find("name", CODE))

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [gzip.decompress(one) for one in found] == [CODE] * 10
    assert len(times) == 1


def test_what_would_gain_nothing_stays_as_it_is_and_is_not_tried_again(times):
    kept = Compressed()
    noise = random.Random(1).randbytes(5000)
    for content in (b"short", noise):
        assert [kept.find(str(len(content)), content) for _ in range(2)] == [None, None]
    assert len(times) == 2


def test_what_was_not_asked_for_longest_goes_when_there_is_too_much(times):
    size = len(gzip.compress(CODE, mtime=0)) + 10
    kept = Compressed(max_bytes=2 * size)
    for name in ("one", "two", "one", "six"):
        kept.find(name, CODE)
    assert len(times) == 3
    kept.find("one", CODE)
    assert len(times) == 3
    kept.find("two", CODE)
    assert len(times) == 4


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        *((text, True) for text in ("gzip", "br, GZIP", "gzip;q=0.1", "deflate, gzip; q=1.000")),
        *((text, False) for text in ("", "br", "gzip;q=0", "gzip; q=0.000", "x-gzip")),
    ],
)
def test_who_takes_gzip_says_so(accepted, takes):
    assert takes_gzip({"accept-encoding": accepted}) is takes
