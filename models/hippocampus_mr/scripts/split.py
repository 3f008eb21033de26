"""The split of the hippocampus cases: by patient, fixed, made once.

Run from the bundle's root: ``python -m scripts.split --dataset_dir DIR`` writes ``configs/split.csv``.
"""

from __future__ import annotations

import argparse
import csv
import random
from pathlib import Path

SEED = 20261121
COUNTS = {"train": 140, "validation": 20, "test": 40}
COLUMNS = ("path", "mask", "group", "split")


def split_of_groups(groups: list[str]) -> dict[str, str]:
    """The split of each patient."""
    shuffled = sorted(groups)
    random.Random(SEED).shuffle(shuffled)
    names = [split for split, count in COUNTS.items() for _ in range(count)]
    return dict(zip(shuffled, names, strict=True))


def main() -> None:
    """Write the split as CSV, one row a case, in the order of the data set's index."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset_dir", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("configs/split.csv"))
    options = parser.parse_args()
    with (options.dataset_dir / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = split_of_groups([row["group"] for row in rows])
    with options.output.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, "split": chosen[row["group"]]} for row in rows)


if __name__ == "__main__":
    main()
