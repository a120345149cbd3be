"""A short run of every fuzzer; `make fuzz` runs them for longer."""

import fuzz
import pytest

INPUTS = {"picture": 300, "checkpoint": 400, "weights": 400, "page": 60}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.browser if name == "page" else ()) for name in fuzz.TARGETS]
)
def test_hostile_inputs(name):
    """Refused in one line or read as they should be, by the same inputs each time."""
    inputs = INPUTS.get(name, 500)
    tried, read = fuzz.fuzz(name, inputs)
    assert tried == inputs
    assert 0 < read < tried  # neither is all refused for a reason of no interest, nor all taken


def test_a_find_is_kept_and_raised(monkeypatch):
    """A reader that lets another error out, warns, or writes to stderr."""
    import os
    import warnings

    kept = []

    def reads_with(fault):
        class Target:
            def __init__(self, path):
                self.path = path

            def make(self, rng):
                return b"input"

            def read(self, content):
                fault()

        monkeypatch.setattr(fuzz, "target_of", lambda name, folder: Target(folder + "/input"))
        with pytest.raises((ValueError, UserWarning, AssertionError)):
            fuzz.fuzz("none", 1, keep=kept.append)

    def raises():
        raise ValueError

    reads_with(raises)
    reads_with(lambda: warnings.warn("a warning", stacklevel=1))
    reads_with(lambda: os.write(2, b"a line"))
    assert kept == [b"input"] * 3
