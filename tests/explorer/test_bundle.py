"""ES modules put together to one script."""

import re
from pathlib import Path

import pytest

from mnist_cnn import explorer
from mnist_cnn.explorer.bundle import bundle_scripts

SCRIPTS = Path(explorer.__file__).parent / "scripts"
#: The folders of the page's scripts, from the ground floor up.
FOLDERS = ("network", "pictures", "page", "drawing", "views", "bench", "main.js")


def write(folder, **modules):
    for name, source in modules.items():
        (folder / (name + ".js")).write_text(source)


def test_the_imports_of_the_page_go_down():
    assert {path.name for path in SCRIPTS.iterdir()} == set(FOLDERS)
    for path in SCRIPTS.rglob("*.js"):
        floor = FOLDERS.index(path.relative_to(SCRIPTS).parts[0])
        for name in re.findall(r'from "(.+)";', path.read_text(encoding="utf-8")):
            imported = (path.parent / name).resolve().relative_to(SCRIPTS)
            assert FOLDERS.index(imported.parts[0]) <= floor, "{} imports {}".format(path.name, imported)


def test_modules_of_other_folders(tmp_path):
    for name in ("views", "network"):
        (tmp_path / name).mkdir()
    write(tmp_path / "network", a="export const ONE = 1;\n")
    write(tmp_path / "views", a='import {ONE} from "../network/a.js";\nexport const TWO = 2 * ONE;\n')
    write(tmp_path, main='import {TWO} from "./views/a.js";\nalert(TWO);\n')
    script = bundle_scripts(tmp_path, "main.js")
    assert re.findall(r'^modules\["(.+)"\] = ', script, re.MULTILINE) == ["network/a.js", "views/a.js", "main.js"]
    assert 'const {ONE} = modules["network/a.js"];' in script


def test_modules_come_after_what_they_import(tmp_path):
    write(
        tmp_path,
        main='import {twice} from "./b.js";\nimport {\n  ONE,\n} from "./a.js";\ntwice(ONE);\n',
        a="export const ONE = 1;\n",
        b='import {ONE} from "./a.js";\nexport function twice(x) {\n  return 2 * x * ONE;\n}\n',
    )
    script = bundle_scripts(tmp_path, "main.js")
    starts = [script.index('modules["{}.js"] = '.format(name)) for name in "ab"]
    assert starts == sorted(starts)
    assert script.index('modules["main.js"] = ') > starts[1]
    assert script.count('modules["a.js"] = ') == 1
    assert "return {twice};" in script
    assert "import {" not in script and "export " not in script


@pytest.mark.parametrize(
    "source", ['import a from "./a.js";\n', "export default 1;\n", "export let x = 1;\n", 'import {x as y} from "a";\n']
)
def test_other_forms_are_refused(tmp_path, source):
    write(tmp_path, main=source, a="")
    with pytest.raises(ValueError, match="main.js: this form"):
        bundle_scripts(tmp_path, "main.js")


def test_circles_are_refused(tmp_path):
    write(tmp_path, a='import {y} from "./b.js";\n', b='import {x} from "./a.js";\n')
    with pytest.raises(ValueError, match="a.js -> b.js -> a.js"):
        bundle_scripts(tmp_path, "a.js")
