"""The benchmarks' arithmetic: medians, ratios, targets, and how they are shown."""

from xml.etree import ElementTree

import pytest

from tests.benchmarks import chart, report
from tests.benchmarks.measures import BY_KEY, TARGETS, Target, Verdict
from tests.benchmarks.results import Results, percentile, ratio

CONDITIONS = {"processes": 10, "many": 40, "watchers": 5}


def some_results() -> Results:
    results = Results(conditions=dict(CONDITIONS), missing={"s6": "no s6-svscan here"})
    for bare, circus, ours in ((1.0, 9.0, 1.3), (3.0, 7.0, 2.5), (2.0, 8.0, 1.9)):
        results.add("bare", {"start": bare})
        results.add("circus", {"start": circus, "pipelined": 100 * circus})
        results.add("ours", {"start": ours, "pipelined": 100 * ours, "idle_cpu": 0.0})
    return results


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (10, 1), (50, 5), (51, 6), (95, 10), (100, 10)]
)
def test_percentile_is_the_nearest_rank(percent, expected):
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [(3.0, 2.0, 1.5), (None, 2.0, None), (3.0, None, None), (3, 0, None)],
)
def test_ratio_needs_two_numbers(value, to, expected):
    assert ratio(value, to) == expected


def test_medians_stand_by_measure_and_peer():
    assert some_results().medians() == {
        "start": {"bare": 2.0, "circus": 8.0, "ours": 1.9},
        "pipelined": {"circus": 800.0, "ours": 190.0},
        "idle_cpu": {"ours": 0.0},
    }


@pytest.mark.parametrize(
    ("target", "ours", "other", "expected"),
    [
        (Target("start", 1.5, "bare"), 1.5, 1.0, Verdict.MET),
        (Target("start", 1.5, "bare"), 1.51, 1.0, Verdict.MISSED),
        (Target("start", 1.5, "bare"), None, 1.0, Verdict.UNKNOWN),
        (Target("start", 1.5, "bare"), 1.0, None, Verdict.UNKNOWN),
        (Target("idle_cpu", 0.05), 0.049, None, Verdict.MET),
        (Target("idle_cpu", 0.05), 0.05, None, Verdict.MISSED),
        (Target("idle_cpu", 0.05), None, None, Verdict.UNKNOWN),
        (Target("pipelined", 2, "circus", at_least=True), 2.0, 1.0, Verdict.MET),
        (Target("pipelined", 2, "circus", at_least=True), 1.9, 1.0, Verdict.MISSED),
    ],
)
def test_a_target_is_judged_by_medians(target, ours, other, expected):
    values = {"ours": ours, target.peer: other}
    known = {peer: value for peer, value in values.items() if value is not None}
    assert target.judge({target.measure: known}) is expected


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("start", 0.523, "0.52 s"),
        ("start", 31.92, "31.9 s"),
        ("replacement_p50", 2480.11, "2480 ms"),
        ("idle_cpu", 0.0, "0.000 %"),
        ("pipelined", 5391.4, "5391 1/s"),
    ],
)
def test_a_value_is_shown_with_as_many_digits_as_mean_something(key, value, expected):
    assert BY_KEY[key].show(value) == expected


def test_every_target_names_a_measure():
    assert {each.measure for each in TARGETS} <= set(BY_KEY)


def test_the_table_shows_values_multiples_targets_and_who_is_missing():
    lines = report.table(some_results()).splitlines()
    assert lines[0].split() == ["bare", "circus", "ours", "target"]
    assert lines[1].split("  ")[0] == "start of 10 processes"
    for part in ("2.00 s", "8.00 s (4x)", "1.90 s (0.95x)", "≤ 1.5 x bare", "met"):
        assert part in lines[1]
    [requests] = [line for line in lines if line.startswith("pipelined")]
    assert requests.endswith("≥ 2 x circus  MISSED")
    assert any("s6 (no s6-svscan here)" in line for line in lines)


def test_missed_targets_are_told():
    assert report.missed(some_results()) == ["pipelined ≥ 2 x circus"]


def test_json_can_be_read_again(tmp_path):
    report.write_json(some_results(), tmp_path / "results.json")
    assert report.read_json(tmp_path / "results.json") == some_results()


def test_the_chart_is_a_picture_with_a_bar_for_each_median():
    picture = ElementTree.fromstring(chart.draw(some_results()))
    space = "{http://www.w3.org/2000/svg}"
    background, *bars = picture.findall(f"{space}rect")
    assert background.get("width") == picture.get("width")
    assert len(bars) == 6
    bare, circus, ours = (float(bar.get("width", 0)) for bar in bars[:3])
    assert bare / circus == pytest.approx(2.0 / 8.0, abs=0.01)
    assert ours / circus == pytest.approx(1.9 / 8.0, abs=0.01)


def test_a_target_may_be_of_another_form_of_ours():
    target = Target("replacement_p50", 1, "ours", whose="keeper", more=0.5)
    assert str(target) == "keeper \u2264 ours + 0.5 ms"
    for value, expected in ((2.5, Verdict.MET), (2.6, Verdict.MISSED)):
        medians = {"replacement_p50": {"ours": 2.0, "keeper": value}}
        assert target.judge(medians) is expected
