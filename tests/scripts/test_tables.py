import math
import unittest

from support import ALGORITHMS, PEERS, cell, contender, raw_file, several_cells

from fullconv_scripts import report, results
from fullconv_scripts.comparison import Ratio


def tabulated(cells, **fields):
    return results.tabulate(raw_file(cells, **fields))


def two_cells():
    """Ours takes half as long as the fastest peer, and twice as long."""
    level = [1.0, 1.001, 0.999, 1.0, 1.001, 0.999]
    times = {"8x8_k3x3": (1.0, 2.0), "9x9_k3x3": (4.0, 2.0)}
    return [
        cell(
            case,
            [
                contender("beta", [ours * t for t in level]),
                contender("alpha_one", [5 * ours * t for t in level]),
                contender("peer_one", [peer * t for t in level]),
                contender("peer_two", [3 * peer * t for t in level]),
            ],
        )
        for case, (ours, peer) in times.items()
    ]


class Texts(unittest.TestCase):
    def test_per_cent(self):
        texts = {0.0123: "1.2 %", 0.5: "50 %", 0.05: "5 %", 0.95: "95 %", 1.5: "150 %"}
        texts |= {0.99999: "99.999 %", 0.999998: "99.9998 %", math.inf: "unknown"}
        texts |= {1.0: "100 %", 1.97876615292: "198 %", 12.3456: "1230 %", 0.899: "90 %"}
        for value, text in texts.items():
            with self.subTest(value):
                self.assertEqual(report.percent_text(value), text)

    def test_ratio(self):
        self.assertEqual(report.ratio_text(Ratio(1.5, 1.4, 1.6, 9)), "1.50× (1.40–1.60)")
        self.assertEqual(report.ratio_text(Ratio(1.5, 0.0, math.inf, 2)), "1.50× (?)")
        self.assertEqual(report.ratio_text(Ratio(1.5, 1e-6, 1e6, 3)), "1.50× (?)")


class Winners(unittest.TestCase):
    def test_ours_and_the_peers_beside(self):
        lines = report.winner_table(tabulated(two_cells())).splitlines()
        self.assertIn("fastest peer", lines[0])
        self.assertRegex(lines[1], r"^8x8_k3x3 +beta +1 s +5\.0× \(5\.0–5\.0\) +- +peer_one +0\.5")
        self.assertRegex(lines[2], r"^9x9_k3x3 +beta .* peer_one +2\.0× \(2\.0–2\.0\)$")
        self.assertIn("all 12 comparisons together hold at 95 %", lines[-1])

    def test_without_peers_and_with_threads(self):
        lines = report.winner_table(tabulated(several_cells())).splitlines()
        self.assertNotIn("peer", lines[0])
        self.assertIn("at most 2 threads", lines[0])
        self.assertEqual(len(lines), 1 + 10 + 1)
        self.assertRegex(lines[1], r" 4\.0× +beta ")  # the baseline, then who wins with two

    def test_one_contender(self):
        lines = report.winner_table(tabulated([cell("8x8_k3x3", [contender("beta", [1.0] * 4)])]))
        self.assertRegex(lines.splitlines()[1], r"^8x8_k3x3 +beta +1 s +- +-$")


class Lines(unittest.TestCase):
    def test_what_can_be_relied_on(self):
        def line(*contenders):
            return report.reliance_line(tabulated([cell("8x8_k3x3", list(contenders))]))

        def times(factor, spread):
            return [factor * (1 + spread * turn) for turn in (1, -1, 1, -1, 1, -1, 1, -1)]

        fastest = contender("beta", [1.0] * 8)
        near = contender("alpha_one", times(1.15, 0.01))
        far = contender("peer_one", times(1.3, 0.1))
        together = line(fastest, near, far)
        self.assertRegex(
            together,
            r"^what ratios can be relied on to, 95 of 100 of them: between contenders within 20 % "
            r"of the fastest: ±0\.\d+ % \(±0\.\d+ % half of them\), for others: ±[89]\.\d % ",
        )
        self.assertNotIn("within 20 %", line(fastest, far))
        self.assertNotIn("others", line(fastest, near))
        # Within 20 % with one thread, though not of the fastest with two.
        with_two = contender("alpha_two", [0.5] * 8, 2)
        self.assertIn("within 20 %", line(fastest, near, with_two))
        self.assertIn("others: a factor of", line(fastest, contender("beta", times(3, 0.99), 2)))
        self.assertIn("others: not known", line(fastest, contender("peer_one", [2.0] * 2)))
        self.assertIn("nothing ran", report.reliance_line(tabulated([])))

    def test_contamination_comes_loudly(self):
        said = [["contaminated: others used 101% of a core meanwhile"], ["too hot"], [],
                ["contaminated: others used 133% of a core meanwhile",
                 "contaminated: the hypervisor took 7% of a core meanwhile"]]  # fmt: skip
        cells = [cell(f"{n + 3}x3_k1x1", [], warnings=lines) for n, lines in enumerate(said)]
        banner = report.contamination_banner(tabulated(cells))
        self.assertEqual(
            banner.splitlines()[1],
            "CONTAMINATED: other processes used 101–133 % of a core during 2 of 4 cells, "
            "the hypervisor used 7 % of a core during 1 of 4 cells. "
            "Measure again on an idle machine.",
        )
        self.assertEqual(report.contamination_banner(tabulated(cells[1:3])), "")

    def test_peers(self):
        (line,) = report.peer_lines(tabulated(two_cells()))
        self.assertIn("takes 1.00× as long as the fastest peer (geometric mean of 2 cases)", line)
        self.assertIn("faster on 1; worst: 9x9_k3x3, beta takes 2.0× (2.0–2.0)", line)
        self.assertEqual(report.peer_lines(tabulated(several_cells())), [])
        lines = report.peer_lines(tabulated(several_cells(names=(*ALGORITHMS, *PEERS))))
        self.assertEqual(len(lines), 2)  # with one thread, with at most two


if __name__ == "__main__":
    unittest.main()
