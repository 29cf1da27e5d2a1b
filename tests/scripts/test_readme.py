"""README says what the reference results say."""

import re
import unittest

import support  # noqa: F401
from fullconv_scripts import readme
from fullconv_scripts.arguments import ROOT


class Figures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = (ROOT / "README.md").read_text(encoding="utf-8")
        cls.prose = " ".join(cls.text.split())

    def test_the_table_is_that_of_the_run(self):
        cases = readme.cases(self.text)
        self.assertGreater(len(cases), 10)
        for row in readme.table(readme.REFERENCE / "run", cases):
            with self.subTest(row.split("|")[1]):
                self.assertIn(row, self.text)

    def test_what_a_choice_costs(self):
        folders = ("regret", "regret-avx2")
        lines = [line for name in folders for line in readme.regrets(readme.REFERENCE / name)]
        self.assertEqual(len(lines), 10)
        said = re.search(r"What a choice costs.*?calibrate`", self.prose)[0]
        for line in readme.regrets(readme.REFERENCE / "regret"):
            name, figures = line.split(": ")
            _, p95, most = figures.removesuffix(" %").split(" %, ")
            with self.subTest(name):
                self.assertIn(p95, said)
                self.assertRegex(said, rf"\b{most}\b")

    def test_pictures_are_there(self):
        pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", self.text)
        self.assertTrue(pictures)
        for picture in pictures:
            self.assertTrue((ROOT / picture).is_file(), picture)


if __name__ == "__main__":
    unittest.main()
