"""What pretraining predicts of a record linearly, beside its patches and its report."""

from cgdmer.signals.leads import INDEPENDENT, LEADS

MEASUREMENTS = (
    "log_rr", "rr_deviation", "rr_change", "rr_shortest", "rr_longest", "pr", "qrs", "qt", "axis_sine", "axis_cosine",
    "age", "sex",
)  # fmt: skip
"""Columns of `Batch.measurements`, standardised: log of the RR interval; log of the standard deviation of RR intervals
and of the root mean square of their successive differences, shortest and longest interval, all four relative to the
median; intervals in ms; sine and cosine of the QRS axis in the frontal plane; age in years; sex (1 = male)."""

WAVES = ("p", "q", "r", "s", "st", "t_low", "t_high")
"""Parts of a lead's median beat: the largest value of the P wave, the smallest before the centre of the QRS complex,
the largest of the complex, the smallest after its centre, the mean of the ST segment, smallest and largest of the T
wave."""
AMPLITUDES = tuple(f"{wave}_{LEADS[lead]}" for wave in WAVES for lead in INDEPENDENT)
"""Columns of `Batch.amplitudes`: the parts of the median beat in the independent leads, each in units of its own."""
