"""Numbers of this Python and NumPy beside those of the oldest ones: same_numbers.json.gz."""

import sys
from pathlib import Path

import numpy as np
import pytest
import same_numbers

#: Made by ``python tests/compat/same_numbers.py tests/compat/same_numbers.json.gz`` on CPython 3.10, NumPy 1.23.5.
GOLDEN = Path(__file__).with_name("same_numbers.json.gz")


@pytest.fixture(scope="module")
def entries():
    return same_numbers.compute()


def differences(entries, golden):
    """The names of entries that are not the same; "rounded" ones may differ in the last digits."""
    for name, expected in golden.items():
        found = entries[name]
        if (found.dtype.kind, found.shape) != (expected.dtype.kind, expected.shape) or (
            found.dtype != expected.dtype and found.dtype.kind != "U"
        ):
            yield "{}: {} {}, not {} {}".format(name, found.dtype, found.shape, expected.dtype, expected.shape)
        elif found.dtype.kind in "fc" and name.startswith("rounded"):
            tolerance = 1e-3 if found.dtype == np.float16 else 1e-5 if found.dtype in ("f4", "c8") else 1e-12
            if not np.allclose(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True):
                yield "{}: {}, not {}".format(name, found, expected)
        elif not np.array_equal(found, expected, equal_nan=found.dtype.kind in "fc"):
            yield "{}: {}, not {}".format(name, found, expected)


def test_numbers_are_those_of_the_oldest_versions(entries):
    golden = same_numbers.load(GOLDEN)
    assert set(entries) == set(golden)
    assert list(differences(entries, golden)) == []


def test_a_changed_digit_is_seen(entries):
    name = "draw uniform 2"
    changed = dict(entries, **{name: np.nextafter(entries[name], 2)})
    assert [text.partition(":")[0] for text in differences(changed, same_numbers.load(GOLDEN))] == [name]


def main(arguments):
    """Compare a file with the golden one; with --bits, two files of weights with each other."""
    if arguments[0] == "--bits":
        with np.load(arguments[1], allow_pickle=True) as one, np.load(arguments[2], allow_pickle=True) as other:
            texts = [name for name in one.files if one[name].tobytes() != other[name].tobytes()]
    else:
        texts = list(differences(same_numbers.load(arguments[0]), same_numbers.load(GOLDEN)))
    return "\n".join(["other numbers:"] + texts) if texts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
