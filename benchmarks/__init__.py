"""Side-by-side measurements of speed; each prints ratios and ends with one line of JSON."""
