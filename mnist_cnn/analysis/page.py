"""The page with all figures of a model, in one HTML file."""

import base64
import html

__all__ = ["build_page"]


def build_page(title, lines, entries):
    """Put the index page together.

    Parameters
    ----------
    title : str
    lines : list of str
        Paragraphs at the head.
    entries : list of (str, Figure, list of (str, bytes))
        A figure's name, what the page says of it (`heading` and `text`), and its pictures: MIME
        type and content.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    parts = ["""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0}</title>
<style>
body {{ max-width: 100rem; margin: 2rem auto; padding: 0 2rem; background: #fff; color: #222;
       font: 1.05rem/1.55 system-ui, sans-serif }}
p {{ max-width: 44rem }}
nav a {{ margin-right: .9em; white-space: nowrap }}
section {{ margin-top: 3rem; border-top: 1px solid #ccc }}
img {{ display: block; max-width: 100%; height: auto; margin: 1rem 0 }}
@media print {{ section {{ break-inside: avoid; border: none }} nav {{ display: none }} }}
</style>
<h1>{0}</h1>""".format(html.escape(title))]
    parts += ["<p>{}</p>".format(html.escape(line)) for line in lines]
    parts.append("<nav>{}</nav>".format("\n".join(
        '<a href="#{}">{}</a>'.format(name, html.escape(figure.heading))
        for name, figure, _ in entries)))
    for name, figure, pictures in entries:
        parts.append('<section id="{}">\n<h2>{}</h2>\n<p>{}</p>'.format(
            name, html.escape(figure.heading), html.escape(" ".join(figure.text.split()))))
        parts += ['<img alt="{}" src="data:{};base64,{}">'.format(
            html.escape(figure.heading), kind, base64.b64encode(content).decode())
            for kind, content in pictures]
        parts.append("</section>")
    return "\n".join(parts) + "\n</html>\n"
