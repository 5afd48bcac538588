"""Run the command line as `python -m cgdmer`."""

import sys

from cgdmer.cli import main

sys.exit(main())
