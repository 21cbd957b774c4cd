"""What a page of results is made of; Markdown and HTML are written from the same parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from t3d.page.case import ViewerCase
from t3d.page.table import Table


@dataclass(frozen=True)
class Heading:
    """A heading below the page's title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences; what stands between backticks is a name of a file or an option, here and in all other parts."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Picture:
    """A PNG.

    Attributes:
        alt: what it shows, for who does not see it.
        file: its name beside the Markdown.
        png: its bytes, which the HTML holds.
    """

    alt: str
    file: str
    png: bytes


@dataclass(frozen=True)
class Viewer:
    """Cases to scroll through; in the HTML only.

    Attributes:
        cases: at least one.
        classes: names of the label layers' values 1, 2, ..
    """

    cases: Sequence[ViewerCase]
    classes: Sequence[str] = ()


Part = Heading | Paragraph | Bullets | Table | Picture | Viewer
