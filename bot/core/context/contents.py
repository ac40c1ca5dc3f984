"""What contents say and define, word by word: all of a repository's text is read for it, but each content once."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping

from bot.core.context.definitions import defined_names
from bot.core.context.index import Layer, Postings, added_up, make_layer, no_postings, post, terms_of
from bot.core.context.words import LONGEST_WORD, split_words

CONTENTS = "contents 1"
"""The listing; a content as read in one language is a key, noted with its length in words. The number is the format's:
layers of another one are not read."""
BODY = "b"
DEFINED = "d"


def learn_contents(files: Iterable[tuple[str, str, bytes]]) -> Layer:
    """`files`: key, path (for its language) and content."""
    keys: list[tuple[str, int]] = []
    body: Postings[bytes] = no_postings()
    defined: Postings[bytes] = no_postings()
    for number, (key, path, content) in enumerate(files):
        words = [] if b"\0" in content else split_words(content)
        keys.append((key, len(words)))
        post(body, number, Counter(words))
        if words:
            post(defined, number, Counter(defined_names(path, content)))
    return make_layer(CONTENTS, keys, {BODY: _by_term(body, len(keys)), DEFINED: _by_term(defined, len(keys))})


def _by_term(postings: Postings[bytes], files: int) -> Mapping[str, array[int]]:
    """A term may have several postings of one file; where it certainly has, they are added up."""
    terms: Postings[str] = no_postings()
    for word, some in postings.items():
        if len(word) <= LONGEST_WORD:
            for term in terms_of(word.decode("utf-8", "replace")):
                terms[term].extend(some)
    return {term: some if len(some) <= files else added_up(some) for term, some in terms.items()}
