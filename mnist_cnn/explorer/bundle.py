"""The page's ES modules and style sheets, put together to what one HTML file can hold."""

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["bundle_scripts", "bundle_styles"]

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[\w./]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:class|const|function|async function) (\w+))", re.MULTILINE)


def bundle_scripts(folder: Path, entry: str) -> str:
    r"""Put an ES module and all that it imports into one script.

    A browser loads modules from a server only, not from the disk. So each module becomes a
    function of its own scope, which is called once, after the modules that it imports:
    ``import {a} from "./b.js"`` becomes ``const {a} = modules["b.js"]``, and the function
    returns what its module exports. Only these forms are understood: an import lists names in
    braces, from a relative path; ``export`` stands before a class, a const or a function.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that holds the modules, or folders of them.
    entry : str
        The path of the first module inside `folder`.

    Returns
    -------
    str
        JavaScript.

    Raises
    ------
    ValueError
        When modules import each other in a circle, or in another form.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.explorer.bundle import bundle_scripts
    >>> _ = Path("sum.js").write_text("export const sum = (a, b) => a + b;\n")
    >>> _ = Path("page.js").write_text('import {sum} from "./sum.js";\nconsole.log(sum(1, 2));\n')
    >>> print(bundle_scripts(Path("."), "page.js"))
    (() => {
    "use strict";
    const modules = {};
    <BLANKLINE>
    modules["sum.js"] = (() => {
    const sum = (a, b) => a + b;
    return {sum};
    })();
    <BLANKLINE>
    modules["page.js"] = (() => {
    const {sum} = modules["sum.js"];
    console.log(sum(1, 2));
    return {};
    })();
    })();
    """
    parts, finished = [], set()

    def add(name, importers):
        if name in importers:
            raise ValueError("modules import each other: {}".format(" -> ".join(importers + (name,))))
        if name in finished:
            return
        source = (folder / name).read_text(encoding="utf-8")
        path = lambda imported: posixpath.normpath(posixpath.join(posixpath.dirname(name), imported))
        for _, imported in _IMPORT.findall(source):
            add(path(imported), importers + (name,))
        exported = _EXPORT.findall(source)
        source = _IMPORT.sub(lambda found: 'const {{{}}} = modules["{}"];\n'.format(found[1], path(found[2])), source)
        source = _EXPORT.sub("", source)
        other = re.search(r"^(?:import|export)\b.*", source, re.MULTILINE)
        if other:
            raise ValueError("{}: this form is not understood: {}".format(name, other.group()))
        parts.append('modules["{}"] = (() => {{\n{}return {{{}}};\n}})();\n'.format(name, source, ", ".join(exported)))
        finished.add(name)

    add(entry, ())
    return '(() => {{\n"use strict";\nconst modules = {{}};\n\n{}}})();'.format("\n".join(parts))


def bundle_styles(folder: Path, names: Sequence[str]) -> str:
    """Put style sheets together, in the order of their names.

    Parameters
    ----------
    folder : pathlib.Path
        Where they are.
    names : sequence of str
        Their files' names.

    Returns
    -------
    str
        CSS.

    Examples
    --------
    >>> from pathlib import Path
    >>> from mnist_cnn.explorer.bundle import bundle_styles
    >>> _ = Path("page.css").write_text("body {margin: 0}")
    >>> bundle_styles(Path("."), ["page.css"])
    'body {margin: 0}'
    """
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
