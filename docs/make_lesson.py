"""Make docs/lesson.ipynb from docs/lesson.py: the same cells, executed, with their outputs.

``make lesson`` runs it. Cell ids and metadata depend on the cells alone, so that a diff of the
notebook shows what changed in the lesson or in its results.
"""

import hashlib
from pathlib import Path

import jupytext
from nbclient import NotebookClient

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
LOCK = "theano.gof.compilelock"  # another process compiles at the same time


def set_ids(notebook):
    """Give each cell an id made of its text, and of how often that text came before."""
    seen = []
    for cell in notebook.cells:
        text = cell.cell_type + cell.source
        digest = hashlib.sha256("{}{}".format(text, seen.count(text)).encode()).hexdigest()
        cell.id = digest[:8]
        seen.append(text)


def tidy(notebook):
    """Leave out what differs from run to run and from machine to machine."""
    language = notebook.metadata.language_info.name
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": language}}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":  # a progress bar is over, as a widget or as text
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", ())]
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = "".join(
                        line.rpartition("\r")[2] for line in output.text.splitlines(True) if LOCK not in line
                    )
            cell.outputs = [output for output in cell.outputs if output.get("text", True)]


def main():
    notebook = jupytext.read(HERE / "lesson.py")
    set_ids(notebook)
    NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    tidy(notebook)
    jupytext.write(notebook, HERE / "lesson.ipynb")


if __name__ == "__main__":
    main()
