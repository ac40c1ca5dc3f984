"""Who uses what a change touches, and how what it calls is declared."""

from __future__ import annotations

from bot.change.review.definitions import find_touched
from bot.change.review.diff import WideDiff
from bot.change.review.elsewhere import describe_elsewhere
from bot.types.snapshot import Change, Changes
from tests.change.snapshots import view_of

SHOP = b"""\
class Basket:
    def __init__(self, lines):
        self.lines = lines

    def total_price(self):
        return sum(self.lines)


def parse_order(text):
    return Basket(text.split())
"""
MAIN = b"""\
from shop import parse_order


def main():
    order = parse_order("1 2")
    print(order.total_price())
"""
FILES = {"shop.py": SHOP, "main.py": MAIN, "README.md": b"Call parse_order.\n"}


def changed(old: str, new: str, path: str = "shop.py") -> Changes:
    return {path: Change(path, FILES[path].decode().replace(old, new).encode())}


def elsewhere(
    changes: Changes,
    files: dict[str, bytes] = FILES,
    added: str = "",
    **shown: list[tuple[int, int]],
) -> str:
    spans = {f"{name}.py": lines for name, lines in shown.items()}
    return describe_elsewhere(view_of(files), changes, WideDiff("", spans, added))


def test_each_line_is_given_with_its_place_and_the_definition_around_it() -> None:
    listed = elsewhere(changed("def parse_order(text):", "def parse_order(text, sep):"))
    assert listed == (
        "parse_order\n"
        "  main.py:1: from shop import parse_order\n"
        '  main.py:5 in main: order = parse_order("1 2")\n'
        "  README.md:1: Call parse_order.\n"
    )


def test_a_line_that_the_review_shows_anyway_is_left_out() -> None:
    changes = changed("sum(self.lines)", "max(self.lines)")
    assert "main.py:6 in main" in elsewhere(changes)
    assert elsewhere(changes, main=[(4, 6)]) == ""


def test_who_uses_what_is_gone_is_listed_and_comes_first() -> None:
    removed = changed("    def total_price(self):\n        return sum(self.lines)\n", "")
    assert elsewhere(removed).startswith("total_price\n  main.py:6 in main")
    both = {"shop.py": Change("shop.py", b"class Basket:\n    def __init__(self):\n        pass\n")}
    kinds = [(each.name, each.kind) for each in find_touched(view_of(FILES), both)]
    assert kinds == [("total_price", "removed"), ("parse_order", "removed"), ("Basket", "head")]


def test_the_users_of_a_constructor_are_those_of_its_class() -> None:
    files = {**FILES, "more.py": b"from shop import Basket\n\nEMPTY = Basket([])\n"}
    changes = changed("def __init__(self, lines):", "def __init__(self, *lines):")
    assert "  more.py:3: EMPTY = Basket([])\n" in elsewhere(changes, files)


def test_new_definitions_and_tests_have_no_callers_to_look_at() -> None:
    assert (
        elsewhere(changed("def parse_order", "def other_thing():\n    1\n\n\ndef parse_order"))
        == ""
    )
    test = {"test_shop.py": Change("test_shop.py", b"def test_total_price(x):\n    pass\n")}
    files = {**FILES, "test_shop.py": b"def test_total_price():\n    pass\n"}
    assert elsewhere(test, files) == ""


def test_a_name_that_everybody_says_tells_nothing() -> None:
    files = {**FILES, **{f"m{n}.py": b"parse_order\n" for n in range(20)}}
    assert elsewhere(changed("text.split()", "text.split(',')"), files) == ""


def test_further_lines_are_counted_and_of_a_body_fewer_are_shown() -> None:
    files = {**FILES, "many.py": b"parse_order(1)\n" * 20}
    listed = elsewhere(changed("text.split()", "text.split(',')"), files)
    assert listed.count("  many.py") == 1
    assert listed.endswith("  … 20 more\n")
    assert elsewhere(changed("(text)", "(text, x)"), files).count("  many.py") == 4


CALLED = """\
def total(*prices, tax=None):
    pass


def send_bill(
    to,
    amount,
):
    pass


def next_one(order):
    pass
"""


def test_what_is_called_is_shown_by_its_declaration() -> None:
    files = {**FILES, "bills.py": CALLED.encode()}
    changes = {"new.py": Change("new.py", b"")}
    listed = elsewhere(changes, files, added="def next_one(x):\n    send_bill(total(1), get(2))\n")
    assert listed == (
        "declared elsewhere, and called here:\n"
        "  bills.py:5: def send_bill( to, amount, ):\n"
        "  bills.py:1: def total(*prices, tax=None):\n"
    )
    assert elsewhere(changes, files, added="total(1)", bills=[(1, 2)]) == ""


def test_what_is_declared_in_many_places_tells_nothing() -> None:
    files = {**FILES, **{f"m{n}.py": b"def price(x):\n    pass\n" for n in range(3)}}
    assert elsewhere({}, files, added="price(1)\n") == ""


def test_definitions_nested_without_end_are_looked_at() -> None:
    deep = "".join(" " * n + f"def fun{n}():\n" for n in range(600))
    changes = {"deep.py": Change("deep.py", f"{deep}{' ' * 600}pass\n".encode())}
    assert elsewhere(changes, {"deep.py": deep.encode()}) == ""
