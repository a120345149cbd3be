"""The page with all figures of a model: one interactive HTML file."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...drawing.palette import css_colours

__all__ = ["build_page", "data_url"]

SOURCE = Path(__file__).parent

#: The hints below interactive pictures.
HINTS = {
    "mistakes": "Click on a mistake to see which pixels spoke for it.",
    "embedding": "Point at {} to see it.",
    "tsne": "Point at {} to see it.",
}

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
<header id="top">
<h1>{title}</h1>
{lines}
</header>
<nav aria-label="Figures">{links}</nav>
<main>
{sections}
</main>
<dialog id="dialog" aria-label="Enlarged"></dialog>
<div id="tip"><canvas width="{width}" height="{height}"></canvas><span></span></div>
<script type="application/json" id="data">{data}</script>
<script>
{script}</script>
</html>
"""


def data_url(kind: str, content: bytes) -> str:
    """A data URL of a file's content."""
    return "data:{};base64,{}".format(kind, base64.b64encode(content).decode())


def build_page(
    title: str,
    lines: Sequence[str],
    entries: Sequence[tuple[str, tuple[str, str], Sequence[tuple[str, bytes]]]],
    places: Mapping[str, object],
    sheet: tuple[str, bytes] | None = None,
    columns: int = 1,
    explorer: str | None = None,
    shape: tuple[int, int] = (28, 28),
    noun: str = "digit",
) -> str:
    """Build the index page.

    Parameters
    ----------
    title : str
    lines : list of str
        Paragraphs at the head.
    entries : list of (str, (str, str), list of (str, bytes))
        A figure's name, its caption (heading and text), and its pictures: MIME type and content.
    places : dict
        From a figure's name to the interactive places of its picture. For images a dict of
        ``points``, (x, y) as fractions of the picture, and ``texts``; for mistakes a list of dicts
        with ``box`` (left, top, width, height), ``text`` and ``sources``, the URLs of the pictures
        that a click shows side by side.
    sheet : (str, bytes), optional
        A picture with the images of `places`, each of `shape`, in rows of `columns`: MIME type and
        content.
    columns : int
    explorer : str, optional
        The URL of the explorer page.
    shape : pair of int
        Rows and columns of an image.
    noun : str
        The word for an image.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    a_noun = ("an " if noun[0] in "aeiou" else "a ") + noun

    def section(name, caption, pictures):
        heading, text = map(html.escape, caption)
        parts = ['<section id="{}">\n<h2>{}</h2>\n<p>{}</p>'.format(name, heading, text)]
        parts += [
            '<div class="picture"><img tabindex="0" role="button" alt="{}; enlarge" src="{}"></div>'.format(
                heading, data_url(*picture)
            )
            for picture in pictures
        ]
        if name in places:
            parts.append('<p class="hint">{}</p>'.format(HINTS[name].format(a_noun)))
        return "\n".join(parts + ['<p class="hint"><a href="#top">Up to all figures</a></p>', "</section>"])

    links = ['<a href="#{}">{}</a>'.format(name, html.escape(heading)) for name, (heading, _), _ in entries]
    if explorer is not None:
        links.append(
            '<a href="{}">{}</a>'.format(
                html.escape(explorer), "Draw a digit, watch the network" if noun == "digit" else "Watch the network"
            )
        )
    data = {
        "places": places,
        "columns": columns,
        "shape": list(shape),
        "sheet": None if sheet is None else data_url(*sheet),
    }
    return TEMPLATE.format(
        title=html.escape(title),
        height=shape[0],
        width=shape[1],
        lines="\n".join("<p>{}</p>".format(html.escape(line)) for line in lines),
        links="\n".join(links),
        sections="\n".join(section(*entry) for entry in entries),
        data=json.dumps(data).replace("<", "\\u003c"),
        style=css_colours() + (SOURCE / "page.css").read_text(encoding="utf-8"),
        script=(SOURCE / "page.js").read_text(encoding="utf-8"),
    )
