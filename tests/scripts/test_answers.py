"""What a page answers: who is fastest, where, and by how much."""

import unittest

from page_case import PageTest, selection, times
from support import cell, contender, raw_file, several_cells, skipped


class Answers(PageTest):
    def answer(self, contenders, **choice):
        _, _, data = self.write(raw_file([cell("8x8_k3x3", contenders)]))
        return selection(data, **choice)["answers"][0], data

    def test_clear(self):
        answer, data = self.answer([contender("beta", times(1.0)), contender("zeta", times(1.5))])
        self.assertEqual((answer["verdict"], answer["level"]), ("clear", []))
        self.assertEqual(answer["field"], [0, 1])
        self.assertEqual(answer["next"], answer["ratios"][0])
        estimate, low, high, verdict = answer["ratios"][0]
        self.assertEqual((estimate, verdict), (1.5, "slower"))
        self.assertTrue(low <= 1.5 <= high)
        self.assertEqual(data["run"]["comparisons"], 1)

    def test_next_is_of_those_that_count(self):
        who = [contender("beta", times(1.0)), contender("zeta", times(1.5))]
        raw = raw_file([cell("8x8_k3x3", [*who, contender("alpha_one", times(0.999))])])
        for entry in raw["contenders"]:
            if entry["name"] == "alpha_one":
                entry["delegates"] = "always"
        _, _, data = self.write(raw)
        answer = selection(data)["answers"][0]
        self.assertEqual((answer["verdict"], answer["level"]), ("clear", []))
        self.assertEqual(answer["field"], [0, 2, 1])
        self.assertEqual((answer["next"][0], answer["ratios"][0][0]), (1.5, 0.999))

    def test_tie(self):
        answer, _ = self.answer([contender("beta", times(1.0)), contender("zeta", times(1.001))])
        self.assertEqual((answer["verdict"], answer["level"]), ("tie", [1]))

    def test_unresolved(self):
        noisy = [1.0, 1.2, 0.8, 1.3, 0.7, 1.1, 0.9, 1.25]
        answer, _ = self.answer([contender("beta", times(1.0)), contender("zeta", noisy)])
        self.assertEqual(answer["verdict"], "unresolved")

    def test_alone(self):
        who = [contender("beta", times(1.0)), skipped("zeta", "left out: predicted 9 s")]
        answer, _ = self.answer(who)
        self.assertEqual((answer["verdict"], answer["ratios"]), ("alone", []))
        self.assertIsNone(answer["next"])

    def test_more_threads_take_part_only_where_allowed(self):
        who = [
            contender("beta", times(2.0)),
            contender("beta", times(1.0), threads=2),
            contender("alpha_one", times(1.5)),
        ]
        answer, data = self.answer(who, threads=2)
        self.assertEqual(answer["field"], [1, 2])
        self.assertEqual(answer["others"][0][0], 0)
        self.assertEqual(selection(data, threads=1)["answers"][0]["field"], [2, 0])
        self.assertEqual(data["scaling"][0][:3], [0, 1, 2.0])

    def test_peers_apart(self):
        who = [contender("beta", times(2.0)), contender("peer_one", times(1.0))]
        _, data = self.answer(who)
        fields = {
            entry["group"]: entry["answers"][0]["field"] for entry in data["selections"]
        }
        self.assertEqual(fields, {"both": [1, 0], "ours": [0], "peers": [1]})

    def test_precision_is_that_of_the_selection(self):
        noisy = [1.0, 1.2, 0.8, 1.3, 0.7, 1.1, 0.9, 1.25]
        who = [contender("beta", times(1.0)), contender("alpha_one", times(2.0))]
        who += [contender("beta", noisy, threads=2), contender("peer_one", noisy)]
        who += [contender("peer_two", [1.0] * 8)]
        _, data = self.answer(who)
        widths = {
            (entry["threads"], entry["group"]): entry["precision"] for entry in data["selections"]
        }
        self.assertEqual(len(widths), 2 * 3)
        counts = {choice: sum(found["counts"]) for choice, found in widths.items()}
        self.assertEqual(counts, {(1, "both"): 3, (1, "ours"): 1, (1, "peers"): 1,
                                  (2, "both"): 4, (2, "ours"): 2, (2, "peers"): 1})  # fmt: skip
        self.assertLess(widths[1, "ours"]["p95"], 1e-6)
        self.assertGreater(widths[1, "peers"]["p95"], 0.05)

    def test_front(self):
        exact = contender("alpha_one", times(3.0))
        exact["counters"]["error_in_bounds"] = 0.01
        between = contender("alpha_two", times(2.0))
        answer, _ = self.answer([exact, between, contender("beta", times(1.0))])
        self.assertEqual(answer["front"], [2, 0])

    def test_floors_do_not_win(self):
        who = [contender("beta", times(1.0)), contender("empty_call", times(1e-9))]
        answer, data = self.answer(who)
        self.assertEqual(answer["field"], [0])
        self.assertEqual(len(data["rows"]["values"]), 2)

    def test_bindings_are_compared_and_do_not_win(self):
        who = [contender("beta", times(2.0)), contender("bound", times(1.0))]
        answer, data = self.answer(who)
        self.assertEqual((answer["field"], answer["verdict"]), ([0], "alone"))
        [[row, ratio]] = answer["others"]
        self.assertEqual((row, ratio[0], ratio[3]), (1, 0.5, "faster"))
        self.assertEqual(data["run"]["comparisons"], 1)

    def test_one_instruction_set_is_compared_and_does_not_win(self):
        who = [contender("beta", times(2.0)), contender("beta@AVX2", times(1.0))]
        answer, data = self.answer(who)
        self.assertEqual((answer["field"], answer["verdict"]), ([0], "alone"))
        [[row, ratio]] = answer["others"]
        self.assertEqual((row, ratio[0], ratio[3]), (1, 0.5, "faster"))
        self.assertEqual(data["contenders"][-1]["kind"], "variant")


class Forms(PageTest):
    def forms(self, cells):
        _, _, data = self.write(raw_file(cells))
        names = [entry["name"] for entry in data["contenders"]]
        return selection(data)["forms"], names

    def test_kinds_are_apart(self):
        who = [contender("beta", times(1.0)), contender("zeta", times(1.5))]
        cases = (
            "8x8_k3x3",  # a plane
            "n1_i64_o32_8x8_k3x3",
            "n1_i32_o127_9x9_k3x3_p1x1x1x1",
            "n1_i64_o4_8x8_k3x3",
            "n1_i64_o64_8x8_k3x3_s2x2",
            "n1_i64_o64_8x8_k3x3_g64",
            "n1_i64_o64_8x8_k3x3_g2",
        )
        forms, _ = self.forms([cell(case, who) for case in cases])
        kinds = [
            (*form["stride"], form["channels"], form["planes"], form["cells"]) for form in forms
        ]
        self.assertEqual(
            kinds,
            [
                (1, 1, 1, False, [3]),
                (1, 1, 32, False, [1, 2, 6]),
                (1, 1, 1, True, [5]),
                (2, 2, 32, False, [4]),
            ],
        )

    def test_best_on_average_of_those_that_ran_on_all(self):
        first = [contender("beta", times(1.0)), contender("zeta", times(2.0))]
        second = [contender("beta", times(1.5)), contender("zeta", times(1.0))]
        forms, names = self.forms(
            [
                cell("n1_i64_o64_8x8_k3x3", [*first, contender("alpha_one", times(0.5))]),
                cell("n1_i64_o64_9x9_k3x3", second),
            ]
        )
        (form,) = forms
        self.assertEqual((form["channels"], form["below"]), (32, 128))
        self.assertEqual(names[form["best"]], "beta")
        self.assertEqual(names[form["next"][0]], "zeta")
        self.assertAlmostEqual(form["next"][1], (2.0 / 1.5) ** 0.5, places=2)

    def test_nobody_ran_on_all(self):
        forms, _ = self.forms(
            [
                cell("n1_i64_o64_8x8_k3x3", [contender("beta", times(1.0))]),
                cell("n1_i64_o64_9x9_k3x3", [contender("zeta", times(1.0))]),
            ]
        )
        self.assertEqual(forms, [])


class Headline(PageTest):
    def headline(self, raw, **choice):
        _, found, data = self.write(raw)
        return selection(data, **choice)["headline"]

    def test_one_that_is_always_fastest(self):
        lines = self.headline(raw_file(several_cells()))
        self.assertEqual(lines[0], "Take `beta`: the fastest everywhere.")
        self.assertIn("Of 9 single-plane problems, `beta` is clearly fastest on 9.", lines)
        self.assertIn("For layers take `beta`: the fastest on the one problem here.", lines)

    def test_two_that_share(self):
        cells = []
        for side in (3, 5, 9, 15):
            small, large = (1.0, 3.0) if side < 9 else (3.0, 1.0)
            who = [contender("beta", times(small)), contender("alpha_one", times(large))]
            cells.append(cell(f"64x64_k{side}x{side}", who))
        first = self.headline(raw_file(cells))[0]
        self.assertEqual(
            first,
            "Take `beta` for kernels up to 5×5 and `alpha_one` for larger ones: "
            "the fastest everywhere.",
        )

    def test_it_is_in_the_page_without_scripts(self):
        text, _, _ = self.write(raw_file(several_cells()))
        self.assertIn("<p>Take <code>beta</code>: the fastest everywhere.</p>", text)


if __name__ == "__main__":
    unittest.main()
