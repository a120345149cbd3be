"""`make soak`, shortened."""

import pytest
import soak

pytestmark = pytest.mark.slow


def test_a_training_killed_at_random_is_the_one_left_alone(tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    whole.mkdir()
    pieces.mkdir()
    sizes = soak.unbroken(whole, 30)
    assert sizes[10:].max() < sizes[10:].min() * (1 + soak.TOLERANCE)
    codes = soak.broken(pieces, 30, kills=3, seed=2)
    assert codes[0] == 1 and sum(codes.values()) >= 3
    assert not list(soak.differences(whole, pieces))
