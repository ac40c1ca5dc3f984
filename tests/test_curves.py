"""The picture of the soak: what its axes say."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.curves import WIDTH, Curve, render_curves, ticks


@given(st.floats(min_value=0, max_value=1e12))
def test_ticks_begin_at_nothing_and_just_hold_the_largest(largest: float) -> None:
    found = ticks(largest)
    assert found[0] == 0
    assert found[-2] < max(largest, 1.0) <= found[-1]
    assert 3 <= len(found) <= 6


def test_a_curve_is_drawn_where_its_ticks_say() -> None:
    drawn = ElementTree.fromstring(
        render_curves([Curve("Memory (MB)", [(0, 0), (50, 3), (100, 4)])], "jobs", "Flat")
    )
    svg = "{http://www.w3.org/2000/svg}"
    line = next(drawn.iter(f"{svg}polyline")).get("points", "")
    assert line.split()[0] == "0.0,180.0"
    assert line.split()[-1].split(",") == [f"{WIDTH:.1f}", "0.0"]
    assert [text.text for text in drawn.iter(f"{svg}text")][:3] == ["Memory (MB)", "0", "1"]
