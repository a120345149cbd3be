"""Formulas as MathML, which browsers draw by themselves: no script, no font, no connection."""

import re

import docutils
from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


def _mathml(node, as_block):
    """MathML without its indentation, which would be text of the page."""
    # CPython 3.10 has no later Sphinx than one that wants docutils 0.21
    options = {"as_block": as_block} if docutils.__version_info__ >= (0, 22) else {"inline": not as_block}
    return re.sub(r"\s*\n\s*", "", tex2mathml(node.astext(), **options))


def visit_math(self, node):
    self.body.append(_mathml(node, as_block=False))
    raise SkipNode


def visit_math_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(_mathml(node, as_block=True) + "</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
