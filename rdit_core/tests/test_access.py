import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdit_core import TRUSTED, AccessRefused, WidgetManager, check_host, check_origin, check_token, origin_of
from rdit_core.access import Verdict

OURS = ["http://127.0.0.1:8765", "https://app.example"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://localhost:8765", "http://localhost:8765"),
        ("http://localhost", "http://localhost:80"),
        ("https://localhost", "https://localhost:443"),
        ("ws://localhost", "ws://localhost:80"),
        ("wss://localhost", "wss://localhost:443"),
        ("HTTP://LocalHost:80/", "http://localhost:80"),
        ("http://[::1]:8765", "http://[::1]:8765"),
        ("http://[::1]", "http://[::1]:80"),
        ("http://localhost:0", "http://localhost:0"),
        ("null", None),
        ("", None),
        ("localhost:8765", None),
        ("file:///etc/passwd", None),
        ("http://", None),
        ("http://user@localhost", None),
        ("http://localhost/path", None),
        ("http://localhost?query", None),
        ("http://localhost#fragment", None),
        ("http://localhost:99999", None),
        ("http://localhost:port", None),
        ("http://[::1", None),
    ],
)
def test_a_url_is_reduced_to_scheme_host_and_port_or_to_nothing(url, origin):
    assert origin_of(url) == origin


@pytest.mark.parametrize("given", [["http://127.0.0.1:8765"], ["https://app.example"], ["https://app.example:443"]])
def test_an_origin_that_is_ours_is_allowed(given):
    assert check_origin(given, OURS) == Verdict(True)


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["null"],
        [""],
        ["https://app.example", "https://app.example"],
        ["https://app.example", "https://evil.example"],
        ["https://app.example.evil.com"],
        ["https://evilapp.example"],
        ["https://evil.com/https://app.example"],
        ["https://app.example@evil.com"],
        ["http://app.example"],
        ["https://app.example:8443"],
        ["http://127.0.0.1:8766"],
        ["http://127.0.0.1"],
        ["https://APP.example"],
        [" https://app.example"],
        ["https://app.example "],
        ["https://app.example."],
        ["https://app.example/"],
        ["https://xn--pp-iia.example"],
        ["chrome-extension://app.example"],
    ],
)
@pytest.mark.threat(1, 2, 3)
def test_a_foreign_doubled_missing_or_disguised_origin_is_refused(given):
    assert check_origin(given, OURS) == Verdict(False, "forbidden_origin")


def test_an_allow_list_entry_that_is_no_origin_allows_nothing():
    assert not check_origin(["null"], ["null", "*", ""]).allowed
    assert not check_origin(["http://a"], ["*"]).allowed


@given(st.lists(st.text(), max_size=3))
@pytest.mark.threat(2)
def test_no_text_but_an_exact_origin_is_ever_allowed(origins):
    verdict = check_origin(origins, OURS)
    assert verdict.allowed == (len(origins) == 1 and origin_of(origins[0]) in {origin_of(one) for one in OURS})


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("localhost:8765", True),
        ("LOCALHOST:1", True),
        ("[::1]", True),
        ("[::1]:8765", True),
        ("pinned:80", True),
        ("pinned:81", False),
        ("pinned", False),
        (None, False),
        ("", False),
        (" localhost", False),
        ("evil.com", False),
        ("evil.com:8765", False),
        ("localhost.evil.com", False),
        ("localhost.", False),
        ("evil.localhost", False),
        ("[::2]", False),
        ("::1", False),
        (":8765", False),
    ],
)
@pytest.mark.threat(4)
def test_a_host_is_answered_only_under_its_own_names(host, allowed):
    verdict = check_host(host, {"Localhost", "[::1]", "pinned:80"})
    assert verdict == (Verdict(True) if allowed else Verdict(False, "forbidden_host"))


@pytest.mark.parametrize(
    ("given", "expected", "allowed"),
    [
        ("secret", "secret", True),
        ("Secret", "secret", False),
        ("secret ", "secret", False),
        ("", "secret", False),
        (None, "secret", False),
        ("ä€\ud800", "secret", False),
        ("schlüssel", "schlüssel", True),
        (None, None, True),
        ("anything", None, True),
    ],
)
@pytest.mark.threat(7)
def test_a_token_must_be_the_expected_one_unless_none_is_asked_for(given, expected, allowed):
    verdict = check_token(given, expected, user="ada")
    assert verdict == (Verdict(True, user="ada") if allowed else Verdict(False, "unauthorized"))


@pytest.mark.parametrize("verdict", [Verdict(False), Verdict(False, "forbidden_origin"), check_token(None, "x")])
@pytest.mark.threat(6)
def test_a_manager_connects_nobody_without_a_verdict_that_allows_it(verdict):
    manager = WidgetManager()
    with pytest.raises(AccessRefused) as caught:
        manager.connect(verdict)
    assert caught.value.code == (verdict.code or "unauthorized")
    assert manager.connect(TRUSTED).user == "local"
