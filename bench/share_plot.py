#!/usr/bin/env python3
"""Draws what each app got in the last minute, from the CSV of `limits_test "[.series]"`, as SVG."""

import csv
import sys

WIDTH, HEIGHT, MARGIN = 720, 300, 48
COLORS = ["#1b6ca8", "#e08e0b", "#b3261e", "#3a7d44"]


def main():
    rows = [row for row in csv.reader(sys.stdin) if row]
    start = next(i for i, row in enumerate(rows) if row[0] == "second")
    names = rows[start][1:]
    points = []
    for row in rows[start + 1:]:
        if not row[0].isdigit():
            break
        points.append([int(cell) for cell in row])
    last = points[-1][0]
    top = max(max(p[1:]) for p in points)

    def x(second):
        return MARGIN + (WIDTH - 2 * MARGIN) * second / last

    def y(units):
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * units / top

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for part in range(5):
        units = top * part // 4
        out.append(f'<path d="M{MARGIN} {y(units):.1f}H{WIDTH - MARGIN}" stroke="#ddd"/>')
        out.append(f'<text x="{MARGIN - 6}" y="{y(units) + 4:.1f}" '
                   f'text-anchor="end">{units}</text>')
    for second in range(0, last + 1, 60):
        out.append(f'<text x="{x(second):.1f}" y="{HEIGHT - MARGIN + 18}" '
                   f'text-anchor="middle">{second} s</text>')
    for i, name in enumerate(names):
        line = " ".join(f"{x(p[0]):.1f},{y(p[i + 1]):.1f}" for p in points)
        color = COLORS[i % len(COLORS)]
        out.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        out.append(f'<text x="{MARGIN + 100 * i}" y="20" fill="{color}">{name}</text>')
    out.append(f'<text x="{WIDTH - MARGIN}" y="20" '
               'text-anchor="end">units in the last minute</text>')
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
