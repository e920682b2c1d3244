"""The coarse interface behind an effective gradient energy, for the page."""

from scalebridge.core.upscaled import Upscaled
from scalebridge.report.tables import Row, Table
from scalebridge.report.typeset import typeset_length, typeset_number


def interface_table(result: Upscaled) -> Table | None:
    """Tension, length and width across each principal direction; None without a barrier."""
    told = result.stats.get("interface")
    if not isinstance(told, dict) or "normals" not in told:
        return None
    lengths = result.unit != "1"
    rows = []
    for row, normal in enumerate(told["normals"]):
        direction = ", ".join(typeset_number(0.0 if abs(x) < 1e-12 else float(x), 3) for x in normal)
        sizes = (float(told[name][row]) for name in ("length", "width"))
        shown = (typeset_length(n, 4) if lengths else typeset_number(n, 4) for n in sizes)
        rows.append(Row((f"({direction})", typeset_number(float(told["tension"][row]), 4), *shown)))
    unit = (", J/m²", ", J/m³") if lengths else ("", "")
    head = ("normal", f"tension{unit[0]}", "length l", "width, 10 to 90 %")
    barrier = f"{typeset_number(float(told['barrier']), 4)}{unit[1].replace(',', '')}"
    return Table(f"The coarse interface, with a barrier of {barrier}", head, rows)
