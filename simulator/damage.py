"""Damage to a CSV body, for the faults of rows and columns."""

from simulator.faults import Column, Row

_LINE_END = b"\r\n"


def damage_row(body: bytes, fault: Row) -> bytes:
    """The body with one row damaged."""
    lines = body.split(_LINE_END)
    header, last = lines[0], _last_row(lines)
    if fault.row > last:
        return body
    if fault.kind == "out_of_order":
        lines[fault.row], lines[last] = lines[last], lines[fault.row]
        return _LINE_END.join(lines)
    cells = lines[fault.row].split(b",")
    at = _index(header, fault.column)
    if fault.kind == "drop_cell":
        del cells[at]
    elif fault.kind == "extra_cell":
        cells.insert(at + 1, b"0")
    elif fault.kind == "nan":
        cells[at] = b"NaN"
    elif fault.kind == "non_utf8":
        cells[at] += b"\xff\xfe"
    else:
        cells[at] = cells[at][:-1] + b"%d" % ((int(cells[at][-1:]) + 1) % 10)
    lines[fault.row] = b",".join(cells)
    return _LINE_END.join(lines)


def damage_column(body: bytes, fault: Column) -> bytes:
    """The body with one column changed from the header to the last row."""
    lines = body.split(_LINE_END)
    rows = [line.split(b",") for line in lines[: _last_row(lines) + 1]]
    at = _index(lines[0], fault.column)
    if fault.kind == "column_renamed":
        rows[0][at] += b"_renamed"
    for number, cells in enumerate(rows):
        if fault.kind == "column_added":
            cells.append(b"0" if number else (fault.column or "added").encode())
        elif fault.kind == "column_missing":
            del cells[at]
        elif fault.kind == "column_moved":
            cells.append(cells.pop(at))
    return _LINE_END.join([*(b",".join(cells) for cells in rows), *lines[len(rows) :]])


def _last_row(lines: list[bytes]) -> int:
    return max(number for number, line in enumerate(lines) if line)


def _index(header: bytes, column: str | None) -> int:
    names = header.decode().split(",")
    return names.index(column) if column in names else len(names) - 1
