"""The words that made files, commits and tasks share, and the names and sentences that are built of
them."""

from __future__ import annotations

from dataclasses import dataclass

from tests.tools.made.dice import Dice

_NOUNS = (
    "basket order item price coupon invoice receipt customer address "
    "shipment stock payment refund currency",
    "token lexer parser grammar node tree symbol scope literal operator comment "
    "statement expression visitor",
    "socket packet header request response session cookie proxy retry timeout "
    "stream buffer channel handshake",
    "pixel canvas brush layer palette shader vertex mesh texture camera "
    "light scene sprite animation",
    "query table column index row cursor transaction lock page cache journal "
    "schema migration replica",
)
_VERBS = (
    "add remove update validate load save render apply merge split",
    "parse format resolve rewrite visit fold expand match skip emit",
    "open close send receive encode decode compress flush poll listen",
    "draw blend rotate scale crop project sample trace shade animate",
    "insert select commit rollback scan vacuum restore analyze compact lock",
)
_ADJECTIVES = (
    "empty", "stale", "nested", "hidden", "partial", "shared", "broken", "remote", "local",
    "pending", "signed", "inner",
)  # fmt: skip
_SENTENCES = (
    "Let the {noun} {verb} every {adjective} {other} before the {third} is {past}",
    "The {adjective} {noun} must {verb} its {other} once and only once",
    "When a {third} is {adjective}, the {noun} has to {verb} the {other} again",
    "{Verb} the {other} of a {noun} without a {adjective} {third}",
    "A {noun} that holds no {third} still needs to {verb} each {adjective} {other}",
    "While {verbing} {others}, the {noun} may lose {adjective} {thirds}",
    "Keep the {other} in the order of the {noun} while the {third} runs",
)


@dataclass(frozen=True)
class Vocabulary:
    """One domain's words."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]

    def sentence(self, dice: Dice, subject: str | None = None) -> str:
        """A sentence without its full stop, about `subject` where one is given."""
        verb = dice.pick(self.verbs)
        other, third = dice.pick(self.nouns), dice.pick(self.nouns)
        return dice.pick(_SENTENCES).format(
            noun=subject or dice.pick(self.nouns),
            other=other,
            others=_plural(other),
            third=third,
            thirds=_plural(third),
            verbing=f"{verb.removesuffix('e')}ing",
            adjective=dice.pick(_ADJECTIVES),
            verb=verb,
            Verb=verb.capitalize(),
            past=f"{verb.removesuffix('e')}ed",
        )

    def action(self, dice: Dice, subject: str) -> tuple[str, ...]:
        """The words of a function's name."""
        words = (dice.pick(self.verbs), *([dice.pick(_ADJECTIVES)] if dice.happens(0.4) else []))
        return (*words, subject if dice.happens(0.6) else dice.pick(self.nouns))

    def thing(self, dice: Dice, subject: str) -> tuple[str, ...]:
        """The words of a class's name."""
        ending = dice.pick(("store", "reader", "HTTP", "error", "view", "pool"))
        return (*([dice.pick(_ADJECTIVES)] if dice.happens(0.5) else []), subject, ending)


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"


def vocabulary(number: int) -> Vocabulary:
    """The words of one domain, and a few of the next: words that only one repository has are rare
    ones."""
    own, beside = number % len(_NOUNS), (number + 1) % len(_NOUNS)
    nouns, verbs = _NOUNS[own].split(), _VERBS[own].split()
    return Vocabulary((*nouns, *_NOUNS[beside].split()[:4]), (*verbs, *_VERBS[beside].split()[:3]))


def snake(words: tuple[str, ...]) -> str:
    """`parse_empty_node`."""
    return "_".join(words).lower()


def camel(words: tuple[str, ...]) -> str:
    """`parseEmptyNode`."""
    first, *rest = words
    return first.lower() + "".join(_capital(word) for word in rest)


def pascal(words: tuple[str, ...]) -> str:
    """`ParseEmptyNode`."""
    return "".join(_capital(word) for word in words)


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]
