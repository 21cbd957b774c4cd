"""Reports spoiled by chance, as exports spoil them: every word of findings and impression is read, in order."""

import os
import re

import numpy as np
import pytest

from t3d.check.reports import ReportBook
from t3d.reports.clean import clean_report
from t3d.reports.loss import ReportLoss
from t3d.reports.sections import parse_sections, select_sections
from t3d.reports.sentences import split_sentences

# The first of them run in every test run; T3D_MUTATIONS=200 tries more.
COUNT = int(os.environ.get("T3D_MUTATIONS", "24"))
LONG = 10**6 if COUNT > 24 else 10**5
# (history, technique, findings, impression)
HEADINGS = [
    ("HISTORY", "TECHNIQUE", "FINDINGS", "IMPRESSION"),
    ("Clinical information", "Technique", "Findings", "Conclusion"),
    ("Indication", "Protocol", "Observations", "Opinion"),
    ("Klinische Angaben", "Technik", "Befund", "Beurteilung"),
    ("Información clínica", "Técnica", "Hallazgos", "Conclusión"),
    ("KLİNİK BİLGİ", "TEKNİK", "BULGULAR", "SONUÇ"),
    ("Анамнез", "Методика", "Описание", "Заключение"),
]
FORMS = ["{}:", "{} :", "**{}:**", "## {}", "[{}]", "--- {} ---", "{}：", "<b>{}:</b>", "{}:\u200b", "{}:\u00a0"]
BREAKS = [
    "\n",
    "\r\n",
    "\r",
    "\n\n",
    "\\n",
    "\\r\\n",
    "<br>",
    "<br/>\n",
    "_x000D_\n",
    "\u2028",
    "\x0b",
    "&#10;",
    "\\.br\\",
    " \n ",
]
# Between two words: what exports and word processors put there.
SPACES = [" ", "  ", "\u00a0", "\t", "\u2009", "&nbsp;", "\x00 ", "\x1b ", "\u200b ", " \ufeff", "\u3000", "\x07 \x08"]
# Inside of a word, where it is nothing.
INSIDE = ["\u00ad", "\u200b", "\u200d", "\ufeff", "\u2060"]
LETTERS = "abdeghiklmnoprstuvwzäöüéñçşığжлияαβ"
EXTREMES = [
    "", " ", "\n" * 5000, "\0" * 100, "FINDINGS:", "FINDINGS:\nIMPRESSION:\n", "IMPRESSION:", "." * 10000, "a" * LONG,
    "Normal. " * (LONG // 10), "FINDINGS: " + "lung " * 50000, "<" * 20000, "<p>" * 20000, "&" * 20000,
    "&#0;&#1114112;&#xD800;",
    "\ud83d", "\U0001f4a9" * 1000, "e\u0301" * 5000, "\u202e\u202d" * 1000, "**" * 10000, "[" * 20000, "- " * 20000,
    "FINDINGS: " * 5000, "1. " * 10000, "A" * 50000 + ":", ("A" * 40 + ": ") * 2000, "\\n" * 20000, "_x000D_" * 10000,
    "，" * 10000, "。" * 10000, "：" * 10000,
    "所见：" * 3000, ",.,.:" * 5000, "\r" * 10000, "<!--" * 5000, "<style>" * 3000,
    "(" * 20000, "|" * 20000, "=" * 100000, "=-" * 20000 + "\nFINDINGS", "No.\n" * 20000,
    "z.B. " * 20000, "\u0130" * 5000,
]  # fmt: skip


def pick(among, rng):
    return among[rng.integers(len(among))]


def made(rng) -> tuple[str, list[str], list[str]]:
    """A report, the words of its findings and impression, and those of all of it; each word is there once."""
    number = iter(range(10**6))

    def word() -> str:
        stem = "".join(pick(LETTERS, rng) for _ in range(rng.integers(2, 9)))
        return f"{stem}{next(number)}x" if rng.random() < 0.9 else f"{next(number)}.{rng.integers(10)}"

    def sentence() -> list[str]:
        words = [word() for _ in range(rng.integers(2, 8))]
        words[0] = "Z" + words[0] if words[0][0].isalpha() else "Zy " + words[0]
        return words

    names, form, line = pick(HEADINGS, rng), pick(FORMS, rng), pick(BREAKS, rng)
    mixed = rng.random() < 0.3
    text, wanted, everything = "", [], []
    for place, name in enumerate(names):
        if place < 2 and rng.random() < 0.3:
            continue
        text += form.format(name) + (pick(BREAKS, rng) if mixed else line)
        for _ in range(rng.integers(1, 5)):
            words = sentence()
            everything += words
            wanted += words if place >= 2 else []
            spoilt = [
                one[:1] + pick(INSIDE, rng) + one[1:] if rng.random() < 0.1 and one[0].isalpha() else one
                for one in words
            ]
            text += spoilt[0] + "".join(
                (pick(SPACES, rng) if rng.random() < 0.2 else " ") + one for one in spoilt[1:]
            ) + ". "  # fmt: skip
        text = text.rstrip(" ") + (pick(BREAKS, rng) if mixed else line)
    return text, wanted, everything


def words(text: str) -> list[str]:
    return re.findall(r"[\w.]*\w", text)


def flat(found: list[str]) -> list[str]:
    return [part for one in found for part in one.split()]


@pytest.mark.parametrize("seed", range(COUNT))
def test_no_word_of_a_section_is_lost(seed):
    rng = np.random.default_rng(seed)
    text, wanted, everything = made(rng)
    cleaned = clean_report(text)
    assert clean_report(cleaned) == cleaned
    there = words(cleaned)
    assert [one for one in there if one in set(flat(everything))] == flat(everything), text
    sentences = split_sentences(select_sections(cleaned))
    read = words(" ".join(sentences))
    assert [one for one in read if one in set(flat(everything))] == flat(wanted), text
    names = [name for part in parse_sections(cleaned) for name in part.names]
    assert "findings" in names and "impression" in names


@pytest.mark.parametrize("seed", range(COUNT))
def test_any_text_is_read_or_said_to_be_empty(seed):
    """Pieces of reports in any order, with signs between: nothing raises, and no word goes."""
    rng = np.random.default_rng(1000 + seed)
    pieces = [pick(EXTREMES, rng)[: rng.integers(1, 2000)] for _ in range(2)]
    pieces += [made(rng)[0][: rng.integers(1, 300)] for _ in range(2)]
    text = "".join(pieces[n] for n in rng.permutation(len(pieces)))
    cleaned = clean_report(text)
    selected = select_sections(cleaned)
    assert "".join(" ".join(split_sentences(selected)).split()) == "".join(selected.split())
    assert bool(selected) == bool(cleaned)


@pytest.mark.parametrize("number", range(len(EXTREMES)))
def test_extreme_texts_end(number):
    text = EXTREMES[number]
    cleaned = clean_report(text)
    sentences = split_sentences(select_sections(cleaned))
    assert bool(sentences) == bool(cleaned) == bool(re.search(r"\w", cleaned))
    book, loss = ReportBook(1, max_tokens=512), ReportLoss()
    book.add(0, text)
    loss.add("k0", text)
    said = list(book.remarks([("k0", "training", "p0")], needed=True))
    assert sentences or said or loss.empty_cases == ["k0"]
