"""The colours of the series of a chart, by their number: rules for the style sheet and for images of their own."""

LIGHT = (
    "#0b6b6b", "#2f5fb3", "#5f6b73", "#9a6200", "#a03a7a", "#4f7f1f",
    "#b5482c", "#6a4fb0", "#1787b8", "#7c7416", "#c2506b", "#20242a",
)  # fmt: skip
DARK = (
    "#58c4bc", "#8fb4f2", "#b3bcc2", "#e2b05c", "#e39ac6", "#a8d06d",
    "#f0a088", "#bba6f2", "#6cc8ee", "#d6ca5c", "#f39bb0", "#f4f5f6",
)  # fmt: skip
MOST = 2 * len(LIGHT)
"""Series that a chart can tell apart: the second dozen has the colours of the first, and dashed lines."""


def page_rules() -> str:
    """Return the rules of the page's style sheet, for a light and a dark background."""
    return f"{_colours(LIGHT)}@media (prefers-color-scheme: dark) {{{_colours(DARK)}}}{_dashes()}"


def image_rules() -> str:
    """Return the rules of an image that brings its own, light background."""
    return _colours(LIGHT) + _dashes()


def _colours(chosen: tuple[str, ...]) -> str:
    shades = [(style, chosen[style % len(chosen)]) for style in range(MOST)]
    return "".join(f"svg .series{style}{{stroke:{shade};fill:{shade}}}" for style, shade in shades)


def _dashes() -> str:
    dotted = "svg .line.series2{stroke-dasharray:1 4}"
    return dotted + "".join(
        f"svg .line.series{style}{{stroke-dasharray:6 3}}" for style in range(len(LIGHT), MOST)
    )  # fmt: skip
