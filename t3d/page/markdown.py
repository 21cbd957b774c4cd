"""A page as Markdown."""

from collections.abc import Sequence

from t3d.page.parts import Bullets, Heading, Paragraph, Part, Picture, Viewer
from t3d.page.table import Table


def as_markdown(title: str, parts: Sequence[Part]) -> str:
    """The page without what only a browser can show."""
    blocks = [f"# {title}", *(_block(part) for part in parts if not isinstance(part, Viewer))]
    return "\n\n".join(blocks) + "\n"


def _block(part: Part) -> str:
    match part:
        case Heading(text):
            return f"## {text}"
        case Paragraph(text):
            return text
        case Bullets(items):
            return "\n".join(f"- {item}" for item in items)
        case Table(columns, rows):
            lines = [columns, *rows]
            written = [f"| {' | '.join(line)} |" for line in lines]
            return "\n".join([written[0], "|" + "---|" * len(columns), *written[1:]])
        case Picture(alt, file):
            return f"![{alt}]({file})"
    raise TypeError(f"{type(part).__name__} is no part of a page")
