"""The documentation site, for Sphinx: ``make docs`` writes it to ``build/docs``.

Everything works from the disk: formulas are MathML, and the addresses of other projects' pages are
in ``inventories``, so that neither the build nor the reader asks a server for anything.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

from numpydoc import xref  # noqa: E402

import mnist_cnn  # noqa: E402

project = "mnist_cnn"
version = release = mnist_cnn.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_parser",
    "mathml",
    "notebook",
]
exclude_patterns = ["README.md"]
nitpicky = True
highlight_language = "none"  # but where a page names one

html_theme = "furo"
html_title = "mnist_cnn {}".format(version)
html_static_path = ["style"]
html_css_files = ["site.css"]
# from the disk a browser may not read the pages that it would take the summaries from
html_show_search_summary = False
html_show_copyright = False
html_copy_source = html_show_sourcelink = False
html_math_renderer = "mathml"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
autodoc_typehints = "none"  # a docstring says more: shapes, units
autosummary_generate = False
# `name` in a docstring: a link where there is such a name, a parameter's name elsewhere
default_role = "autolink"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
xref.DEFAULT_LINKS.clear()  # they want the whole inventories of Python and NumPy
numpydoc_xref_aliases = {
    "None": ":data:`python:None`",
    "array": ":class:`array <numpy:numpy.ndarray>`",
    "arrays": ":class:`arrays <numpy:numpy.ndarray>`",
    "bool": ":class:`python:bool`",
    "bytes": ":class:`python:bytes`",
    "callable": ":func:`python:callable`",
    "dict": ":class:`python:dict`",
    "float": ":class:`python:float`",
    "int": ":class:`python:int`",
    "list": ":class:`python:list`",
    "slice": ":class:`python:slice`",
    "str": ":class:`python:str`",
    "tuple": ":class:`python:tuple`",
    "iterable": ":class:`iterable <python:collections.abc.Iterable>`",
    "sequence": ":class:`sequence <python:collections.abc.Sequence>`",
    "argparse.ArgumentParser": ":class:`python:argparse.ArgumentParser`",
    "pathlib.Path": ":class:`python:pathlib.Path`",
    "numpy.random.RandomState": ":class:`numpy:numpy.random.RandomState`",
    "path-like": ":class:`path-like <python:os.PathLike>`",
    "Figure": ":class:`Figure <matplotlib:matplotlib.figure.Figure>`",
    "Layer": ":class:`Layer <lasagne:lasagne.layers.Layer>`",
    "Conv2DLayer": ":class:`Conv2DLayer <lasagne:lasagne.layers.Conv2DLayer>`",
    "DenseLayer": ":class:`DenseLayer <lasagne:lasagne.layers.DenseLayer>`",
    "GlobalPoolLayer": ":class:`GlobalPoolLayer <lasagne:lasagne.layers.GlobalPoolLayer>`",
    "Pool2DLayer": ":class:`Pool2DLayer <lasagne:lasagne.layers.Pool2DLayer>`",
    "RandomState": ":class:`RandomState <numpy:numpy.random.RandomState>`",
    "DataCard": ":class:`DataCard <mnist_cnn.datasets.card.DataCard>`",
    "Config": ":class:`Config <mnist_cnn.training.config.Config>`",
    "Content": ":class:`Content <mnist_cnn.explorer.content.Content>`",
    "Dataset": ":class:`Dataset <mnist_cnn.datasets.card.Dataset>`",
    "Engine": ":class:`Engine <mnist_cnn.training.engine.Engine>`",
    "Entry": ":class:`Entry <mnist_cnn.datasets.catalogue.Entry>`",
    "MnistCnnError": ":class:`MnistCnnError <mnist_cnn.system.errors.MnistCnnError>`",
    "Row": ":class:`Row <mnist_cnn.analysis.architecture.Row>`",
    "Training": ":class:`Training <mnist_cnn.training.state.Training>`",
    "Trust": ":class:`Trust <mnist_cnn.analysis.trust.Trust>`",
}

# fields and attributes, which have no entry of their own
nitpick_ignore_regex = [("py:obj", r"\w+")]

intersphinx_mapping = {
    name: (address, "inventories/{}.txt".format(name))
    for name, address in (
        ("python", "https://docs.python.org/3/"),
        ("numpy", "https://numpy.org/doc/stable/"),
        ("scipy", "https://docs.scipy.org/doc/scipy/"),
        ("matplotlib", "https://matplotlib.org/stable/"),
        ("lasagne", "https://lasagne.readthedocs.io/en/latest/"),
        ("tqdm", "https://tqdm.github.io/"),
        ("theano", "https://theano-pymc.readthedocs.io/en/latest/"),
    )
}


def leave_fields_out(app, what, name, obj, skip, options):
    """A named tuple's docstring tells its fields; each by itself is an "alias for field 0"."""
    return skip or (type(obj).__name__ == "_tuplegetter" or None)


def link_known_words_alone(app):
    """As numpydoc documents it; set earlier, Sphinx warns of a value that is no set."""
    app.config.numpydoc_xref_ignore = "all"


def setup(app):
    app.connect("builder-inited", link_known_words_alone)
    app.connect("autodoc-skip-member", leave_fields_out)
