"""Parsing needs time in proportion to the input: eight times the bytes never cost near sixty-four times the seconds."""

import contextlib
import time

import pytest

from cgdmer.errors import DataError
from cgdmer.recordings import ArrayMetadata
from cgdmer.recordings.arrays import read_csv
from cgdmer.waveforms import parse_header
from cgdmer.waveforms.header import MAX_LINE

SMALL, TIMES = 1 << 16, 8
LINE = b"r.dat 16 200/mV 16 0 0 0 0 I\n"
HEADERS = {
    "sampling rate": lambda n: b"r 1 " + b"1" * n + b"x 10\n" + LINE,
    "fraction": lambda n: b"r 1 1." + b"1" * n + b"x 10\n" + LINE,
    "gain": lambda n: b"r 1 500 10\nr.dat 16 " + b"1" * n + b"x\n",
    "unit": lambda n: b"r 1 500 10\nr.dat 16 1/" + b"m" * n + b"\n",
    "baseline": lambda n: b"r 1 500 10\nr.dat 16 1(" + b"1" * n + b")/mV\n",
    "format": lambda n: b"r 1 500 10\nr.dat " + b"1" * n + b"x\n",
    "name": lambda n: b"a." * (n // 2) + b"! 1 500 10\n" + LINE,
    "blanks": lambda n: b"r 1 500 10\nr.dat" + b" " * n + b"16 x\n",
    "count of samples": lambda n: b"r 1 500 " + b"1" * n + b"\n" + LINE,
    "checksum": lambda n: b"r 1 500 10\nr.dat 16 1/mV 16 0 0 " + b"1" * n + b" 0 I\n",
    "short lines": lambda n: b"r 1 500 10\n" + b"x y\n" * (n // 4),
    "segments": lambda n: b"r/9 1 500 10\n" + b"s 1\n" * (n // 4),
    "comments": lambda n: b"r 1 500 10\n" + LINE + b"#" * n + b"\n",
    "digits within the limits": lambda n: b"r 1 500 10\n" + (b"r.dat 16 " + b"1" * 900 + b"x\n") * (n // 1000),
}
TABLES = {
    "digits": lambda n: b"1" * n + b"x,2\n3,4\n",
    "fraction": lambda n: b"1." + b"1" * n + b"x,2\n3,4\n",
    "cells": lambda n: b"1," * (n // 2) + b"x\n",
    "later digits": lambda n: b"1,2\n" + b"1" * n + b"x,2\n",
    "empty cells": lambda n: b"1,2\n" + b",\n" * (n // 2),
    "wide rows of empty cells": lambda n: (b"," * 10_000 + b"\n") * (n // 10_000),
    "quotes": lambda n: b"1,2\n" + b'"' * n + b"\n",
}


def seconds(call, data) -> float:
    """Return the least CPU time of three calls, which a busy machine does not lengthen; a call may refuse the data."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        with contextlib.suppress(DataError):
            call(data)
        times.append(time.thread_time() - start)
    return min(times)


def growth(call, make) -> float:
    return seconds(call, make(SMALL * TIMES)) / max(seconds(call, make(SMALL)), 2e-4)


@pytest.mark.parametrize("kind", HEADERS)
def test_headers(kind):
    assert growth(lambda data: parse_header(data, "r.hea"), HEADERS[kind]) < TIMES**1.6


@pytest.mark.parametrize("kind", TABLES)
def test_tables(kind):
    stated = ArrayMetadata(500.0, "mV", ("I", "II"))
    assert growth(lambda data: read_csv(data, "r.csv", stated), TABLES[kind]) < TIMES**1.6


def test_the_measure_sees_a_quadratic_cost():
    import re

    slow = re.compile(r"(\d+\.?\d*)x")
    assert growth(lambda data: slow.fullmatch("1" * (len(data) // 80)), lambda n: b"1" * n) > TIMES**1.6


def test_lines_within_the_limit_are_read():
    header = b"r 1 500 10\n" + LINE.rstrip() + b" " + b"n" * (MAX_LINE - len(LINE) - 1) + b"\n"
    assert len(parse_header(header, "r.hea").leads) == 1
