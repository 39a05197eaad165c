"""Reads a session's files with HdrHistogram's own Python reader and with pandas.

Takes a session's folder. Every percentile in percentiles.csv of the whole session must be what the
HdrHistogram reader finds in latency.hlog, and what pandas finds in runs.csv within the histogram's
three digits. Prints one JSON object of facts; exits with 0 only if everything agreed.
"""

import json
import math
import pathlib
import sys

import pandas
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LOWEST, HIGHEST, DIGITS = 1, 24 * 3600 * 1_000_000, 3

folder = pathlib.Path(sys.argv[1])
facts = {"compared_with_hlog": 0, "compared_with_runs": 0, "missing": 0, "broken": []}

merged = {}
reader = HistogramLogReader(str(folder / "latency.hlog"), HdrHistogram(LOWEST, HIGHEST, DIGITS))
while histogram := reader.get_next_interval_histogram():
    tag = histogram.get_tag()
    merged.setdefault(tag, HdrHistogram(LOWEST, HIGHEST, DIGITS)).add(histogram)

percentiles = pandas.read_csv(folder / "percentiles.csv")
runs = pandas.read_csv(folder / "runs.csv")
measured = runs[runs["measured"] == True]  # noqa: E712 (a column, not a truth)

for row in percentiles[percentiles["scope"] == "session"].itertuples():
    where = f"{row.mode}.{row.metric} {row.percentile}"
    if not row.percentile.startswith("p"):
        continue
    if math.isnan(row.value_us):
        facts["missing"] += 1
        if not str(row.note).startswith("n="):
            facts["broken"].append(f"{where}: missing without a reason")
        continue
    percent = float(row.percentile[1:])
    histogram = merged[f"{row.mode}.{row.metric}"]
    if histogram.get_total_count() != row.n:
        facts["broken"].append(f"{where}: {histogram.get_total_count()} in the log, {row.n} in the table")
    # This reader rounds p n to the nearest rank; the nearest-rank definition, Java's HdrHistogram and the table
    # round up. At a whole rank they agree.
    rank = max(1, math.ceil(round(percent * row.n, 6) / 100))
    theirs = min(histogram.get_value_at_percentile(100 * rank / row.n), histogram.get_max_value())
    ours = row.value_us
    # The reader returns the top of a bucket; the table has the largest value where that is lower.
    if not histogram.values_are_equivalent(int(theirs), int(ours)):
        facts["broken"].append(f"{where}: {theirs} in the log, {ours} in the table")
    facts["compared_with_hlog"] += 1
    column = f"{row.metric}_us"
    if column in measured:
        values = measured[measured["mode"] == row.mode][column].dropna()
        exact = sorted(values)[rank - 1]
        if abs(ours - exact) > max(1, exact / 1000):
            facts["broken"].append(f"{where}: {exact} in runs.csv, {ours} in the table")
        facts["compared_with_runs"] += 1

print(json.dumps(facts))
sys.exit(0 if facts["compared_with_hlog"] and not facts["broken"] else 1)
