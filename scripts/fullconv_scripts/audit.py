"""The audit: does the measuring tell the truth on this machine?

Each check runs the benchmark program as scripts/bench does, on contenders about which the truth is
known: a twin is the same algorithm planned a second time, a handicapped one really does so many per
cent more work. A verdict is that of the reports (equal within 2 %, else faster or slower where the
interval excludes 1, else unresolved), at 95 % for each comparison by itself: the reports, which
correct for the number of their comparisons, claim less.
"""

from __future__ import annotations

import json
import signal
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fullconv_scripts import environment, layout
from fullconv_scripts.arguments import ROOT
from fullconv_scripts.audit_checks import CHECKS, Audit, Finding
from fullconv_scripts.command_line import Parser
from fullconv_scripts.measure import Progress, now
from fullconv_scripts.programs import ProgramFailed, Programs
from fullconv_scripts.results import AUDIT_FILE_NAME, AUDIT_FORMAT, save_text

VERSION = 1


def table(findings: list[dict[str, Any]]) -> str:
    """What was found, a line and its details each."""
    lines = []
    for found in findings:
        mark = "met   " if found["met"] else "MISSED"
        lines.append(f"{mark}  {found['name']}: {found['measured']} (target: {found['target']})")
        lines.append(f"        {found['detail']}")
    return "\n".join(lines)


def _load(path: Path) -> dict[str, Any]:
    """The checks of an earlier audit, none where there is no file; ValueError if it is no audit."""
    try:
        audit = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        audit = None
    if not isinstance(audit, dict) or audit.get("format") != AUDIT_FORMAT:
        raise ValueError(f"{path}: not an audit of scripts/audit")
    return audit["checks"]


def _layout_spread(checks: dict[str, Any]) -> float:
    """0 where it has not been measured."""
    if "layout" not in checks:
        return 0.0
    return float(checks["layout"]["findings"][0]["trials"][0]["spread"])


def _merge(
    path: Path, here: dict[str, Any], scale: float, name: str, findings: list[Finding]
) -> dict[str, Any]:
    """The audit file with this check's findings in the place of earlier ones."""
    checks = _load(path)
    checks[name] = {
        "when": now(),
        "commit": here["commit"],
        "scale": scale,
        "findings": [asdict(found) for found in findings],
    }
    checks = {key: checks[key] for key in CHECKS if key in checks}
    audit = {"format": AUDIT_FORMAT, "version": VERSION, "environment": here, "checks": checks}
    if "layout" in checks:
        audit["layout"] = checks["layout"]["findings"][0]["trials"][0]
    return audit


def _parse(argv: list[str]) -> Namespace:
    description = __doc__.partition("\n")[0]
    parser = Parser(prog="scripts/audit", description=description, allow_abbrev=False)
    parser.add_argument(
        "--only", nargs="+", choices=tuple(CHECKS), default=tuple(CHECKS), help="these checks"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="S",
        help="of the number of trials: 0.1 for a first look; targets are for 1",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="results/<machine>/audit.json unless given")  # fmt: skip
    parser.add_argument("--programs", type=Path, default=ROOT / "build" / "release", metavar="DIR",
                        help="audit the programs there and build nothing")  # fmt: skip
    asked = parser.parse_args(argv)
    if not 0 < asked.scale <= 10:
        parser.error(f"--scale is {asked.scale:g}: expected a number above 0, at most 10")
    return asked


def main() -> int:
    asked = _parse(sys.argv[1:])
    here = environment.describe(ROOT)
    path = asked.out or (
        ROOT / "results" / environment.machine_slug(here["cpu"], here["cores"]) / AUDIT_FILE_NAME
    )
    progress = Progress()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        _load(path)  # before hours are spent on what cannot be kept
        for name in asked.only:
            progress.show(f"audit: {name}")
            shared = Audit(
                Programs(asked.programs.resolve()),
                asked.scale,
                lambda text: progress.refresh(f"audit: {text}"),
                _layout_spread(_load(path)),
            )
            audit = _merge(path, here, asked.scale, name, CHECKS[name](shared))
            path.parent.mkdir(parents=True, exist_ok=True)
            save_text(json.dumps(audit, indent=1, ensure_ascii=False) + "\n", path)
    except (ProgramFailed, OSError, LookupError, ValueError) as error:
        progress.clear()
        print(f"audit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.clear()
        print("audit: interrupted", file=sys.stderr)
        return 130
    progress.clear()
    findings = [found for check in audit["checks"].values() for found in check["findings"]]
    print(table(findings))
    print(f"all of it: {path}")
    return 0 if all(found["met"] for found in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
