"""Compiled sums of the curvature of a similarity by the coefficients of a spline, in a band."""

from scalebridge.core.compiled import kernel


@kernel
def add_curvature(start, stop, piece, rows, columns, first, second, squares, band):
    """Add S_i B_k B_l B_m B_n of each point to the lower band of a symmetric matrix; S_i is xx, xy, yy.

    Points sit in the intervals `rows` and `columns` of the grid, with four basis functions an axis in `first`
    and `second`. Two control points `up` rows (0 to 3) and `side` columns (-3 to 3) apart share an entry for
    xx, xy and yy: band[piece, row, (up * 7 + side + 3) * 3 + component, column], at the lower one's place.
    """
    for i in range(start, stop):
        xx, xy, yy = squares[i, 0], squares[i, 1], squares[i, 2]
        if xx + yy <= 0.0:
            continue
        for a in range(4):
            for b in range(4):
                left = first[i, a] * second[i, b]
                for c in range(a + 1):
                    last = b + 1 if c == a else 4
                    for d in range(last):
                        part = left * first[i, c] * second[i, d]
                        # distance of control points: (a - c) rows and (b - d) columns, the latter from -3
                        place = ((a - c) * 7 + (b - d + 3)) * 3
                        k, m = rows[i] + c, columns[i] + d
                        band[piece, k, place, m] += xx * part
                        band[piece, k, place + 1, m] += xy * part
                        band[piece, k, place + 2, m] += yy * part
