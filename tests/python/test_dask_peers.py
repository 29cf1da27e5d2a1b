"""fullconv.dask beside what one would otherwise use: that they agree, and what is reported."""

import importlib.util
import json
import pathlib
import re
import statistics
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "bench" / "dask_peers.py"


def run(*arguments, program=(PROGRAM,)):
    return subprocess.run(
        [sys.executable, "-B", *program, *arguments],
        cwd=PROGRAM.parent,
        capture_output=True,
        text=True,
        timeout=240,
    )


class Page(unittest.TestCase):
    def test_its_table_is_that_of_the_raw_file(self):
        raw = (ROOT / "results" / "reference" / "dask_peers.jsonl").read_text()
        measured = {}
        for line in map(json.loads, raw.splitlines()):
            where = (line["size"], line["chunk"], line["workers"], line["contender"])
            measured[where] = [
                statistics.median(line["seconds"]),
                statistics.median(line["processor_seconds"]),
                statistics.median(line["sent_bytes"]) / line["size"] ** 2,
            ]
        page = (ROOT / "docs" / "large_images.md").read_text()
        rows = re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \| `(.*)` \| (.*) \|$", page, re.MULTILINE)
        self.assertEqual(len(rows), len([where for where in measured if where[3] != "nothing"]))
        for *numbers, contender, texts in rows:
            with self.subTest(numbers, contender=contender):
                seconds, processor, moved = measured[(*map(int, numbers), contender)]
                expected = [f"{seconds:#.3g} s", f"{processor:#.3g} s", f"{moved:.2f}"]
                self.assertEqual(texts.split(" | "), expected)


@unittest.skipUnless(importlib.util.find_spec("distributed"), "no distributed (python3-distributed)")
class DaskPeers(unittest.TestCase):
    def test_lines(self):
        result = run("--size=200", "--chunk=70", "--kernel=9", "--rounds=2", "--workers=2")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        names = [line["contender"] for line in lines]
        self.assertEqual(names[0], "fullconv.dask")
        self.assertIn("map_overlap oaconvolve", names)
        for line in lines:
            self.assertEqual((line["size"], line["workers"], len(line["peak_bytes"])), (200, 2, 2))
            for what in ("seconds", "processor_seconds", "tasks"):
                self.assertEqual(len(line[what]), 2)
                self.assertGreater(min(line[what]), 0)
        tasks = {line["contender"]: line["tasks"][0] for line in lines}
        self.assertLess(tasks["fullconv.dask"], tasks["map_overlap oaconvolve"])

    def test_results_that_differ(self):
        program = (
            "import dask_peers\n"
            "dask_peers.contenders = lambda x, k: {'one': lambda: x, 'two': lambda: 2 * x}\n"
            "dask_peers.main()"
        )
        result = run("--size=60", "--chunk=30", "--rounds=1", "--workers=1", program=["-c", program])
        self.assertEqual(result.returncode, 1)
        self.assertIn("results differ", result.stderr)


if __name__ == "__main__":
    unittest.main()
