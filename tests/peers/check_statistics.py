"""pandas and scipy recompute the statistics of reports and of a comparison from the same runs.

Takes the folders of two compared sessions, of one with runs that were cut off, and the comparison's
JSON. From runs.csv alone: intervals of percentiles (binomial order statistics), the two-sample tests,
Newcombe's difference from Wilson's intervals, ratios with their own bootstrap, and Kaplan-Meier
percentiles. Prints one JSON object of facts; exits with 0 only if everything agreed.
"""

import json
import math
import pathlib
import sys

import numpy
import pandas
from scipy import stats

LEVEL = 0.95
facts = {"intervals": 0, "shapes": 0, "rates": 0, "ratios": 0, "survival": 0, "broken": []}


def agree(what, where, ours, theirs, relative=1e-6, absolute=1e-9):
    facts[what] += 1
    if not math.isclose(ours, theirs, rel_tol=relative, abs_tol=absolute):
        facts["broken"].append(f"{where}: {ours} here, {theirs} by scipy")


def measured(folder):
    runs = pandas.read_csv(pathlib.Path(folder) / "runs.csv")
    return runs[runs["measured"] == True]  # noqa: E712 (a column, not a truth)


def fraction_of(percentile):
    return round(float(percentile[1:]) * 1000) / 100_000


def nearest_rank(ascending, fraction):
    return ascending[max(1, math.ceil(round(fraction * len(ascending), 6))) - 1]


def check_intervals(folder):
    """percentiles.csv: the ranks between which a binomial variable stays with 95 %."""
    runs, table = measured(folder), pandas.read_csv(pathlib.Path(folder) / "percentiles.csv")
    for row in table[table["scope"] == "session"].itertuples():
        column, lows = f"{row.metric}_us", f"{row.metric}_low_us"
        if not row.percentile.startswith("p") or math.isnan(row.value_us) or column not in runs:
            continue
        high = numpy.sort(runs[column].dropna())
        low = numpy.sort((runs[lows] if lows in runs else runs[column]).dropna())
        tail = (1 - LEVEL) / 2
        binomial = stats.binom(len(high), fraction_of(row.percentile))
        # How many values may lie below the lower end, and how many up to the upper one.
        first = int(binomial.ppf(tail))
        first -= binomial.cdf(first) > tail
        last = int(binomial.isf(tail))
        last += binomial.sf(last) > tail
        where = f"{folder} {row.metric} {row.percentile}"
        agree("intervals", f"{where} low", row.low_us, low[first], 2e-3, 1)
        agree("intervals", f"{where} high", row.high_us, high[last], 2e-3, 1)
        agree("intervals", where, row.value_us, nearest_rank(high, fraction_of(row.percentile)), 2e-3, 1)


def check_comparison(one, other, comparison):
    tail = (1 - LEVEL) / 2
    generator = numpy.random.default_rng(7)
    for latency in comparison["latencies"]:
        column = f"{latency['metric']}_us"
        a, b = (numpy.sort(runs[column].dropna()) for runs in (one, other))
        if (len(a), len(b)) != (latency["baseline_n"], latency["candidate_n"]):
            facts["broken"].append(f"{column}: {len(a)} and {len(b)} in runs.csv, {latency}")
            continue
        shape = latency["shape"]
        # The comparison uses the exact distribution only for small samples without ties; these are large.
        whitney = stats.mannwhitneyu(b, a, method="asymptotic")
        agree("shapes", f"{column} U", shape["mann_whitney_u"], whitney.statistic)
        agree("shapes", f"{column} p of U", shape["mann_whitney_p"], whitney.pvalue, 1e-6, 1e-12)
        smirnov = stats.ks_2samp(a, b, method="exact" if len(a) * len(b) <= 250_000 else "asymp")
        agree("shapes", f"{column} KS", shape["kolmogorov_smirnov"], smirnov.statistic)
        shift = numpy.median(numpy.subtract.outer(b, a))
        agree("shapes", f"{column} shift", shape["shift_us"], shift)
        for found in latency["percentiles"]:
            if found["ratio"] is None:
                continue
            fraction = fraction_of(found["percentile"])
            where = f"{column} {found['percentile']}"
            agree("ratios", f"{where} A", found["baseline_us"], nearest_rank(a, fraction))
            agree("ratios", f"{where} B", found["candidate_us"], nearest_rank(b, fraction))
            if fraction == 0.5:
                # These runs are independent, so a bootstrap of blocks has the same variance as one of single runs.
                draws = [
                    numpy.sort(numpy.median(generator.choice(values, (4_000, len(values))), axis=1))
                    for values in (a, b)
                ]
                ratios = generator.permutation(draws[1]) / generator.permutation(draws[0])
                width = numpy.log(numpy.quantile(ratios, 1 - tail) / numpy.quantile(ratios, tail))
                ours = math.log(found["ratio_high"] / found["ratio_low"])
                agree("ratios", f"{where} width", ours, width, 0.35)
    for rate in comparison["rates"]:
        counts = (rate["baseline_count"], rate["baseline_n"], rate["candidate_count"], rate["candidate_n"])
        expected = []
        for runs in (one, other):
            judged = runs[runs["outcome"] == "completed"]["judged"]
            if rate["measure"] == "failed":
                expected += [int((runs["outcome"] == "failed").sum()), len(runs)]
            else:
                expected += [int((judged.astype(str).isin(("failed", "False", "false"))).sum()), int(judged.notna().sum())]
        if list(counts) != expected:
            facts["broken"].append(f"{rate['measure']}: {counts} here, {expected} in runs.csv")
        p, q = counts[0] / counts[1], counts[2] / counts[3]
        (l1, u1), (l2, u2) = (
            stats.binomtest(counts[n], counts[n + 1]).proportion_ci(LEVEL, method="wilson") for n in (0, 2)
        )
        where = rate["measure"]
        agree("rates", f"{where} low", rate["difference_low"], q - p - math.hypot(q - l2, u1 - p))
        agree("rates", f"{where} high", rate["difference_high"], q - p + math.hypot(u2 - q, p - l1))


def check_survival(folder):
    """percentiles.csv: Kaplan-Meier percentiles, with runs that were cut off counted as longer."""
    runs, table = measured(folder), pandas.read_csv(pathlib.Path(folder) / "percentiles.csv")
    ended = runs["completion.response_us"].dropna()
    cut = runs[runs["failure_class"] == "evaluator_timeout"]
    longer = cut["ended_us"] - cut["intended_us"]
    curve = stats.ecdf(stats.CensoredData(uncensored=ended, right=longer)).cdf
    rows = table[(table["scope"] == "session") & (table["metric"] == "completion.response")]
    for row in rows[rows["percentile"].str.startswith("p")].itertuples():
        if row.unfinished != len(longer):
            facts["broken"].append(f"{row.unfinished} unfinished here, {len(longer)} in runs.csv")
        reached = curve.quantiles[curve.probabilities >= fraction_of(row.percentile) - 1e-9]
        where = f"with unfinished {row.percentile}"
        if math.isnan(row.with_unfinished_us):
            facts["survival"] += 1
            few = str(row.with_unfinished_note).startswith("n=")
            if len(reached) and not few:
                facts["broken"].append(f"{where}: none here, {reached[0]} by scipy")
        else:
            agree("survival", where, row.with_unfinished_us, reached[0], 2e-3, 1)


baseline, candidate, cut, comparison_file = sys.argv[1:]
for session in (baseline, candidate):
    check_intervals(session)
check_comparison(measured(baseline), measured(candidate), json.load(open(comparison_file)))
check_survival(cut)
print(json.dumps(facts))
sys.exit(0 if not facts["broken"] else 1)
