#!/usr/bin/env python3
"""Draws terminal output as an SVG: tools/term-svg.py 'COMMAND SHOWN' < output > picture.svg"""
import html
import sys

CHAR_WIDTH, LINE_HEIGHT, MARGIN, COLUMNS = 7.8, 17, 16, 118


def main():
    lines = ["$ " + sys.argv[1]] + sys.stdin.read().splitlines()
    width = int(COLUMNS * CHAR_WIDTH + 2 * MARGIN)
    height = len(lines) * LINE_HEIGHT + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-size="13" '
          f'font-family="ui-monospace, Menlo, Consolas, monospace">')
    print(f'<rect width="100%" height="100%" rx="8" fill="#14171c"/>')
    for i, line in enumerate(lines):
        if len(line) > COLUMNS:
            line = line[:COLUMNS - 1] + "…"
        colour = "#7fd68c" if i == 0 else "#f0c674" if line[:1].isdigit() else "#c8ccd4"
        y = MARGIN + (i + 1) * LINE_HEIGHT - 4
        print(f'<text x="{MARGIN}" y="{y}" fill="{colour}" xml:space="preserve">{html.escape(line)}</text>')
    print("</svg>")


main()
