#!/usr/bin/env python3
"""Shows that a benchmark program still works, and that its figures can be read and compared.

smoke_test.py PROGRAM SOURCE_DIR    runs every row once or so: the figures mean nothing
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

NUMBER = r"\d+(\.\d+)?"
FIGURE = rf"\w+:{NUMBER}(ns|us|ms|s|B|KiB|MiB)?"
BENCH = re.compile(
    rf"bench: (\w+/\w+) ours={NUMBER}(ns|us|ms|s|B|KiB|MiB)? peer={FIGURE} ratio={NUMBER} "
    rf"target=<={NUMBER} (ok|short)"
)
ALSO = re.compile(rf"also: (\w+/\w+) peer={FIGURE} ratio={NUMBER}")
SKIP = re.compile(r"skip: (\w+/\w+) not measured: needs \d+ usable CPUs, there is \d+")


def output_of(*command):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert result.returncode == 0, f"{command}: status {result.returncode}\n{result.stderr}"
    return result.stdout


def fails(*command):
    return subprocess.run(list(map(str, command)), capture_output=True).returncode != 0


def check(program, source, folder):
    bench = source / "tests" / "bench"
    part, kept = folder / "part.json", folder / "kept.json"

    # What is printed and what is stored are the same rows, each in the one form.
    printed = []
    for line in output_of(program, "--scale", "0.001", "--json", part).splitlines():
        match = BENCH.fullmatch(line) or SKIP.fullmatch(line)
        assert match or ALSO.fullmatch(line), f"not in the form of a row: {line}"
        if match:
            printed.append(match[1])
    assert printed, "no row"
    report = [sys.executable, bench / "report.py"]
    output_of(*report, "collect", "--commit", "abc", "--date", "2000-01-01", "--load", 0,
              kept, part)
    document = json.loads(kept.read_text())
    assert [row["slug"] for row in document["rows"]] == printed
    assert all(row["commit"] == "abc" and row["cpus"] > 0 for row in document["rows"])

    # A row that became slower by half is told as worse, the others as the same.
    measured = [row for row in document["rows"] if "skipped" not in row]
    changed = json.loads(json.dumps(document))
    for row in changed["rows"]:
        if row["slug"] == measured[0]["slug"]:
            row["ratio"] *= 1.5
    for row in document["rows"] + changed["rows"]:
        for contestant in row.get("contestants", []):
            contestant["samples"] = [contestant["median"]] * 7
    kept.write_text(json.dumps(document))
    slower = folder / "slower.json"
    slower.write_text(json.dumps(changed))
    compare = ["bash", bench / "run.sh", "--compare"]
    lines = output_of(*compare, kept, slower).splitlines()
    assert len(lines) == len(measured), lines
    for line in lines:
        verdict = "worse" if line.split()[1] == measured[0]["slug"] else "same"
        assert f" {verdict} " in line, line
    assert fails(*compare, kept, folder / "missing.json")

    # The page keeps its text and gets the rows, the plot is well-formed.
    page = folder / "benchmarks.md"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    output_of(*report, "publish", kept, folder)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert all(f"| {slug} |" in text for slug in printed), text
    xml.etree.ElementTree.parse(folder / "benchmarks.svg")
    page.write_text("no place for them\n")
    assert fails(*report, "publish", kept, folder)


def main():
    program, source = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        check(program, source, pathlib.Path(folder))


if __name__ == "__main__":
    main()
