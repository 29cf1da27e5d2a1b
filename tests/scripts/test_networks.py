import re
import subprocess
import unittest
from pathlib import Path

from support import SCRIPTS

from fullconv_scripts.names import read_cases

NETWORKS = Path(SCRIPTS).parent / "bench/cases/networks"

# Multiply-adds of all convolutions for one image, in millions, as publications and libraries count
# them.
MILLIONS = {
    "vgg-16": 15347,
    "resnet-18": 1814,
    "resnet-50": 4087,
    "mobilenet-v1": 568,
    "mobilenet-v2": 300,
    "efficientnet-b0": 385,
    "convnext-t": 4450,
}


class Networks(unittest.TestCase):
    def test_files_are_what_the_script_gives(self):
        made = subprocess.run(
            [Path(SCRIPTS) / "make_networks", "--check"], capture_output=True, text=True
        )
        self.assertEqual((made.returncode, made.stderr), (0, ""))

    def test_every_layer_says_how_often_it_occurs(self):
        for path in sorted(NETWORKS.glob("*.txt")):
            with self.subTest(path.stem):
                cases = read_cases(str(path))
                self.assertEqual({case.N for case in cases}, {1, 8})
                for case, remark in cases.items():
                    self.assertRegex(remark, r"^\d+× \S", case.text)

    def test_work_is_what_publications_say(self):
        for name, millions in MILLIONS.items():
            with self.subTest(name):
                work = {1: 0, 8: 0}
                for case, remark in read_cases(str(NETWORKS / f"{name}.txt")).items():
                    times = int(re.match(r"(\d+)×", remark)[1])
                    work[case.N] += times * case.multiply_adds
                self.assertAlmostEqual(work[1] / 1e6 / millions, 1, delta=0.01)
                self.assertEqual(work[8], 8 * work[1])


if __name__ == "__main__":
    unittest.main()
