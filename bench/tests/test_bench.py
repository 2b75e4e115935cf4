from __future__ import annotations

from pathlib import Path

import pytest

from bench import core_path, growth
from bench.__main__ import main
from bench.linked import painting_of
from bench.measure import Progress, race, ratio
from bench.report import Claim, Findings, Table, as_markdown, as_text, duration, update_page

pytestmark = pytest.mark.once
SILENT = Progress(silent=True)


def test_the_core_part_measures_every_contestant_on_every_value() -> None:
    results = core_path.run(rounds=2, scale=0.01, progress=SILENT)
    assert set(results) == {case.name for case in core_path.CASES}
    for samples in results.values():
        assert set(samples) == set(core_path.CONTESTANTS)
        assert all(len(seconds) == 2 and min(seconds) > 0 for seconds in samples.values())
    assert core_path.claims(results)
    assert core_path.tables(results)


def test_growth_is_measured_in_both_modes() -> None:
    results = growth.run(rounds=1, scale=0.01, progress=SILENT, sizes=2)
    assert set(results) == set(growth.SIZES)
    assert all(set(modes) == {"base mode", "rdit/1"} for modes in results.values())


def test_a_ratio_is_taken_within_each_round() -> None:
    samples = {"one": [2.0, 20.0, 200.0], "other": [1.0, 10.0, 100.0]}
    assert ratio(samples, "one", "other") == 2


def test_contestants_take_turns_in_turning_order() -> None:
    order: list[str] = []

    def turn(name: str) -> core_path.Turn:
        def run(count: int) -> float:
            order.append(name)
            return float(count)

        return run

    samples = race({"a": turn("a"), "b": turn("b")}, rounds=2, count=3, progress=SILENT)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert samples == {"a": [1.0, 1.0], "b": [1.0, 1.0]}


def test_maps_that_come_ever_later_are_a_backlog() -> None:
    painted = [float(ms) for ms in range(0, 400, 10)]
    prompt = painting_of({"painted": painted, "seen": [[number, ms + 2] for number, ms in enumerate(painted)]})
    assert (prompt.share, prompt.drift, prompt.waiting) == (1, pytest.approx(1), 1)
    slow = painting_of({"painted": painted, "seen": [[number, 2 * ms + 2] for number, ms in enumerate(painted)]})
    assert slow.share == 1
    assert slow.drift > 5
    assert slow.waiting > 15


def test_maps_that_were_overtaken_are_not_seen_and_do_not_wait() -> None:
    painted = [float(ms) for ms in range(0, 400, 10)]
    halved = painting_of({"painted": painted, "seen": [[number, painted[number] + 2] for number in range(1, 40, 2)]})
    assert halved.share == pytest.approx(0.5)
    assert halved.drift == pytest.approx(1)
    assert halved.waiting == 2
    assert max(halved.delays) == pytest.approx(0.012)


def test_a_slope_of_doubling_cost_is_one() -> None:
    assert growth.slope({"1": [1.0], "10": [10.0], "100": [100.0]}) == pytest.approx(1)
    assert growth.slope({"1": [3.0], "10": [3.0]}) == pytest.approx(0)


def test_findings_replace_those_of_the_last_run_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "bench.md"
    page.write_text("before\n\n<!-- bench a: begin -->\nstale\n<!-- bench a: end -->\n\nafter\n", encoding="utf-8")
    findings = Findings("a", "Core", "2 rounds", [Table("Times", ["value", "x"], [["one", "1 µs"]])])
    findings.claims.append(Claim("fast", "0.4×", "≤ 0.5×", holds=True))
    update_page(page, [findings])
    update_page(page, [findings])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "stale" not in text
    assert text.count("| one | 1 µs |") == 1
    assert "| fast | 0.4× | ≤ 0.5× | yes |" in as_markdown(findings)
    assert "fast" in as_text(findings)


def test_durations_have_three_digits_and_a_unit() -> None:
    assert [duration(s) for s in (2.5, 0.0123, 0.000_123_4, 0.000_000_5)] == ["2.50 s", "12.3 ms", "123 µs", "500 ns"]


def test_an_unknown_part_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "z"])
    assert "no part 'z'; there are a, b, c, d" in capsys.readouterr().err
