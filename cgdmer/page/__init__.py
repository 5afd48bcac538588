"""Owns how a page looks: escaped elements, one style sheet, charts and ECG paper, in one file without network."""

from cgdmer.page.elements import Child, Html, document, el, figure, number, section, svg, table, tiles

__all__ = ["Child", "Html", "document", "el", "figure", "number", "section", "svg", "table", "tiles"]
