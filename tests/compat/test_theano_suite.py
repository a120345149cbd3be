"""How the outcomes of Theano's own tests are compared; `make theano-tests` runs these."""

import theano_suite


def test_unexpected_outcomes_are_named(tmp_path, monkeypatch, capsys):
    there, here, failures = tmp_path / "there.txt", tmp_path / "here.txt", tmp_path / "failures.txt"
    names = ["same", "worse", "slow", "lost", "listed", "listed[2]", "mended", "better"]
    there.write_text("".join("passed\ta.py::{}\n".format(name) for name in names[:-1]) + "failed\ta.py::better\n")
    failures.write_text("# a comment\n\nThe reason.\n    a.py::listed*\n\nAnother.\n    a.py::mended\n")
    outcomes = dict(same="passed", worse="failed", slow="slow", listed="failed", mended="passed", better="passed")
    outcomes["listed[2]"] = "crashed"
    here.write_text(
        "started\ta.py::same\n" + "".join("{}\ta.py::{}\n".format(*item[::-1]) for item in outcomes.items())
    )
    monkeypatch.setattr(theano_suite, "OUTCOMES", there)
    monkeypatch.setattr(theano_suite, "FAILURES", failures)
    assert theano_suite.compare(str(here)) == 3
    out = capsys.readouterr().out
    assert "failed, and passes on CPython 3.8: a.py::worse\n" in out
    assert "missing, and passes on CPython 3.8: a.py::lost\n" in out
    assert "passed, and is listed as a failure: a.py::mended\n" in out
    here.write_text("not collected\ta.py\n")
    assert theano_suite.compare(str(here)) == 4  # all that passed there, but those listed


def test_a_test_that_yields_calls_makes_them_all():
    made = []

    def test_of_nose():
        for number in range(3):
            yield made.append, number

    theano_suite._call_all(test_of_nose)()
    assert made == [0, 1, 2]
