"""Letters of all scripts for character classes: a regular expression's a-z and A-Z know English only."""

_CASED = [chr(code) for code in (*range(0x80, 0x590), *range(0x1E00, 0x2000))]

# Inside of character classes: Latin with all its accents, Greek, Cyrillic, Armenian; Han and kana have no case.
LOWER = "a-z" + "".join(c for c in _CASED if c.islower())
UPPER = "A-Z" + "".join(c for c in _CASED if c.isupper())
HAN = "\u3005\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# A letter or digit that can begin a sentence: a capital, a digit, or a letter of a script without capitals.
OPENING = rf"[^\W_{LOWER}]"
# What ends a sentence: the Latin stops stand before white space, the others need none.
STOPS = ".!?\u2026\u0964\u06d4\u061f"
WIDE_STOPS = "\u3002\uff61\uff01\uff1f"
