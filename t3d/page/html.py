"""A page as one HTML file: style, pictures, volumes and the viewer's program are in it; it asks for nothing else."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from matplotlib import colormaps
from matplotlib.colors import to_hex

from t3d.page.case import as_json
from t3d.page.parts import Bullets, Heading, Paragraph, Part, Picture, Viewer
from t3d.page.table import Table

_CODE = re.compile(r"`([^`]+)`")


def as_html(title: str, parts: Sequence[Part]) -> str:
    """The page for a browser; all text of the parts is escaped.

    A Content-Security-Policy in the file lets the browser run the one program in it, by its hash, and forbids every
    request: also what a hostile name could bring into the page would neither run nor be loaded.
    """
    style, program = _file("page.css"), _file("slices.js") + _file("viewer.js")
    viewers = any(isinstance(part, Viewer) for part in parts)
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(program)}'"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{_text(title)}</h1>",
        *(_block(part) for part in parts),
        "</main>",
        *([f"<script>{program}</script>"] if viewers else []),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _block(part: Part) -> str:
    match part:
        case Heading(text):
            return f"<h2>{_text(text)}</h2>"
        case Paragraph(text):
            return f"<p>{_text(text)}</p>"
        case Bullets(items):
            return "\n".join(["<ul>", *(f"<li>{_text(item)}</li>" for item in items), "</ul>"])
        case Table():
            return _table(part)
        case Picture(alt, _, png):
            data = base64.b64encode(png).decode()
            return f'<p class="picture"><img alt="{escape(alt)}" src="data:image/png;base64,{data}"></p>'
        case Viewer():
            return _viewer(part)
    raise TypeError(f"{type(part).__name__} is no part of a page")


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.columns)
    rows = [
        f'<tr><th scope="row">{_text(first)}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        for first, *cells in table.rows
    ]
    body = "\n".join(rows)
    return f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def _viewer(viewer: Viewer) -> str:
    palette = colormaps["tab20"]  # as in the pictures of segmentations
    content = {
        "classes": [{"name": name, "colour": to_hex(palette(i % 20))} for i, name in enumerate(viewer.classes)],
        "cases": [as_json(case) for case in viewer.cases],
    }
    # in a script only its end has a meaning, and < stands nowhere but in texts
    data = json.dumps(content, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return _file("viewer.html").replace("{{data}}", data)


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _file(name: str) -> str:
    return (files("t3d.page") / name).read_text(encoding="utf-8")
