"""HTML pages in one file, without scripts or network: escaped elements, one style sheet, charts and ECG paper."""

from cgdmer.page.elements import Child, Html, document, el, figure, number, section, svg, table, tiles

__all__ = ["Child", "Html", "document", "el", "figure", "number", "section", "svg", "table", "tiles"]
