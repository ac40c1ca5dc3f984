"""What the model is shown once it has said, from the map, what it must see."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.change.context import (
    WeighedRepository,
    build_context,
    choose_context,
    is_worth_a_choice,
    render_wide_map,
    weigh_repository,
)
from bot.types import Context
from bot.types.reply import Request
from tests.change.snapshots import view_of

TASK = "The total of an order is wrong."


def _function(name: str, lines: int = 30) -> str:
    return f"def {name}(order):\n" + "    order = next(order)\n" * lines + "    return order\n\n\n"


def _module(words: str, count: int) -> bytes:
    return "".join(_function(f"{words}_{number}") for number in range(count)).encode()


def _class(name: str, methods: int) -> str:
    body = "".join(
        f"    def part_{number}(self):\n" + "        self.step()\n" * 20 + "\n"
        for number in range(methods)
    )
    return f"class {name}:\n{body}\n"


FILES = {
    "shop/total.py": _module("total_order", 40),
    "shop/tax.py": _module("tax_order", 40),
    "shop/rate.py": (_class("Rate", 2) + _class("Table", 30)).encode() + _module("rate", 5),
    "shop/zone.py": b"ZONES = {}\n\n\ndef zone_of(order):\n    return ZONES[order]\n",
    "docs/zones.md": b"# Zones\n\nWhere an order goes.\n",
}


@pytest.fixture(scope="module")
def weighed() -> WeighedRepository:
    return weigh_repository(view_of(FILES), TASK)


def _choose(weighed: WeighedRepository, wanted: Sequence[Request]) -> Context:
    return build_context(weighed, budget_tokens=24_000, wanted=wanted)


def _shown(context: Context, path: str) -> str:
    return "".join(part.text for part in context.shown if part.path == path)


def test_without_a_choice_the_ranking_chooses(weighed: WeighedRepository) -> None:
    alone = choose_context(view_of(FILES), TASK, budget_tokens=24_000)
    assert _choose(weighed, ()) == alone


def test_a_path_that_is_not_there_is_answered_so(weighed: WeighedRepository) -> None:
    context = _choose(weighed, [Request("read", "shop/none.py", name="f")])
    assert context.shown == _choose(weighed, ()).shown
    assert "shop/none.py" in context.answers


def test_a_definition_that_is_chosen_is_shown_whole_and_first(weighed: WeighedRepository) -> None:
    context = _choose(weighed, [Request("read", "shop/tax.py", name="tax_order_31")])
    assert _function("tax_order_31").rstrip() in _shown(context, "shop/tax.py")
    assert context.shown[0].path == "shop/tax.py"
    assert context.shown[0].why == "the model asked for it"


def test_what_was_not_chosen_gives_way(weighed: WeighedRepository) -> None:
    context = _choose(weighed, [Request("read", "shop/tax.py", name="tax_order_31")])
    assert len(_shown(context, "shop/total.py")) < len(
        _shown(_choose(weighed, ()), "shop/total.py")
    )


@pytest.mark.parametrize("name", ["Table.part_7", "Table::part_7", "Table#part_7"])
def test_a_name_may_say_what_it_is_in(weighed: WeighedRepository, name: str) -> None:
    context = _choose(weighed, [Request("read", "shop/rate.py", name=name)])
    assert "def part_7(self):\n" + "        self.step()\n" * 20 in _shown(context, "shop/rate.py")


def test_a_method_is_that_of_the_class_that_is_named() -> None:
    files = {"a.py": ("".join(map(_one_method, "ABCDE")) + _function("total_order")).encode()}
    weighed = weigh_repository(view_of(files), TASK)
    text = _shown(_choose(weighed, [Request("read", "a.py", name="C.part")]), "a.py")
    assert "self.c()" in text
    assert "self.b()" not in text


def _one_method(name: str) -> str:
    body = f"        self.{name.lower()}()\n" * 90
    return f"class {name}:\n    def part(self):\n{body}\n\n"


def test_a_small_class_is_shown_whole_and_of_a_large_one_its_beginning(
    weighed: WeighedRepository,
) -> None:
    small = _choose(weighed, [Request("read", "shop/rate.py", name="Rate")])
    assert _class("Rate", 2).rstrip() in _shown(small, "shop/rate.py")
    large = _choose(weighed, [Request("read", "shop/rate.py", name="Table")])
    assert "class Table:" in _shown(large, "shop/rate.py")
    assert large.tokens < 9_000


def test_a_small_file_is_shown_whole_without_a_name(weighed: WeighedRepository) -> None:
    context = _choose(weighed, [Request("read", "shop/zone.py")])
    assert _shown(context, "shop/zone.py").encode() == FILES["shop/zone.py"]


def test_the_wide_map_names_more_than_the_other_and_stays_in_its_share(
    weighed: WeighedRepository,
) -> None:
    wide = render_wide_map(weighed, budget_tokens=24_000)
    assert wide.count("def total_order_") > _choose(weighed, ()).map.count("def total_order_")
    assert len(wide) / 3 < 24_000 / 8 * 1.5


def test_where_little_is_left_out_nothing_need_be_chosen(weighed: WeighedRepository) -> None:
    small = {"a.py": _module("total_order", 3)}
    assert is_worth_a_choice(weighed)
    assert not is_worth_a_choice(weigh_repository(view_of(small), TASK))


def test_lines_are_answered_as_they_are_and_not_shown_twice(weighed: WeighedRepository) -> None:
    whole = Request("read", "shop/rate.py", 1, 2_000)
    context = _choose(weighed, [whole, Request("read", "shop/rate.py", name="Rate")])
    assert "class Rate:" in context.answers
    assert not _shown(context, "shop/rate.py")


def test_lines_that_are_no_requests_change_nothing(weighed: WeighedRepository) -> None:
    assert _choose(weighed, [Request("unknown", "the totals")]).shown == _choose(weighed, ()).shown


def test_a_name_may_follow_the_path_alone(weighed: WeighedRepository) -> None:
    context = _choose(weighed, [Request("read", "shop/tax.py tax_order_31")])
    assert _function("tax_order_31").rstrip() in _shown(context, "shop/tax.py")
