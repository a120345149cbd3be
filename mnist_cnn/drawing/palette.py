"""The colours of the figures and of both pages, for light and dark mode, named by their use."""

__all__ = ["COLOURS", "SIGNED", "css_colours", "on_light"]

#: From a name to its colour on a light ground and on a dark one.
COLOURS = {
    "page": ("#f6f4ef", "#121419"),
    "card": ("#fffefb", "#1a1d24"),
    "text": ("#1c1a16", "#eceae4"),
    "muted": ("#666056", "#a4a097"),
    "line": ("#dfd9cc", "#2f343e"),
    "button": ("#ffffff", "#252a33"),
    "accent": ("#7a1fc4", "#cf9dff"),
    # pictures of ink, and maps of numbers: nothing, some, much
    "paper": ("#fffefb", "#0b0c10"),
    "ink": ("#14120e", "#f6f3ea"),
    "zero": ("#f1ede3", "#22262f"),
    "positive-mid": ("#f08a24", "#b8520d"),
    "positive-full": ("#8f2600", "#ffd27a"),
    "negative-mid": ("#5b9bd5", "#1f6099"),
    "negative-full": ("#0c3c78", "#a5daff"),
    # backgrounds of legible digits, and the digits themselves
    "positive-tint": ("#ffab52", "#8f4310"),
    "negative-tint": ("#8cbcea", "#1d527f"),
    "ink-tint": ("#b9b2a3", "#565b66"),
    "positive-text": ("#a84300", "#ffb566"),
    "negative-text": ("#14559c", "#8fc6f7"),
    "bar": ("#ee8722", "#f09a45"),
    "doubt": ("#a3231f", "#ff9d94"),
    # ten classes, distinguishable as lines on the card
    "class-0": ("#1f5fb4", "#6ea8ff"),
    "class-1": ("#b3480a", "#ff9d57"),
    "class-2": ("#1b7a35", "#5fd07c"),
    "class-3": ("#b01e2e", "#ff7a85"),
    "class-4": ("#6f3fb0", "#bd93ff"),
    "class-5": ("#7a4b2e", "#d0a07d"),
    "class-6": ("#b0338a", "#ff8fd6"),
    "class-7": ("#5c6066", "#b9bec7"),
    "class-8": ("#75720c", "#d8d34f"),
    "class-9": ("#0b7d87", "#4fd3df"),
}

#: The colours of a map of signed numbers, from the least through zero to the largest.
SIGNED = ("negative-full", "negative-mid", "zero", "positive-mid", "positive-full")


def on_light(*names: str) -> list[str]:
    """List the hexadecimal values of some of the `COLOURS`, on a light ground."""
    return [COLOURS[name][0] for name in names]


def css_colours() -> str:
    """Write the colours as custom properties of a style sheet."""
    lines = ["  --{}: light-dark({}, {});\n".format(name, *pair) for name, pair in COLOURS.items()]
    return ":root {{\n  color-scheme: light dark;\n{}}}\n".format("".join(lines))
