"""An inverted index of a repository, kept in segments from request to request, so that each content
is read only once.

A segment lists documents and holds, per term, postings: pairs of (document, frequency). A document
is the content of a file, or a path. Segments are only added: a later request reads the postings of
its own terms from all of them, and indexes the documents that are new.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TypeVar

from bot.change.context.definitions import find_names
from bot.change.context.paths import (
    FILE_KINDS,
    LANGUAGE_OF,
    FileKind,
    classify_path,
    language_of,
    may_be_text,
)
from bot.change.context.tokenize import MAX_WORD_CHARS, split_stems, split_terms, split_words

CONTENTS = "contents 1"
"""Entry that lists the documents of a segment of contents, with their lengths in words. The number
is that of the format: entries of another format are not read."""
BODY = "b"
"""Field of a content: the terms in its whole text."""
DEFINED = "d"
"""Field of a content: the terms in the names that it defines."""

PATHS = "paths 1"
"""Entry that lists the documents of a segment of paths, with their `PATH_INFOS` numbers."""
PATH = "p"
"""Field of a path: its stems. The frequency is IN_DIRECTORY or IN_NAME."""
IN_DIRECTORY = 1
IN_NAME = 2

_FREQUENCY_BITS = 8
_MAX_FREQUENCY = (1 << _FREQUENCY_BITS) - 1

IndexSegment = Mapping[str, bytes]
"""Named entries: one lists the documents; each other one is the letter of a field and a term, with
the term's postings."""
Word = TypeVar("Word", str, bytes)
Postings = defaultdict[Word, "array[int]"]
"""By word. A posting is 32 bits: the document's number in its segment (24 bits), and how often it
has the word (8 bits)."""


def _new_postings() -> Postings[Word]:
    return defaultdict(lambda: array("I"))


def _add_postings(postings: Postings[Word], number: int, counts: Mapping[Word, int]) -> None:
    begin = number << _FREQUENCY_BITS
    for word, count in counts.items():
        postings[word].append(begin | (count if count < _MAX_FREQUENCY else _MAX_FREQUENCY))


def _build_segment(
    list_entry: str,
    documents: Iterable[tuple[str, int]],
    fields: Mapping[str, Mapping[str, array[int]]],
) -> IndexSegment:
    """`documents`: key and info, in the order of their numbers; `fields`: postings by term."""
    segment = {list_entry: "".join(f"{key}\n{info}\n" for key, info in documents).encode()}
    for field, postings in fields.items():
        for term, term_postings in postings.items():
            segment[field + term] = term_postings.tobytes()
    return segment


class Index:
    """The postings of a few terms, from all segments. Documents get ids in the order of the
    segments; a document that is listed again keeps its first id."""

    def __init__(self, list_entry: str, fields: str, terms: Collection[str]) -> None:
        self.terms = terms
        self.entry_names = [list_entry, *(field + term for term in terms for field in fields)]
        """The entries of a segment that are read."""
        self.doc_ids: dict[str, int] = {}
        """By the document's key."""
        self.doc_infos: list[int] = []
        """By document id."""
        self._frequencies: dict[str, dict[int, int]] = {}

    def frequencies(self, field: str, term: str) -> Mapping[int, int]:
        """By document id, in no order: how often the term occurs in the field."""
        return self._frequencies.get(field + term, {})

    def add(self, segment: IndexSegment) -> None:
        """Reads a segment. KeyError, ValueError or IndexError if it is damaged."""
        first_id = len(self.doc_infos)
        list_entry, *entry_names = self.entry_names
        lines = segment[list_entry].decode().split("\n")[:-1]
        infos = [int(info) for info in lines[1::2]]
        self.doc_infos += infos
        for doc_id, key in enumerate(lines[::2], first_id):
            self.doc_ids.setdefault(key, doc_id)
        for name in entry_names:
            postings = array("I", segment.get(name, b""))
            if not postings:
                continue
            infos[max(postings) >> _FREQUENCY_BITS]  # IndexError if no such document is listed
            frequencies = self._frequencies.setdefault(name, {})
            for posting in postings:
                doc_id = first_id + (posting >> _FREQUENCY_BITS)
                frequencies[doc_id] = frequencies.get(doc_id, 0) + (posting & _MAX_FREQUENCY)


def index_contents(files: Iterable[tuple[str, str, bytes]]) -> IndexSegment:
    """A segment of contents. `files`: document key, path (for its language) and content."""
    documents: list[tuple[str, int]] = []
    body: Postings[bytes] = _new_postings()
    defined: Postings[bytes] = _new_postings()
    for number, (key, path, content) in enumerate(files):
        is_binary = b"\0" in content
        words = [] if is_binary else split_words(content)
        documents.append((key, len(words)))
        _add_postings(body, number, Counter(words))
        if words:
            _add_postings(defined, number, Counter(find_names(path, content)))
    fields = {
        BODY: _group_by_term(body, len(documents)),
        DEFINED: _group_by_term(defined, len(documents)),
    }
    return _build_segment(CONTENTS, documents, fields)


def _group_by_term(postings: Postings[bytes], documents: int) -> Mapping[str, array[int]]:
    """Several words share a term, so a term may have several postings of one document. They are
    only merged if the term has more postings than there are documents: readers add them up too."""
    by_term: Postings[str] = _new_postings()
    for word, word_postings in postings.items():
        if len(word) <= MAX_WORD_CHARS:
            for term in split_terms(word.decode("utf-8", "replace")):
                by_term[term].extend(word_postings)
    return {
        term: term_postings if len(term_postings) <= documents else _merge_postings(term_postings)
        for term, term_postings in by_term.items()
    }


def _merge_postings(postings: array[int]) -> array[int]:
    """One posting for each document."""
    counts: dict[int, int] = {}
    for posting in postings:
        number = posting >> _FREQUENCY_BITS
        counts[number] = counts.get(number, 0) + (posting & _MAX_FREQUENCY)
    return array(
        "I",
        (
            number << _FREQUENCY_BITS | min(count, _MAX_FREQUENCY)
            for number, count in counts.items()
        ),
    )


@dataclass(frozen=True, slots=True)
class PathInfo:
    """What a path alone tells about its file. `kind` is without regard to the files beside it;
    `language` is "" if the file is no code."""

    kind: FileKind
    language: str
    may_be_text: bool


PATH_INFOS = tuple(
    PathInfo(*values)
    for values in product(FILE_KINDS, ("", *sorted({*LANGUAGE_OF.values()})), (False, True))
)
"""All there are: a segment of paths holds the positions in this tuple, so a change of the order is
a change of the format."""
_PATH_INFO_NUMBERS = {info: number for number, info in enumerate(PATH_INFOS)}


@dataclass(frozen=True, slots=True)
class PathStems:
    """The stems in a file's name without extension, the stems in its directories, and the name
    itself in lower case."""

    name: frozenset[str]
    directories: frozenset[str]
    file_stem: str


def split_path(path: str) -> PathStems:
    directory, _, name = path.rpartition("/")
    file_stem = name.rpartition(".")[0] or name
    return PathStems(_stem_set(file_stem), _stem_set(directory), file_stem.lower())


@lru_cache(maxsize=1 << 12)
def _stem_set(text: str) -> frozenset[str]:
    return frozenset(part for word in re.findall(r"\w+", text) for part in split_stems(word))


def index_paths(paths: Iterable[str]) -> IndexSegment:
    """A segment of paths, which must be printable."""
    documents: list[tuple[str, int]] = []
    postings: Postings[str] = _new_postings()
    for number, path in enumerate(paths):
        info = PathInfo(classify_path(path), language_of(path) or "", may_be_text(path))
        documents.append((path, _PATH_INFO_NUMBERS[info]))
        stems = split_path(path)
        frequencies = dict.fromkeys(stems.directories, IN_DIRECTORY)
        frequencies |= dict.fromkeys(stems.name, IN_NAME)
        _add_postings(postings, number, frequencies)
    return _build_segment(PATHS, documents, {PATH: postings})
