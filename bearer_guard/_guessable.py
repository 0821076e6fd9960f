"""How cheaply a person's habits describe a secret: the measure behind "human-memorable" (RFC 8725bis §3.5).

Two lengths in bits are compared. One is what a machine would have spent: the number of characters times log2 of the
smallest usual alphabet that holds them. The other is what a fixed description language for human habits needs: common
words (in any case and in leetspeak), letters that follow one another as in English, repetition, few distinct
characters, keys that lie side by side, well-worn sequences. Every choice in that language has a probability, and they
sum to at most one, so it cannot flatter chance: a secret drawn evenly at random needs K bits fewer here than the
machine spent with a probability below 2**-K, whatever its length. MARGIN is a K; since the language spends bits on
habits that chance does not have, random secrets stay dozens of bits away from it.

Not found: hands that wandered over letters and digits alike, and prose in languages whose letters follow one another
quite differently. No measure sees that a random secret was published.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from math import inf, log2
from typing import Final

from ._habits import ALPHABETS, HANDS, KEYBOARD, KINDS, LEET, LETTER, NEXT_KIND, SEQUENCES, WORDS

MARGIN: Final = 4.0
"""Bits that the human description must be shorter than the machine's before a secret counts as made by a person."""
FLOOR: Final = 96.0
"""Bits below which a secret is too easy to describe, whoever made it. A random UUID has 122."""
JUDGED: Final = 128
"""Octets that are looked at. A secret whose first 128 are good is good."""

# A label in front, such as "sk_live_" or "base64:", makes what follows neither better nor worse.
_LABEL: Final = re.compile(rb"(?:[A-Za-z0-9]{2,20}[-_:.]){1,8}(?=.{32})", re.DOTALL)

_LITERAL, _WORD, _COPY, _SEQUENCE = (-log2(share) for share in (0.86, 0.07, 0.05, 0.02))
_ONE_WORD: Final = _WORD + log2(len(WORDS))
_ONE_SEQUENCE: Final = _SEQUENCE + log2(sum(map(len, SEQUENCES)))


def _kind(octet: int) -> str:
    char = chr(octet)
    if not 0x20 <= octet < 0x7F:
        return "x"
    if char.isalpha():
        return "l" if char.islower() else "u"
    return "d" if char.isdigit() else "-" if char in " -_." else "?"


_KIND: Final = [_kind(octet) for octet in range(256)]
_OF_KIND: Final = Counter(_KIND)
_PRIOR: Final = [(0.9 / 95) if kind != "x" else (0.1 / _OF_KIND["x"]) for kind in _KIND]


def _neighbours() -> dict[str, str]:
    places = {key: (row, column) for row, keys in enumerate(KEYBOARD) for column, key in enumerate(keys)}
    return {
        key: "".join(other for other, (r, c) in places.items() if abs(r - row) <= 1 and abs(c - column) <= 1)
        for key, (row, column) in places.items()
    }


_NEIGHBOURS: Final = _neighbours()


def guessable(secret: bytes) -> bool:
    """Whether a person's habits describe `secret` in fewer bits than FLOOR, or in MARGIN fewer than a machine spent."""
    text = secret[:JUDGED].translate(None, b"\r\n\0").strip()  # as a file's end or a wrapped line brings them
    label = _LABEL.match(text)
    return _by_habit(text) and (label is None or _by_habit(text[label.end() :]))


def _by_habit(text: bytes) -> bool:
    return human_bits(text) < max(FLOOR, machine_bits(text) - MARGIN)


def machine_bits(text: bytes) -> float:
    """What it costs to draw `text` evenly: as a whole, in equal groups, or as hexadecimal with separators."""
    whole = _even(text)
    parts = re.split(rb"[-_.: ]", text)
    lengths = {len(part) for part in parts[:-1]}
    digits = b"".join(parts)
    if re.fullmatch(rb"[0-9a-f]*|[0-9A-F]*", digits):
        return min(whole, 4.0 * len(digits))
    if len(lengths) == 1 and len(parts[-1]) <= len(parts[0]):
        return min(whole, sum(map(_even, parts)))
    return whole


def _even(text: bytes) -> float:
    return len(text) * next(bits for alphabet, bits in ALPHABETS if not text.translate(None, alphabet))


def human_bits(text: bytes) -> float:
    """The length of the shortest description of `text` in the language of human habits."""
    literals = _literal_bits(text)
    folded = text.decode("latin-1").lower()
    best = [0.0] + [inf] * len(text)
    for start, literal in enumerate(literals):
        here = best[start]
        options = [(start + 1, literal), *_words(text, folded, start), *_sequences(text, folded, start)]
        if length := _copied(text, start):
            options.append((start + length, _COPY + log2(start) + _length_bits(length)))
        for end, bits in options:
            best[end] = min(best[end], here + bits)
    return best[-1]


def _length_bits(length: int) -> float:
    return 2 * log2(length) - 1.33  # for 3 and more: the sum of 2**-bits stays below 1


def _copied(text: bytes, start: int) -> int:
    length = 3
    while start and start + length <= len(text) and text.find(text[start : start + length], 0, start + length - 1) >= 0:
        length += 1
    return length - 1 if length > 3 else 0


class _Tree(dict[str, "_Tree"]):
    """Words by their letters; a member "" says that a word ends here."""


def _tree(words: tuple[str, ...]) -> _Tree:
    root = _Tree()
    for word in words:
        branch = root
        for letter in word:
            branch = branch.setdefault(letter, _Tree())
        branch[""] = _Tree()
    return root


_TREE: Final = _tree(WORDS)
_BEGINNINGS: Final = frozenset(row[at : at + 3] for row in SEQUENCES for at in range(len(row) - 2))


def _words(text: bytes, folded: str, start: int) -> list[tuple[int, float]]:
    """Where the words that begin at `start` end, and their bits: spelled out, or with digits and signs for letters."""
    found: list[tuple[int, float]] = []
    open_ends: list[tuple[_Tree, int]] = [(_TREE, 0)]  # the letters so far, and how many of them are disguised
    for end in range(start, len(folded)):
        char = folded[end]
        further = [(tree[char], swapped) for tree, swapped in open_ends if char in tree]
        for plain in LEET.get(char, ""):
            further += [(tree[plain], swapped + 1) for tree, swapped in open_ends if plain in tree]
        if not further:
            break
        open_ends = further
        length = end + 1 - start
        for tree, swapped in open_ends:
            if "" in tree:
                disguise = 2 + length + swapped if swapped else 0.42
                found.append((end + 1, _ONE_WORD + _case_bits(text[start : end + 1]) + disguise))
    return found


def _case_bits(word: bytes) -> float:
    if word == word.lower():
        return 1.0
    if word == word.capitalize():
        return 2.0
    return 3.0 if word == word.upper() else 3.0 + len(word)


def _sequences(text: bytes, folded: str, start: int) -> list[tuple[int, float]]:
    if folded[start : start + 3] not in _BEGINNINGS:
        return []
    length = 3
    while start + length < len(text) and any(folded[start : start + length + 1] in row for row in SEQUENCES):
        length += 1
    return [(start + length, _ONE_SEQUENCE + _length_bits(length) + _case_bits(text[start : start + length]))]


def _literal_bits(text: bytes) -> list[float]:
    """The bits of each octet, told from those before it: four predictors mixed by how well they have done so far."""
    weights = [0.4, 0.2, 0.2, 0.2]
    seen, before = [0] * 256, [0] * 257
    followed: dict[tuple[int, int], int] = {}
    previous = -1
    bits: list[float] = []
    for position, octet in enumerate(text):
        even = _PRIOR[octet]
        frequent = (seen[octet] + 12 * even) / (position + 12)
        repeated = (followed.get((previous, octet), 0) + frequent) / (before[previous] + 1)
        shares = (_as_prose(previous, octet), frequent, repeated, _as_keys(previous, octet))
        mixed = [weight * share for weight, share in zip(weights, shares, strict=True)]
        total = sum(mixed)
        weights = [0.96 * part / total + 0.01 for part in mixed]
        bits.append(_LITERAL - log2(total))
        seen[octet] += 1
        followed[previous, octet] = followed.get((previous, octet), 0) + 1
        before[previous] += 1
        previous = octet
    return bits


@cache
def _as_prose(previous: int, octet: int) -> float:
    kind, last = _KIND[octet], _KIND[previous] if previous >= 0 else "^"
    share = NEXT_KIND[last][KINDS.index(kind)]
    if kind not in "lu":
        return share / _OF_KIND[kind]
    goes_on = last == kind or last + kind == "ul"
    return share * LETTER[chr(previous).lower() if goes_on else "^", chr(octet).lower()]


@cache
def _as_keys(previous: int, octet: int) -> float:
    """The share of a key under wandering hands: near the last key, or somewhere on their favourite rows."""
    char = chr(octet)
    key = char.lower()
    case = 1.0 if not char.isalpha() or not char.isascii() else 0.85 if char == key else 0.15
    if previous >= 0 and chr(previous).isascii() and chr(previous).isupper():
        case = 1.0 if not key.isalpha() or not char.isascii() else 0.7 if char != key else 0.3
    near = _NEIGHBOURS.get(chr(previous).lower(), "") if previous >= 0 else ""
    share = 0.1 * _PRIOR[octet] + 0.6 * HANDS.get(key, 0.0) * case
    return share + (0.3 / len(near) * case if key in near else 0.0)
