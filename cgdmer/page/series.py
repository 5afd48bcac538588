"""The colours of the series of a chart, by their number: rules for the style sheet and for images of their own."""

LIGHT = (
    "#0b6b6b", "#8a949b", "#5f6b73", "#9a6200", "#2f5fb3", "#a03a7a",
    "#4f7f1f", "#b5482c", "#6a4fb0", "#1787b8", "#7c7416", "#c2506b",
)  # fmt: skip
DARK = (
    "#58c4bc", "#7d8890", "#b3bcc2", "#e2b05c", "#8fb4f2", "#e39ac6",
    "#a8d06d", "#f0a088", "#bba6f2", "#6cc8ee", "#d6ca5c", "#f39bb0",
)  # fmt: skip
MOST = 2 * len(LIGHT)
"""Series that a chart can tell apart: the second dozen has the colours of the first, and dashed lines."""


def rules() -> str:
    """Return the rules of the page's style sheet, for a light and a dark background."""
    return f"{colours(LIGHT)}@media (prefers-color-scheme: dark) {{{colours(DARK)}}}{dashes()}"


def image_rules() -> str:
    """Return the rules of an image that brings its own, light background."""
    return colours(LIGHT) + dashes()


def colours(chosen: tuple[str, ...]) -> str:
    shades = [(style, chosen[style % len(chosen)]) for style in range(MOST)]
    return "".join(f"svg .series{style}{{stroke:{shade};fill:{shade}}}" for style, shade in shades)


def dashes() -> str:
    dotted = "svg .line.series2{stroke-dasharray:1 4}"
    return dotted + "".join(
        f"svg .line.series{style}{{stroke-dasharray:6 3}}" for style in range(len(LIGHT), MOST)
    )  # fmt: skip
