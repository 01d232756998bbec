"""One self-contained HTML page: the pictures as SVG, the numbers as tables."""

import io
from collections.abc import Sequence
from html import escape

from matplotlib import rc_context
from matplotlib.figure import Figure

_STYLE = """
body { margin: 2rem auto; max-width: 1180px; padding: 0 1rem; color: #1f2933; background: #fff;
       font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; } p.about { color: #7b8794; margin: 0.2rem 0 1.5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.4rem; }
svg { width: 100%; height: auto; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; white-space: nowrap; }
th, td { padding: 0.25rem 0.7rem; text-align: left; border-bottom: 1px solid #e4e7eb; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
li { font-size: 0.9rem; }
"""


def svg(figure: Figure, salt: str) -> str:
    """A figure as an SVG element. `salt` keeps the ids of several in one page apart."""
    text = io.StringIO()
    with rc_context({"svg.hashsalt": salt}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; columns whose name starts with `>` are numbers."""
    marks = [' class="number"' if column.startswith(">") else "" for column in columns]
    head = "".join(f"<th{mark}>{escape(name.lstrip('>'))}</th>" for mark, name in zip(marks, columns, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{escape(cell)}</td>" for mark, cell in zip(marks, row, strict=True)) + "</tr>\n"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def page(title: str, about: str, sections: Sequence[tuple[str, str]]) -> str:
    """The page of sections, each a heading and its HTML."""
    parts = "".join(f"<section><h2>{escape(heading)}</h2>\n{body}</section>\n" for heading, body in sections)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f'<p class="about">{escape(about)}</p>\n{parts}</body></html>\n'
    )
