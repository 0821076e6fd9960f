"""The habits that make a secret guessable, as tables: words, letters, keys and sequences; judged in `_guessable`.

Written from general knowledge and counts over technical English prose, not taken from any list of leaked secrets.
"""

from __future__ import annotations

from math import log2
from typing import Final

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz"
_UPPER: Final = _LOWER.upper()
_DIGITS: Final = "0123456789"

ALPHABETS: Final = tuple(
    (alphabet.encode("latin-1"), log2(len(alphabet)))
    for alphabet in (
        _DIGITS,
        _DIGITS + "abcdef",
        _DIGITS + "ABCDEF",
        _LOWER,
        _UPPER,
        _LOWER + _DIGITS,
        _UPPER + _DIGITS,
        _LOWER + _DIGITS + "!@#$%^&*(-_=+)",
        _LOWER + _UPPER,
        _LOWER + _UPPER + _DIGITS,
        _LOWER + _UPPER + _DIGITS + "+/=",
        _LOWER + _UPPER + _DIGITS + "-_=",
        "".join(map(chr, range(0x20, 0x7F))),
        "".join(map(chr, range(256))),
    )
)
"""What machines draw from, smallest first, with the bits of one even draw."""

# Which letters follow a letter ("^": begin a word), most frequent first.
_FOLLOWERS: Final = """
    ^scatpirdfemoblwnuhvgkjyqxz atlrnscmdibpguyvkfwxzeqhajo bleuaoiysrjctpdmgbznfhvkqwx coteahlkiurcsypdmfvqnwgbjxz
    deiaosudlryntcbgmvpfjhkwxqz ersdnctaxlmpfevgqyiwbohukjz fioeaurfltyscndgmpqwbhjkvxz geirunshaolgmtcpyzbfvdwkjqx
    heaoitruysmlndpfbcjwkhgqvxz inotsclmedfrvagbpzxkiqujhwy jeusoawipkchtybdfgjlmnqrvxz keisalwnupgdrzycoktvhfmbjqx
    leialoyutdspfvcbgnrkwmzhjqx meapiombusyltdncrgkvfhwjqxz ntgsedcaoifvnuylkpmhjrbwqxz onrumdptlcswvofbgkaiexjyzhq
    peralotpyiushdmcvxfkgnbwjzq qulsrndabcefghijkmopqtvwxyz reaiostrmnyudcgklvfpwbhjqxz setisuopchaylkfnmgdwrvqbjxz
    teiharosuytlcpwmdfnxbzvgkjq urntslempbiacgdfovuxzkjwhqy veaioscvrmukpgtdnxlwbfhjqyz wiaheornsltkwdcxbpmfgjquvyz
    xtpceiayxmhlfdrounbszvgjkqw yptsoinemdlcrwzabgfyjvuhxkq zeaiozmysfdlbcghjknpqrtuvwx
"""
# The share, in ten thousandths, of the follower at each rank, over all rows.
_RANKS: Final = (
    *(2185, 1467, 1074, 921, 752, 600, 492, 424, 374, 325, 254, 211, 180),
    *(151, 129, 113, 91, 75, 60, 48, 24, 17, 13, 9, 7, 3),
)
LETTER: Final = {
    (row[0], letter): share / 10000 * 15 / 16 + 1 / 26 / 16  # a sixteenth is even: no letter is impossible
    for row in _FOLLOWERS.split()
    for letter, share in zip(row[1:], _RANKS, strict=True)
}
"""The share of a letter after another."""

KINDS: Final = "lud-?x"
"""Lower case, upper case, digit, separator, sign, other octet."""
NEXT_KIND: Final = {
    "^": (0.40, 0.30, 0.10, 0.05, 0.10, 0.05),
    "l": (0.80, 0.06, 0.05, 0.06, 0.02, 0.01),
    "u": (0.25, 0.60, 0.05, 0.06, 0.03, 0.01),
    "d": (0.12, 0.05, 0.72, 0.06, 0.04, 0.01),
    "-": (0.55, 0.25, 0.10, 0.06, 0.03, 0.01),
    "?": (0.28, 0.18, 0.18, 0.10, 0.23, 0.03),
    "x": (0.25, 0.05, 0.05, 0.05, 0.05, 0.55),
}
"""How the kinds follow one another in what people write ("^": at the beginning)."""

_WORDS: Final = """
    a about admin after all always an and any api app application are as at auth authentication authorization awesome
    back backend based be because best better big bit bits blog but by bytes can cannot change changeit changeme
    character characters client cloud code company config could course cool crypt crypto data database day de
    debug default demo dev develop developer development do docker does done dont dummy easy encode encrypt encryption
    enter env environment ever every example extremely fake false file first flask for foo from generate generated get
    go god good google great guess hack hacker has hash hard have he hello here hidden hmac home how human i id if in
    insecure into is it java javascript json just jwt keep key keys know last least like local login long longer love
    made magic make man many master me mega min minimum mongo more most much must my name need never new no node none
    not nobody nothing now number of on one only open or our out over pass passphrase passwd password people phrase
    placeholder please plz private prod production program programming project protect public put python random
    randomly react real really refresh replace rest root safe sample secret secrets secure secured
    security server service session set settings shared should sign signature signing simple site so some someone
    something spring start strange string strong stuff super symbols system temp temporary test testing text than that
    the them then there these they thing think this time to todo token tokens too top try two ultra unique up update
    use used user users using value variable very want was way we web website welcome what when where which who why
    will with word words work working world would write xxx yes you your yourself 123 1234 12345 123456 256 512 32 64
    la el los de que para por con mi una clave cadena secreta secreto segura palabra senha chave geheim geheimnis
    passwort schluessel motdepasse cle quick brown fox jumps lazy dog correct horse battery staple lorem ipsum dolor
"""
WORDS: Final = tuple(dict.fromkeys(_WORDS.strip().split()))
LEET: Final = {
    "0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s", "!": "i"
}  # fmt: skip
"""The letters that a digit or sign stands for."""

KEYBOARD: Final = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
HANDS: Final = {
    key: share / len(keys)
    for keys, share in (("asdfghjkl", 0.5), ("qwertyuiop", 0.22), ("1234567890", 0.2), ("zxcvbnm", 0.08))
    for key in keys
}
"""Where hands fall that type anything at all."""
_FORWARD: Final = (
    _LOWER,
    _DIGITS,
    *KEYBOARD,
    "qwertzuiop",
    "azertyuiop",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
SEQUENCES: Final = (
    *_FORWARD,
    *(row[::-1] for row in _FORWARD),
    "!@#$%^&*()_+",
    # Letters, digits and signs in steps of three, which a popular page of "random keys" hands out, in two phases.
    "n2r5u8x/a%d*g-kapdsgvkyp3s6v9y$b&e(h+mbqethwmzq4t7w!z%c*f-j@ncrfujxn2r5u8x!a%d*g-k",
    "a?d(g+kbpeshvmyq3t6w9z$c&f)j@mcqftjwnzr4u7x!a%d*g-kandrgukxp2s5v8y/b?e(h+mbqeshvmyq3s6v9y$b&e)h@mc",
)
