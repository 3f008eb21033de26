"""The split of the chest radiographs: by child, fixed, made once.

Run from the bundle's root: ``python -m scripts.split --dataset_dir DIR`` writes ``configs/split.csv``.
"""

from __future__ import annotations

import argparse
import csv
import random
from collections import defaultdict
from pathlib import Path

SEED = 20261121
SHARES = {"train": 0.68, "validation": 0.10, "calibration": 0.09, "test": 0.13}
COLUMNS = ("path", "label", "group", "split")


def split_of_groups(groups_by_label: dict[str, set[str]]) -> dict[str, str]:
    """The split of each group, drawn per label so that every split has the same mix of labels."""
    chosen: dict[str, str] = {}
    for label in sorted(groups_by_label):
        groups = sorted(groups_by_label[label])
        random.Random(f"{SEED}-{label}").shuffle(groups)
        start = 0.0
        for split, share in SHARES.items():
            first, last = round(start * len(groups)), round((start + share) * len(groups))
            chosen.update(dict.fromkeys(groups[first:last], split))
            start += share
    return chosen


def main() -> None:
    """Write the split as CSV, one row an image, in the order of the data set's index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("configs/split.csv"))
    options = parser.parse_args()
    with (options.dataset_dir / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    groups_by_label: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        groups_by_label[row["label"]].add(row["group"])
    chosen = split_of_groups(groups_by_label)
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "split": chosen[row["group"]]} for row in rows)


if __name__ == "__main__":
    main()
