#!/usr/bin/env python3
"""Draws who served a day, hour by hour, from the lines of `engine_test "[.day]"`, as SVG: a panel
for each way of routing, provisioned backends below, those paid by use on top."""

import csv
import sys

WIDTH, PANEL, MARGIN, GAP = 760, 130, 56, 34
PROVISIONED = 3
COLORS = ["#1b6ca8", "#4c93c6", "#8fbde0", "#e08e0b", "#f2c069"]
LABELS = ["ptu 1", "ptu 2", "ptu 3", "paid by use 1", "paid by use 2"]


def read(lines):
    ways = {}
    for row in csv.reader(line for line in lines if not line.startswith("#")):
        if len(row) != 2 + len(COLORS):
            continue
        ways.setdefault(row[0], []).append([float(cell) for cell in row[1:]])
    return ways


def panel(name, rows, begin, top):
    """One way of routing: stacked areas of tokens a minute."""
    def x(hour):
        return MARGIN + (WIDTH - 2 * MARGIN) * hour / 24

    def y(tokens):
        return begin + PANEL - PANEL * tokens / top

    out = [f'<text x="{MARGIN}" y="{begin - 8}" font-weight="bold">{name}</text>']
    lower = [0.0] * len(rows)
    for i, color in enumerate(COLORS):
        upper = [low + row[1 + i] / 10 for low, row in zip(lower, rows)]
        points = [f"{x(row[0]):.1f},{y(value):.1f}" for row, value in zip(rows, upper)]
        points += [f"{x(row[0]):.1f},{y(value):.1f}" for row, value in
                   reversed(list(zip(rows, lower)))]
        out.append(f'<polygon points="{" ".join(points)}" fill="{color}"/>')
        lower = upper
    for tokens in range(0, int(top) + 1, 120000):
        out.append(f'<text x="{MARGIN - 6}" y="{y(tokens) + 4:.1f}" '
                   f'text-anchor="end">{tokens // 1000}k</text>')
    # What the provisioned ones can do.
    line = y(60000 * PROVISIONED)
    out.append(f'<path d="M{MARGIN} {line:.1f}H{WIDTH - MARGIN}" stroke="#b3261e" '
               'stroke-dasharray="4 3"/>')
    for hour in range(0, 25, 4):
        out.append(f'<text x="{x(hour):.1f}" y="{begin + PANEL + 15}" '
                   f'text-anchor="middle">{hour}:00</text>')
    return out


def main():
    ways = read(sys.stdin)
    top = max(sum(row[1:]) / 10 for rows in ways.values() for row in rows)
    height = 40 + len(ways) * (PANEL + GAP + 14)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="white"/>']
    for i, (label, color) in enumerate(zip(LABELS, COLORS)):
        out.append(f'<rect x="{MARGIN + 130 * i}" y="8" width="12" height="12" fill="{color}"/>')
        out.append(f'<text x="{MARGIN + 130 * i + 16}" y="19">{label}</text>')
    for i, (name, rows) in enumerate(ways.items()):
        out += panel(name, rows, 56 + i * (PANEL + GAP + 14), top)
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
