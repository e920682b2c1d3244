"""`python -m benchmarks.klinkenberg_pairs --pairs core.csv`: gas slippage of plugs beside that of pores.

A core laboratory gives the permeability of a plug to gas, Kg, and Klinkenberg's limit for a liquid, Kl, so
that Kg/Kl - 1 = b/p at the mean pressure of its test. Of a pore structure of a given shape, whatever its
size, the cell problem gives the number

    C = (dK/dslip) / sqrt(K),        so that        Kg/Kl - 1 = C x slip length / sqrt(Kl)

at first order. Here this is set beside the pairs; nothing is fitted to them. What the table of a well does
not say is gas and pressure of the tests: nitrogen at 1 atm and 25 degrees unless told otherwise. For straight
pipes C = sqrt(2 porosity) / tortuosity, for slits sqrt(3 porosity) / tortuosity.

How far pairs scatter about one smooth curve of Kl is told too: pairs that nearly lie on a curve may have been
corrected by a formula, and then say less about each plug than their number suggests.
"""

import argparse
import csv
import itertools
import math
from pathlib import Path

import numpy as np

from benchmarks.table import markdown
from scalebridge.cells.gas_slip import gas_slip
from scalebridge.core.units import DARCY

_DECADES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5)  # mD


def read_pairs(path: Path, gas: str, liquid: str, porosity: str) -> dict[str, np.ndarray]:
    """Return permeabilities to gas and liquid in mD, and porosities (NaN if missing), of complete pairs."""
    rows = [
        (float(row[gas]), float(row[liquid]), float(row[porosity] or "nan") / 100.0)
        for row in csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
        if row[gas] and row[liquid]
    ]
    return dict(zip(("gas", "liquid", "porosity"), np.array(rows).T, strict=True))


def shape_number(permeability: float, slope: float) -> float:
    """Return C of a pore structure from its permeability and the derivative by the slip length."""
    return slope / math.sqrt(permeability)


def predicted(liquid: np.ndarray, number: np.ndarray | float, length: float) -> np.ndarray:
    """Return Kg/Kl - 1 for plugs of a shape number, at a slip length in m."""
    return number * length / np.sqrt(liquid * 1e-3 * DARCY)


def power_law(liquid: np.ndarray, excess: np.ndarray) -> tuple[float, float, float]:
    """Return the exponent of excess against Kl, its standard error, and the excess at 1 mD."""
    x, y = np.log(liquid), np.log(excess)
    (slope, start), covariance = np.polyfit(x, y, 1, cov=True)
    return float(slope), math.sqrt(covariance[0, 0]), math.exp(start)


def scatter(liquid: np.ndarray, excess: np.ndarray, degree: int = 5) -> float:
    """Return the standard deviation of log excess about a smooth curve of log Kl."""
    x, y = np.log(liquid), np.log(excess)
    curve = np.polynomial.Polynomial.fit(x, y, degree)
    return float(np.std(y - curve(x), ddof=degree + 1))


def compared(
    pairs: dict[str, np.ndarray], numbers: dict[str, np.ndarray | float], length: float
) -> tuple[str, list[str]]:
    """Return a table by decades of Kl, and what is to be said of the whole."""
    excess = pairs["gas"] / pairs["liquid"] - 1
    seen = np.isfinite(excess) & (excess > 0)
    columns = {name: predicted(pairs["liquid"], number, length) for name, number in numbers.items()}
    rows = []
    for low, high in itertools.pairwise(_DECADES):
        inside = seen & (pairs["liquid"] >= low) & (pairs["liquid"] < high)
        if inside.any():
            told = [f"{np.nanmedian(column[inside]):.3f}" for column in columns.values()]
            measured = f"{np.median(excess[inside]):.3f}"
            rows.append([f"{low:g} to {high:g}", str(np.count_nonzero(inside)), measured, *told])
    head = ("Kl, mD", "pairs", "measured Kg/Kl - 1 (median)", *columns)
    liquid = pairs["liquid"]
    exponent, error, start = power_law(liquid[seen], excess[seen])
    notes = [
        f"{excess.size} pairs; in {np.count_nonzero(excess > 0)} the gas finds the plug more permeable.",
        f"Measured: Kg/Kl - 1 = {start:.3f} (Kl / mD)^({exponent:.3f} ± {error:.3f}). Pores of one shape and "
        "different size would have the exponent -1/2.",
        f"About one smooth curve of Kl they scatter by {100 * scatter(liquid[seen], excess[seen]):.1f} %.",
    ]
    for name, column in columns.items():
        known = seen & np.isfinite(column)
        ratio = excess[known] / column[known]
        low, middle, high = np.percentile(ratio, [16, 50, 84])
        notes.append(f"Measured over {name}: median {middle:.2f}, 68 % within {low:.2f} to {high:.2f}.")
    return markdown(head, rows), notes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.klinkenberg_pairs", description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="a CSV file with one plug a row")
    parser.add_argument(
        "--columns", nargs=3, default=["CKHG", "CKHL", "CPOR"], help="gas, liquid, porosity in %%"
    )
    parser.add_argument("--gas", default="nitrogen")
    parser.add_argument("--pressure", default="1 atm", help="mean pressure of the tests")
    parser.add_argument("--tortuosity", type=float, default=2.0**0.5, help="of the pipes and slits")
    parser.add_argument(
        "--image-number", type=float, help="C of an image: (dK/dslip) / sqrt(K), from `permeability`"
    )
    chosen = parser.parse_args()
    pairs = read_pairs(chosen.pairs, *chosen.columns)
    gas = gas_slip(chosen.gas, pressure=chosen.pressure)
    numbers: dict[str, np.ndarray | float] = {
        "pipes": np.sqrt(2 * pairs["porosity"]) / chosen.tortuosity,
        "slits": np.sqrt(3 * pairs["porosity"]) / chosen.tortuosity,
    }
    if chosen.image_number is not None:
        numbers["the image"] = chosen.image_number
    table, notes = compared(pairs, numbers, gas.slip_length)
    print(f"{gas}\n\n{table}\n")
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    main()
