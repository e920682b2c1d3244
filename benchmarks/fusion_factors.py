"""`python -m benchmarks.fusion_factors`: a likelihood with its slopes by the sparse method, by package.

A field of 48 x 51 pixels on 10 dates, correlated across pixels (24,480 unknowns), a coarse sensor on all
dates and a fine one on two. Told are processor seconds of one factor and of one likelihood with all its
slopes, the least of some runs; CHOLMOD is there where CVXOPT is installed (the extra `cholmod`).
"""

import argparse
import sys
import time

import numpy as np

import scalebridge as sb
from benchmarks.table import markdown
from scalebridge.fusion.fusion_problem import Problem, gather
from scalebridge.fusion.joint_learning import JointObjective
from scalebridge.fusion.joint_precision import make_joint
from scalebridge.fusion.sparse_factor import dissect, factor_package, factorise

EDGE, DATES = 3, 10


def make_problem(rows: int, columns: int) -> Problem:
    """Return a problem of pixels that know each other."""
    rng = np.random.default_rng(0)
    field = np.cumsum(rng.standard_normal((DATES, rows, columns)), axis=0)
    coarse = field.reshape(DATES, rows // EDGE, EDGE, columns // EDGE, EDGE).mean(axis=(2, 4))
    sensors = [
        sb.Sensor("coarse", coarse, range(DATES), footprint=EDGE, noise=0.1),
        sb.Sensor("fine", field[[2, 7]], [2, 7], noise=0.1),
    ]
    return gather(sensors, sb.FusionModel(("ar1",), "across"))


def least(work, repeats: int) -> float:
    """Return the least processor time of some runs."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--columns", type=int, default=51)
    parser.add_argument("--repeats", type=int, default=1)
    asked = parser.parse_args()
    problem = make_problem(asked.rows, asked.columns)
    values = {p.name: p.median for p in problem.parameters}
    joint = make_joint(problem, values)
    precision = joint.precision
    order, rows = dissect(precision, joint.where), []
    for package in dict.fromkeys((factor_package(), "SuperLU")):
        objective = JointObjective(problem, package)
        seconds = [
            least(lambda name=package: factorise(precision, order, name), asked.repeats),
            least(lambda one=objective: one.slopes(values), asked.repeats),
        ]
        rows.append([package, f"{precision.shape[0]:,}", *(f"{s:.2f}" for s in seconds)])
    head = ["package", "unknowns", "factor, processor s", "likelihood and slopes, processor s"]
    sys.stdout.write(markdown(head, rows) + "\n")


if __name__ == "__main__":
    main()
