"""Files of what a choice costs are read, and bad ones met with one line."""

import json
import tempfile
import unittest
from pathlib import Path

import support  # noqa: F401
from fullconv_scripts import regret

HEADER = {
    "format": "fullconv regret",
    "version": 1,
    "candidate": ["name", "forecast", "lower_quartile", "median", "upper_quartile", "count"],
}


def problem(value, **fields):
    candidates = [["fft", 1e-3, 0.9e-3, 1e-3, 1.1e-3, 8]]
    return {"problem": "8x8_k3x3", "regret": value, "candidates": candidates, **fields}


class Read(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "some.jsonl"

    def read(self, *lines):
        self.path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return regret.read(self.path)

    def test_quantiles(self):
        values = [n / 100 for n in range(101)]
        found = self.read(HEADER, *(problem(value) for value in reversed(values)))
        self.assertEqual(found.quantiles(), regret.Quantiles(0.5, 0.95, 1.0))
        self.assertEqual(len(found.problems), 101)

    def test_bad_files(self):
        three = problem(0)["candidates"][0][:3]
        for lines, mentions in (
            ((), "first line"),
            ((problem(0),), "first line"),
            (({**HEADER, "version": 2}, problem(0)), "version 1"),
            (({**HEADER, "candidate": []}, problem(0)), "candidates of name"),
            ((HEADER,), "no problem"),
            ((HEADER, problem("0.1")), "line 2: 8x8_k3x3 has no regret"),
            ((HEADER, problem(0), problem(0, candidates=[three])), "line 3: 8x8_k3x3 has a"),
        ):
            with self.subTest(mentions), self.assertRaises(regret.BadRegret) as caught:
                self.read(*lines)
            self.assertIn(mentions, str(caught.exception))
            self.assertIn(str(self.path), str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))

    def test_no_json(self):
        self.path.write_text(json.dumps(HEADER) + "\n{\n")
        with self.assertRaises(regret.BadRegret) as caught:
            regret.read(self.path)
        self.assertIn("line 2 is no JSON", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
