"""Whether the texts of a figure fit into it."""

import matplotlib.text


def assert_texts_fit(figure, monkeypatch):
    """No text leaves the figure, and none lies on another."""
    figure.canvas.draw()
    drawn = []
    draw = matplotlib.text.Text.draw

    def recorded(text, renderer):  # what is really drawn, and not the ticks beyond an axis
        drawn.append(text)
        draw(text, renderer)

    monkeypatch.setattr(matplotlib.text.Text, "draw", recorded)
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()
    boxes = [
        (text.get_text(), text.get_window_extent()) for text in drawn if text.get_visible() and text.get_text().strip()
    ]
    assert boxes
    for i, (text, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text
        for other, box2 in boxes[:i]:
            across = min(box.x1, box2.x1) - max(box.x0, box2.x0)
            down = min(box.y1, box2.y1) - max(box.y0, box2.y0)
            assert across <= 1 or down <= 1, (text, other)
