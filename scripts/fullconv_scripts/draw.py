"""scripts/charts: draws results anew."""

from __future__ import annotations

import sys
from pathlib import Path

from fullconv_scripts import charts, results
from fullconv_scripts.command_line import Parser


def main() -> int:
    parser = Parser(
        prog="scripts/charts", description="Draws the charts of results into DIR/charts."
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="DIR", help="with a raw.json")
    for path in parser.parse_args().results:
        try:
            found = results.load(path)
            folder = results.find_raw_file(path).parent / "charts"
            drawn = charts.draw_all(found, folder)
        except (results.BadResults, OSError) as error:
            print(f"charts: {error}", file=sys.stderr)
            return 2
        for line in drawn.missing:
            print(f"not drawn: {line}", file=sys.stderr)
        for file in drawn.files:
            print(file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
