"""The page with all figures of a model: one HTML file, to look around in."""

import base64
import html
import json
from pathlib import Path

__all__ = ["build_page", "data_url"]

SOURCE = Path(__file__).parent

#: What a figure with places of its own says below its picture.
HINTS = {"mistakes": "Click on a mistake to see which pixels spoke for it.",
         "embedding": "Point at a digit to see it.", "tsne": "Point at a digit to see it."}

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
<h1>{title}</h1>
{lines}
<nav aria-label="Figures">{links}</nav>
{sections}
<dialog id="dialog" aria-label="Enlarged"></dialog>
<div id="tip"><canvas width="28" height="28"></canvas><span></span></div>
<script type="application/json" id="data">{data}</script>
<script>
{script}</script>
</html>
"""


def data_url(kind, content):
    """A file's content as an address that holds it.

    Examples
    --------
    >>> from mnist_cnn.analysis.page import data_url
    >>> data_url("text/plain", b"seven")
    'data:text/plain;base64,c2V2ZW4='
    """
    return "data:{};base64,{}".format(kind, base64.b64encode(content).decode())


def build_page(title, lines, entries, places, sheet=None, columns=1, explorer=None):
    """Put the index page together.

    Parameters
    ----------
    title : str
    lines : list of str
        Paragraphs at the head.
    entries : list of (str, Figure, list of (str, bytes))
        A figure's name, what the page says of it (`heading` and `text`), and its pictures: MIME
        type and content.
    places : dict
        From a figure's name to what can be pointed at in its picture: for digits a dict of
        ``points``, (x, y) as fractions of the picture, and ``texts``; for mistakes a list of dicts
        with ``box`` (left, top, width, height), ``text`` and ``sources``, the addresses of the
        pictures that a click shows side by side.
    sheet : bytes, optional
        A PNG with the digits of `places`, 28 x 28 pixels each, in rows of `columns`.
    columns : int
    explorer : str, optional
        The address of the explorer page.

    Returns
    -------
    str
        HTML that needs no other file.

    Examples
    --------
    >>> from mnist_cnn.analysis.figures import FIGURES
    >>> from mnist_cnn.analysis.page import build_page
    >>> entries = [("kernels", FIGURES["kernels"], [("image/png", b"a picture's bytes")])]
    >>> page = build_page("Figures", ["Of a network."], entries, places={})
    >>> page.splitlines()[0], "<h2>The kernels of the first layer</h2>" in page
    ('<!DOCTYPE html>', True)
    """
    def section(name, figure, pictures):
        parts = ['<section id="{}">\n<h2>{}</h2>\n<p>{}</p>'.format(
            name, html.escape(figure.heading), html.escape(" ".join(figure.text.split())))]
        parts += ['<div class="picture"><img tabindex="0" role="button" alt="{}; enlarge" src="{}">'
                  "</div>".format(html.escape(figure.heading), data_url(*picture))
                  for picture in pictures]
        if name in places:
            parts.append('<p class="hint">{}</p>'.format(HINTS[name]))
        return "\n".join(parts + ["</section>"])

    links = ['<a href="#{}" title="{}">{}</a>'.format(
        name, html.escape(figure.heading), name.replace("_", " ")) for name, figure, _ in entries]
    if explorer is not None:
        links.append('<a href="{}">Draw a digit, watch the network</a>'.format(
            html.escape(explorer)))
    data = {"places": places, "columns": columns,
            "sheet": None if sheet is None else data_url("image/png", sheet)}
    return TEMPLATE.format(
        title=html.escape(title), lines="\n".join(
            "<p>{}</p>".format(html.escape(line)) for line in lines),
        links="\n".join(links), sections="\n".join(section(*entry) for entry in entries),
        data=json.dumps(data).replace("<", "\\u003c"),
        style=(SOURCE / "page.css").read_text(encoding="utf-8"),
        script=(SOURCE / "page.js").read_text(encoding="utf-8"))
