"""Owns `python -m cgdmer`."""

import sys

from cgdmer.cli import main

sys.exit(main())
