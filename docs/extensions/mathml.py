"""Formulas as MathML, which browsers draw by themselves: no script, no font, no connection."""

import re

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


def _mathml(node, inline):
    """MathML without its indentation, which would be text of the page."""
    return re.sub(r"\s*\n\s*", "", tex2mathml(node.astext(), inline=inline))


def visit_math(self, node):
    self.body.append(_mathml(node, inline=True))
    raise SkipNode


def visit_math_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(_mathml(node, inline=False) + "</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
