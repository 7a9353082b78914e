"""Write a table of random numbers to a CSV file.

Usage: python code/example.py CSV_FILEPATH
"""

import argparse
import pathlib

import numpy as np
import pandas as pd

ROWS = 10_000
COLUMNS = 500


def random_table(rows: int, columns: int) -> pd.DataFrame:
    """A table of uniform random numbers between 0 and 1, with columns named col_0, col_1, and so on."""
    numbers = np.random.default_rng().random((rows, columns))
    return pd.DataFrame(numbers, columns=[f"col_{i}" for i in range(columns)])


def main() -> None:
    """Read the path from the command line and write the table there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv_filepath", type=pathlib.Path, help="the file to write")
    path = parser.parse_args().csv_filepath

    random_table(ROWS, COLUMNS).to_csv(path, index=False)
    print(f"{path}: {ROWS} rows, {COLUMNS} columns, {path.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
