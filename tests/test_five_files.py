"""The lesson is short."""

from conftest import ROOT


def test_the_lesson_is_short():
    for name in ("data", "model", "train", "visualize", "predict"):
        text = (ROOT / "mnist_cnn" / (name + ".py")).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 150, name
