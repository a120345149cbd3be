"""Notebooks as pages: nbconvert makes Markdown of them, with the outputs that they were saved with.

Nothing is executed. Pictures among the outputs go into a folder of the build, from where Sphinx
copies them like any other.
"""

import os
import re
from pathlib import Path

import nbformat
from myst_parser.parsers.sphinx_ import MystParser
from nbconvert import MarkdownExporter

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _one_title(notebook):
    """Put all that follows the first heading below it: a page has one title, a notebook parts."""
    titles = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines, in_code = cell.source.split("\n"), False
            for i, line in enumerate(lines):
                in_code ^= line.startswith("```")
                if re.match("#+ ", line) and not in_code:
                    titles += line.startswith("# ")
                    lines[i] = "#" * (titles > 1) + line
            cell.source = "\n".join(lines)
    return notebook


class NotebookParser(MystParser):
    """A parser of Jupyter notebooks for Sphinx."""

    supported = ("ipynb",)

    def parse(self, inputstring, document):
        env = document.settings.env
        name = env.docname.replace("/", "-")
        folder = Path(env.app.doctreedir).parent / "notebook"
        body, resources = MarkdownExporter().from_notebook_node(
            _one_title(nbformat.reads(inputstring, as_version=4)),
            {"output_files_dir": os.path.relpath(folder, Path(env.doc2path(env.docname)).parent), "unique_key": name},
        )
        folder.mkdir(parents=True, exist_ok=True)
        for path, picture in resources["outputs"].items():
            (folder / Path(path).name).write_bytes(picture)
        super().parse(_COLOUR.sub("", body), document)


def setup(app):
    app.add_source_suffix(".ipynb", "ipynb")
    app.add_source_parser(NotebookParser)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
