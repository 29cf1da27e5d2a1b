"""The report as one page: results/<machine>/<time>/report.html, beside the records that it links.

The page is a single file that loads nothing: `page/` holds its parts, Debian's node-d3 the library
that draws, and page_data what it shows. scripts/report draws the pages of results anew.
"""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

from fullconv_scripts import page_data, records, results
from fullconv_scripts.command_line import Parser

FILE_NAME = "report.html"
_PARTS = Path(__file__).parent / "page"
_SCRIPTS = (
    "base.js",
    "state.js",
    "plot.js",
    "map.js",
    "sizes.js",
    "roofline.js",
    "accuracy.js",
    "threads.js",
    "steps.js",
    "layers.js",
    "tables.js",
    "cells.js",
    "main.js",
)
_LIBRARY = Path("/usr/share/nodejs/d3/dist/d3.min.js")  # of Debian's package node-d3


def write(folder: Path) -> Path:
    """Writes the page of a results folder into it, and the records; where the page is. BadResults
    where the raw file or the audit cannot be read, OSError where something cannot be written."""
    path = results.find_raw_file(folder)
    audit = _load_audit(results.audit_path(path))
    found = results.load(path)
    with results.reading(path):
        data = page_data.collect(found, audit)
        data["run"] |= {"folder": _folder_name(path.parent), "rawName": path.name}
        text = render(data)
        records.write(found, path.parent)
    target = path.parent / FILE_NAME
    results.save_text(text, target)
    return target


def render(data: dict[str, Any]) -> str:
    """The page's text."""
    parts = {
        "title": html.escape(f"fullconv: {data['run'].get('folder', 'report')}"),
        "alarm": _alarm(data),
        "headline": _headline(data),
        "style": _part("style.css"),
        "licence": html.escape(_part("d3-licence.txt")),
        "library": _library(),
        "data": _json(data),
        "script": "\n".join(_part(name) for name in _SCRIPTS),
    }
    # One pass, so that nothing inside a part is taken for a place.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _part("template.html"))


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _library() -> str:
    """The library as packaged; its first line names its author and licence holder."""
    try:
        return _LIBRARY.read_text(encoding="utf-8").replace("</script", "<\\/script")
    except OSError as error:
        missing = f"{_LIBRARY}: {error.strerror}: please install node-d3"
        raise FileNotFoundError(missing) from None


def _json(data: dict[str, Any]) -> str:
    """JSON that may stand inside a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _alarm(data: dict[str, Any]) -> str:
    """That others used the machine, ahead of everything."""
    text = data["run"]["contamination"]
    return f'<p class="notice" role="alert">{html.escape(text)}</p>' if text else ""


def _headline(data: dict[str, Any]) -> str:
    """The first selection's sentences, for those who run no scripts."""
    selections = data["selections"]
    sentences = selections[0]["headline"] if selections else ["Nothing was measured."]
    escaped = [html.escape(sentence, quote=False) for sentence in sentences]
    coded = [re.sub(r"`([^`]*)`", r"<code>\1</code>", sentence) for sentence in escaped]
    return "\n".join(f"<p>{sentence}</p>" for sentence in coded)


def _load_audit(path: Path) -> dict[str, Any] | None:
    """The audit of the machine, None where there is none."""
    if not path.is_file():
        return None
    try:
        audit = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise results.BadResults(f"{path}: cannot be read: {error}") from None
    if not isinstance(audit, dict) or audit.get("format") != results.AUDIT_FORMAT:
        raise results.BadResults(f"{path}: not an audit of scripts/audit")
    return audit


def _folder_name(folder: Path) -> str:
    """The last two parts: machine and time."""
    return "/".join(folder.resolve().parts[-2:])


def main() -> int:
    parser = Parser(
        prog="scripts/report",
        description=f"Writes the page {FILE_NAME} of results, and {records.FILE_NAME}, into DIR.",
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="DIR", help="with a raw.json")
    for folder in parser.parse_args().results:
        try:
            print(write(folder))
        except (results.BadResults, OSError) as error:
            print(f"report: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
