"""ES modules put together to one script."""

import pytest

from mnist_cnn.explorer.bundle import bundle_scripts


def write(folder, **modules):
    for name, source in modules.items():
        (folder / (name + ".js")).write_text(source)


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
