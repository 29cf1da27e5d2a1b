import math
import unittest
from pathlib import Path
from unittest import mock

import support
import numpy as np

from fullconv_scripts import layout
from fullconv_scripts.programs import Output, ProgramFailed


def synthetic(
    between: float, within: float, drift: float = 0.0, ratios: int = 40, variants: int = 6,
    rounds: int = 5, seed: int = 3,
) -> list[np.ndarray]:  # fmt: skip
    """Logarithms of ratios, variants × rounds, with these standard deviations."""
    random = np.random.default_rng(seed)
    return [
        random.normal(0, 1)
        + random.normal(0, between, (variants, 1))
        + random.normal(0, drift, (1, rounds))
        + random.normal(0, within, (variants, rounds))
        for _ in range(ratios)
    ]


class Computation(unittest.TestCase):
    def test_by_hand(self):
        # Two variants 0.02 apart, two rounds 0.1 apart, residuals of ±0.001.
        logs = np.array([[0.01, 0.11], [-0.01, 0.09]]) + 0.001 * np.array([[1, -1], [-1, 1]])
        found = layout.components(logs)
        within = 4 * 0.001**2  # one degree of freedom
        effect = 2 * 2 * 0.01**2  # R·Σ d² / (n − 1)
        self.assertAlmostEqual(found.within, math.sqrt(within))
        self.assertAlmostEqual(found.between, math.sqrt((effect - within) / 2))
        # F(1, 1) of 100 is Student's t of 10: p = 1 − (2/π)·arctan 10.
        self.assertAlmostEqual(found.p, 1 - 2 / math.pi * math.atan(10))
        self.assertAlmostEqual(float(found.deviations.sum()), 0)
        self.assertAlmostEqual(
            math.sqrt(float(found.deviations @ found.deviations)), found.between
        )
        self.assertGreater(found.deviations[0], 0)

    def test_without_noise_deviations_are_as_they_are(self):
        logs = np.repeat([[0.0], [0.01], [0.05]], 4, axis=1)
        found = layout.components(logs)
        np.testing.assert_allclose(found.deviations, [-0.02, -0.01, 0.03], atol=1e-12)
        self.assertAlmostEqual(found.within, 0)

    def test_all_alike(self):
        found = layout.components(np.full((3, 4), 0.5))
        self.assertEqual((found.between, found.within, found.p), (0, 0, 1))

    def test_components_are_found(self):
        found = [layout.components(logs) for logs in synthetic(0.02, 0.01, drift=0.1)]
        self.assertAlmostEqual(np.mean([f.between**2 for f in found]), 0.02**2, delta=1e-4)
        self.assertAlmostEqual(np.mean([f.within**2 for f in found]), 0.01**2, delta=2e-5)

    def test_spread_is_that_of_layouts_and_not_of_noise(self):
        # The 95th percentile of |e| of normal layouts is 1.96 standard deviations.
        for within in (0.0, 0.005, 0.02):
            with self.subTest(within=within):
                found = layout.spread(synthetic(0.02, within, ratios=300))
                self.assertAlmostEqual(found, 1.96 * 0.02, delta=0.005)

    def test_spread_does_not_depend_on_the_order_of_variants(self):
        logs = synthetic(0.02, 0.01)
        self.assertAlmostEqual(layout.spread(logs), layout.spread([v[::-1] for v in logs]))

    def test_p_is_uniform_where_layouts_do_nothing(self):
        values = [layout.components(logs).p for logs in synthetic(0, 0.01, drift=0.1, ratios=2000)]
        self.assertAlmostEqual(np.mean(np.array(values) < 0.05), 0.05, delta=0.015)

    def test_chance(self):
        nothing = synthetic(0, 0.01, drift=0.1)
        chance = layout.spread_by_chance(nothing)
        self.assertAlmostEqual(layout.spread(nothing), chance, delta=0.4 * chance)
        self.assertLess(chance, 0.015)
        something = synthetic(0.03, 0.01, drift=0.1)
        self.assertGreater(layout.spread(something), 1.2 * layout.spread_by_chance(something))


class Summary(unittest.TestCase):
    def test_fields(self):
        logs = dict(zip((("a", "8x8_k3x3"), ("b", "8x8_k3x3")), synthetic(0.02, 0.001, ratios=2)))
        found = layout.summarise(logs)
        self.assertEqual((found["variants"], found["rounds"]), (6, 5))
        self.assertEqual([cell["algorithm"] for cell in found["cells"]], ["a", "b"])
        self.assertGreater(found["spread"], found["median"])
        self.assertGreater(found["median"], 0)
        ratios = np.exp(logs["a", "8x8_k3x3"].mean(axis=1))
        np.testing.assert_allclose(found["cells"][0]["ratios"], ratios, atol=1e-5)
        self.assertLess(found["cells"][0]["p"], 0.01)


COMMANDS = (
    "/usr/bin/c++ -O3 -o lib/a.cpp.o -c 'a file.cpp'",
    ": && cmake -E rm -f lib/liba.a && ar qc lib/liba.a  lib/a.cpp.o lib/b.cpp.o"
    " && ranlib lib/liba.a && :",
    ": && /usr/bin/c++ -O3 main.cpp.o -o bench  -Wl,-rpath,/x  lib/liba.a  /usr/lib/libz.so"
    " lib/liba.a /usr/lib/libpthread.a && :",
)


class Linking(unittest.TestCase):
    def link(self, seed: int) -> list[str]:
        random = np.random.default_rng(seed)
        return layout.shuffled_link(COMMANDS, "bench", Path("1/bench"), random)

    def test_same_parts_in_another_order(self):
        objects = {"main.cpp.o", "lib/a.cpp.o", "lib/b.cpp.o"}
        orders = set()
        for seed in range(20):
            words = self.link(seed)
            order = tuple(word for word in words if word.endswith(".o"))
            orders.add(order)
            self.assertEqual((set(order), len(order)), (objects, 3))
            rest = [word for word in words if word not in objects]
            self.assertEqual(
                rest,
                ["/usr/bin/c++", "-O3", "-o", "1/bench", "-Wl,-rpath,/x", "/usr/lib/libz.so",
                 "/usr/lib/libpthread.a"],
            )  # fmt: skip
        self.assertEqual(len(orders), 6)
        self.assertEqual(self.link(5), self.link(5))

    def test_no_such_target(self):
        with self.assertRaisesRegex(ProgramFailed, "^other: "):
            layout.shuffled_link(COMMANDS, "other", Path("x"), np.random.default_rng(1))


class Measuring(support.FolderTest):
    def test_not_a_build(self):
        with self.assertRaisesRegex(ProgramFailed, "expected a folder in which Ninja builds"):
            layout.measure(self.folder, lambda text: None)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_every_variant_runs_once_a_round(self):
        asked = []

        def fake_run(command, tick=None):
            return Output(0, "\n".join(COMMANDS).replace("bench", "fullconv_bench"), "")

        def fake_report(command, tick=None):
            program = Path(next(word for word in map(str, command) if word.endswith("_bench")))
            asked.append(int(program.parent.name))
            # Variant 3 makes `fft` 10 % slower.
            slow = 1.1 if program.parent.name == "3" else 1.0
            rows = [
                {"name": f"execute/{name}/f32/8x8_k3x3/threads:1/real_time", "block": block,
                 "position": 0, "iterations": 1, "real_time": time, "time_unit": "ns"}
                for name, time in (("clamp_bounds", 100.0), ("fft", 200.0 * slow))
                for block in range(3)
            ]  # fmt: skip
            return {"benchmarks": rows}

        with (
            mock.patch.object(layout, "run", fake_run),
            mock.patch.object(layout, "run_for_json", fake_report),
        ):
            found = layout.measure(self.folder, lambda text: None, scale=0.6, variants=4)
        self.assertEqual((found["variants"], found["rounds"]), (4, 3))
        for round_ in range(3):
            self.assertEqual(sorted(asked[4 * round_ : 4 * round_ + 4]), [1, 2, 3, 4])
        (cell,) = found["cells"]
        self.assertEqual(cell["ratios"], [2.0, 2.0, 2.2, 2.0])
        self.assertEqual(cell["algorithm"], "fft")
        self.assertAlmostEqual(found["spread"], 1.1**0.75 - 1, delta=0.02)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
