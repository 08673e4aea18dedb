#!/usr/bin/env python3
"""What is done with the figures of benchmark programs.

report.py collect --commit C --date D --load L OUT IN...    joins the files of several programs
report.py compare OLD NEW    one line per row that both have
report.py publish IN DOCS    puts them into DOCS/benchmarks.json, .md and .svg
"""

import argparse
import json
import math
import pathlib
import statistics
import sys

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
CONTEXT = ("commit", "date", "compiler", "cpus", "load")


def load(path):
    return json.loads(pathlib.Path(path).read_text())


def store(path, value):
    pathlib.Path(path).write_text(json.dumps(value, indent=1) + "\n")


def collect(arguments):
    """Each row knows by what, when and where it was measured."""
    rows = []
    for part in map(load, arguments.inputs):
        context = {
            "commit": arguments.commit,
            "date": arguments.date,
            "load": arguments.load,
            "compiler": part["compiler"],
            "cpus": part["cpus"],
        }
        rows += [{**row, **context} for row in part["rows"]]
    if not rows:
        sys.exit("report.py: nothing was measured")
    store(arguments.output, {"rows": rows})


def measured(document):
    return {row["slug"]: row for row in document["rows"] if "skipped" not in row}


def contestant(row, name):
    return next(each for each in row["contestants"] if each["name"] == name)


def ours(row):
    return row["contestants"][0]


def peer(row):
    return contestant(row, row["peer"])


def noise(row):
    """The middle half of the ratios of single repetitions, as a part of the ratio."""
    ratios = [a / b for a, b in zip(ours(row)["samples"], peer(row)["samples"])]
    if len(ratios) < 4:
        return 0.0
    low, _, high = statistics.quantiles(ratios, n=4)
    return (high - low) / row["ratio"]


def compare(arguments):
    old, new = measured(load(arguments.old)), measured(load(arguments.new))
    for slug in sorted(old.keys() | new.keys()):
        if slug not in old or slug not in new:
            print(f"compare: {slug} only in {arguments.old if slug in old else arguments.new}")
            continue
        before, after = old[slug], new[slug]
        if before["peer"] != after["peer"]:
            print(f"compare: {slug} has another peer: {before['peer']} -> {after['peer']}")
            continue
        change = after["ratio"] / before["ratio"] - 1
        if abs(change) <= max(noise(before), noise(after), 0.02):
            verdict = "same"
        else:
            verdict = "worse" if change > 0 else "better"
        print(
            f"compare: {slug} ratio={before['ratio']:.3f}->{after['ratio']:.3f} "
            f"change={change:+.1%} {verdict} {before['verdict']}->{after['verdict']}"
        )


def figure(value, unit):
    steps = {
        "ns": [(1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")],
        "B": [(1, "B"), (1024, "KiB"), (1024**2, "MiB")],
    }.get(unit)
    if steps is None:
        return f"{value:g}"
    size, name = max((step for step in steps if value >= step[0]), default=steps[0])
    shown = value / size
    return f"{shown:.{2 if shown < 10 else 1 if shown < 100 else 0}f} {name}"


def ratio(value):
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def table(rows):
    lines = ["| row | rouse | peer | ratio | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        if "skipped" in row:
            lines.append(f"| {row['slug']} | not measured: {row['skipped']} | | | | |")
            continue
        unit = row["unit"]
        lines.append(
            f"| {row['slug']} | {figure(ours(row)['median'], unit)} "
            f"| {row['peer']} {figure(peer(row)['median'], unit)} | {ratio(row['ratio'])} "
            f"| ≤ {row['target']:.2f} | {'ok' if row['verdict'] == 'ok' else '**short**'} |"
        )
        told = {other["peer"] for other in rows if ours_is_same(other, row)}
        others = [
            f"{each['name']} {figure(each['median'], unit)}"
            for each in row["contestants"][1:]
            if each["name"] not in told
        ]
        if others and first_of_its_run(row, rows):
            lines.append(f"| | | also {', '.join(others)} | | | |")
    contexts = dict.fromkeys(tuple(row[key] for key in CONTEXT) for row in rows)
    lines.append("")
    for commit, date, compiler, cpus, load in contexts:
        lines.append(
            f"Measured {date[:10]} at {commit}, {cpus} CPUs, {compiler}, load average {load:g}."
        )
    return "\n".join(lines)


def ours_is_same(row, other):
    """Two targets of one measurement have the same samples."""
    return "contestants" in row and row["contestants"] == other["contestants"]


def first_of_its_run(row, rows):
    return next(other for other in rows if ours_is_same(other, row)) is row


STYLE = """
  .page { fill: #ffffff; stroke: #d1d9e0; }
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .quiet { fill: #59636e; font-size: 12px; }
  .grid { stroke: #d1d9e0; } .parity { stroke: #59636e; }
  .ok { fill: #1a7f5a; } .short { fill: #c4540b; } .target { stroke: #1f2328; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; stroke: #30363d; }
    text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
    .grid { stroke: #30363d; } .parity { stroke: #9198a1; }
    .ok { fill: #3fb68b; } .short { fill: #f0883e; } .target { stroke: #f0f6fc; }
  }
"""


def plot(rows):
    """A bar per row from the peer's figure, 1, to ours, on a logarithmic scale."""
    rows = [row for row in rows if "skipped" not in row and row["unit"] != "count"]
    width, right, top, step = 430, 205, 66, 30
    left = 28 + 7.5 * max((len(row["slug"]) for row in rows), default=0)
    values = [value for row in rows for value in (row["ratio"], row["target"])] + [0.1, 2]
    low = math.floor(math.log10(min(values)))
    high = max(math.log10(max(values)) + 0.1, 0.5)

    def x(value):
        return left + (math.log10(value) - low) / (high - low) * width

    bottom = top + step * len(rows)
    total = left + width + right
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {bottom + 12}" '
        f'width="{total}" height="{bottom + 12}" role="img" aria-labelledby="title">',
        '<title id="title">Time or memory of rouse as a part of its peer\'s</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{total - 1}" height="{bottom + 11}" rx="6"/>',
        f'<text class="quiet" x="{x(1) - 8:.1f}" y="24" text-anchor="end">'
        "← less than the peer takes</text>",
        f'<text class="quiet" x="{x(1) + 8:.1f}" y="24">more →</text>',
        f'<line class="target" x1="{left + width + 17}" x2="{left + width + 17}" y1="12" y2="28"/>'
        f'<text class="quiet" x="{left + width + 26}" y="24">target</text>',
    ]
    for exponent in range(low, math.floor(high) + 1):
        value = 10.0**exponent
        kind = "parity" if exponent == 0 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{x(value):.1f}" x2="{x(value):.1f}" '
            f'y1="{top - 12}" y2="{bottom}"/>'
            f'<text class="quiet" x="{x(value):.1f}" y="{top - 18}" '
            f'text-anchor="middle">{value:g}</text>'
        )
    for index, row in enumerate(rows):
        y = top + step * index
        begin, end = sorted((x(1), x(row["ratio"])))
        target = x(row["target"])
        parts.append(
            f'<text x="{left - 12}" y="{y + 14}" text-anchor="end">{row["slug"]}</text>'
            f'<rect class="{row["verdict"]}" x="{begin:.1f}" y="{y + 2}" '
            f'width="{max(end - begin, 2):.1f}" height="14" rx="2"/>'
            f'<line class="target" x1="{target:.1f}" x2="{target:.1f}" y1="{y - 2}" y2="{y + 20}"/>'
            f'<text x="{left + width + 12}" y="{y + 14}">{ratio(row["ratio"])} of '
            f'{row["peer"]}{"" if row["verdict"] == "ok" else ", short"}</text>'
        )
    return "\n".join(parts + ["</svg>"]) + "\n"


def publish(arguments):
    docs = pathlib.Path(arguments.docs)
    kept = docs / "benchmarks.json"
    rows = {row["slug"]: row for row in load(kept)["rows"]} if kept.exists() else {}
    rows.update((row["slug"], row) for row in load(arguments.input)["rows"])
    rows = list(rows.values())

    page = docs / "benchmarks.md"
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"report.py: {page} has no place for the figures, {BEGIN} and {END}")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}")
    (docs / "benchmarks.svg").write_text(plot(rows))
    store(kept, {"rows": rows})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("collect")
    command.add_argument("--commit", required=True)
    command.add_argument("--date", required=True)
    command.add_argument("--load", required=True, type=float)
    command.add_argument("output")
    command.add_argument("inputs", nargs="+")
    command.set_defaults(run=collect)
    command = commands.add_parser("compare")
    command.add_argument("old")
    command.add_argument("new")
    command.set_defaults(run=compare)
    command = commands.add_parser("publish")
    command.add_argument("input")
    command.add_argument("docs")
    command.set_defaults(run=publish)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
