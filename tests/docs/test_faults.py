"""docs/faults.md names tests that exist, in each line of its table."""

import re

from conftest import ROOT


def test_every_line_names_its_tests():
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    table = text[text.index("| fault |") :].split("\n\n")[0]
    rows = re.findall(r"^\| (?!fault \||---)(.*) \|$", table, re.M)
    assert len(rows) > 30
    for row in rows:
        names = re.findall(r"`([\w/]+\.py|test_\w+)`", re.split(r"(?<!\\) \| ", row)[-1])
        assert len(names) > 1 and names[0].endswith(".py"), row
        for name in names:
            if name.endswith(".py"):
                source = (ROOT / "tests" / name).read_text(encoding="utf-8")
            else:
                assert "\ndef {}(".format(name) in source, (row, name)
