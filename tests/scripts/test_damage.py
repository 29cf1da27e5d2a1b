"""Raw files that were damaged at random: scripts/report draws them or says in one line what is wrong.

    python3 test_damage.py [SEED [NUMBER]]     other damages, more of them
"""

import copy
import json
import os
import random
import subprocess
import sys
import unittest
import warnings

import synthetic
from support import SCRIPTS, FolderTest

from fullconv_scripts import page, results

SEED, NUMBER = 1, 200

# In place of what was there: other types, and numbers that nobody measures.
ODD = [
    None, True, -1, 0, 0.5, 10**18, 10**400, 1e308, float("inf"), float("-inf"), float("nan"),
    "", "x", "8x8_k3x3", "a\nb", [], [[]], ["a"], {}, {"a": 1},
]  # fmt: skip


def places(value, above=()):
    """The ways to all that a raw file holds."""
    if above:
        yield above
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from places(value[key], (*above, key))


def damage_a_value(raw, draw):
    """Takes out, repeats or replaces one value: as often near the top as deep below."""
    depth = draw.randrange(1, 7)
    *above, last = draw.choice([place for place in places(raw) if len(place) == depth])
    holder = raw
    for key in above:
        holder = holder[key]
    deed = draw.choice(("replace", "replace", "replace", "take out", "repeat"))
    if deed == "replace":
        holder[last] = copy.deepcopy(draw.choice(ODD))
    elif deed == "take out":
        del holder[last]
    elif isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]))
    else:
        holder[last] = [holder[last]]
    return f"{deed} {'.'.join(map(str, (*above, last)))}"


def damage_the_text(text, draw):
    """Cuts it off, takes a part out, or changes a character."""
    first, last = sorted(draw.randrange(len(text)) for _ in range(2))
    return draw.choice(
        (
            text[:first],
            text[:first] + text[last:],
            text[:first] + chr(draw.randrange(32, 0x250)) + text[first + 1 :],
        )
    )


def damaged(raw, number):
    """The text of a damaged file, and what was done."""
    draw = random.Random(number)
    if draw.random() < 0.2:
        return damage_the_text(results.dump(raw), draw), "text"
    raw = copy.deepcopy(raw)
    deed = damage_a_value(raw, draw)
    return json.dumps(raw), deed


class Damage(FolderTest):
    RAW = synthetic.raw(
        synthetic.Run(["8x8_k3x3", "n1_i6_o1_28x28_k5x5"], blocks=8, scalars=("f32",)),
        steps=["8x8_k3x3"],
    )

    def write(self, text):
        (self.folder / "raw.json").write_text(text, encoding="utf-8")

    def test_none_gives_a_traceback(self):
        drawn = 0
        for number in range(SEED, SEED + NUMBER):
            text, deed = damaged(self.RAW, number)
            self.write(text)
            with self.subTest(number=number, deed=deed):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of numbers that nobody measures
                        page.write(self.folder)
                    drawn += 1
                except results.BadResults as error:
                    self.assertIn(str(self.folder), str(error))
                    self.assertNotIn("\n", str(error))
                    self.assertLess(len(str(error)), 500)
        # Some take out what need not be there, most do not.
        self.assertGreater(drawn, NUMBER // 20)
        self.assertLess(drawn, NUMBER * 3 // 4)

    def test_what_cannot_be_embedded_is_said(self):
        raw = copy.deepcopy(self.RAW)
        raw["environment"]["architecture"] = float("nan")
        self.write(json.dumps(raw))
        with self.assertRaisesRegex(results.BadResults, "raw.json: malformed: ValueError: Out of"):
            page.write(self.folder)
        self.assertFalse((self.folder / "records.csv").exists())

    def test_the_script_says_it_in_one_line(self):
        raw = copy.deepcopy(self.RAW)
        raw["cells"][1]["contenders"][2]["algorithm"] = ["a list"]
        self.write(json.dumps(raw))
        done = subprocess.run(
            [str(SCRIPTS / "report"), str(self.folder)],
            capture_output=True,
            text=True,
            env={**os.environ, "FULLCONV_PYTHON": sys.executable},
        )
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(
            done.stderr,
            f"report: {self.folder / 'raw.json'}: malformed: "
            "cells[1].contenders[2].algorithm: ['a list'] is not of type 'string'\n",
        )


if __name__ == "__main__":
    SEED = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    NUMBER = int(sys.argv[2]) if len(sys.argv) > 2 else NUMBER
    unittest.main(argv=sys.argv[:1])
