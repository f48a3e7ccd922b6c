"""The pictures of compare_peers."""

import os
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot  # noqa: E402

OURS, THEIRS = "#c0392b", "#34607f"


def save(figure, path):
    part = path.with_name(path.name + ".part")
    figure.savefig(part, dpi=110, format="png")
    os.replace(part, path)
    pyplot.close(figure)


def caption(report):
    return f"{report['model']}, {report['threads']} threads, {report['machine']}, commit {report['commit']}, {report['date']}"


def draw_quality(report, path):
    """Decode speed over what the format loses: better is further up and to the left."""
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    context = str(report["contexts"][0])
    for engine in report["engines"]:
        colour = OURS if engine["engine"] == "qwenc" else THEIRS
        at = (max(engine["kl"], 1e-6), engine["decode_tok_s"][context])
        axes.scatter(*at, color=colour, s=55, zorder=3)
        # Left of a point, where another's name would begin at its right.
        crowded = any(other is not engine and 0.9 < other["decode_tok_s"][context] / at[1] < 1.05 and other["kl"] > at[0]
                      for other in report["engines"])
        axes.annotate(engine["name"], at, xytext=(-7 if crowded else 7, 5), textcoords="offset points", color=colour, fontsize=9,
                      ha="right" if crowded else "left")
    axes.set_xscale("log")
    axes.margins(x=0.4, y=0.12)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("KL divergence from the model in f32, nats (lower is better)")
    axes.set_ylabel(f"decode after {context} tokens, tok/s (higher is better)")
    axes.grid(alpha=0.3)
    axes.set_title(caption(report), fontsize=8)
    save(figure, path)


def draw_roofline(report, path):
    """The first executable's kernels under the roofs measured in the same run. Source: Williams, Waterman, Patterson 2009."""
    figure, axes = pyplot.subplots(figsize=(11, 6), layout="constrained")
    threads = report["threads"]
    rates, intensities, names = [], [], []
    for (tokens, result), marker in zip(report["kernels"].items(), "os"):
        names.append(f"{tokens} token{'s' if int(tokens) > 1 else ''} ({'circles' if marker == 'o' else 'squares'})")
        for row in result["benchmarks"]:
            if "GOP/s" not in row:
                continue
            if "% of memory" in row:
                rates.append(row["GB/s"] / row["% of memory"] * 100)
            intensity, number = row["operations"] / row["bytes"], len(intensities) + 1
            intensities.append(intensity)
            kernel, options = re.sub("^qk_", "", row["name"]).split("__")[:2]
            integer = "_q8g32" in options
            axes.scatter(intensity, row["GOP/s"], marker=marker, color=OURS if integer else THEIRS, s=40, zorder=3)
            axes.annotate(str(number), (intensity, row["GOP/s"]), xytext=(4, 4), textcoords="offset points", fontsize=7)
            reached = f"{row['% of memory']:.0f} % of memory, " if tokens == "1" and "% of memory" in row else ""
            names.append(f"{number:3} {kernel} {options.split('_')[0]}: {reached}{row['% of peak']:.0f} % of peak")
    context = next(iter(report["kernels"].values()))["context"]
    memory = sorted(rates)[len(rates) // 2]
    span = [min(intensities) / 2, max(intensities) * 3]
    for kind, colour in (("integer", OURS), ("float", THEIRS)):
        peak = threads * float(context[f"one_thread_{kind}_operations_per_second"]) * 1e-9
        ridge = peak / memory
        axes.plot([span[0], ridge, max(span[1], ridge * 2)], [memory * span[0], peak, peak], color=colour, linewidth=1.5,
                  label=f"{'int8' if kind == 'integer' else 'f32'} peak {peak:.0f} GOP/s, memory {memory:.1f} GB/s")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operations a byte of weights or cache")
    axes.set_ylabel("GOP/s (a multiplication and an addition are two)")
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8, loc="lower right")
    axes.text(1.01, 1, "\n".join(names), transform=axes.transAxes, fontsize=7, family="monospace", va="top")
    axes.set_title(caption(report), fontsize=8)
    save(figure, path)
