import json
import unittest

from support import LIARS, CliTest, algorithms, names


class List(CliTest):
    def test_table_has_a_row_for_each(self):
        lines = self.assert_fine(self.run_cli("list")).stdout.decode().splitlines()
        self.assertTrue(lines[0].startswith("name "))
        self.assertEqual([line.split()[0] for line in lines[1:]], names())
        for line, algorithm in zip(lines[1:], algorithms()):
            for scalar in algorithm["scalars"]:
                self.assertIn(f" {scalar} ", line)
            self.assertTrue(line.endswith("  " + algorithm["summary"]))

    def test_table_columns_are_aligned(self):
        lines = self.assert_fine(self.run_cli("list")).stdout.decode().splitlines()
        for title in ("scalars", "threads", "error model", "NaN and Inf", "summary"):
            column = lines[0].index(title)
            for line in lines:
                self.assertEqual(line[column - 2 : column], "  ")
                self.assertNotEqual(line[column], " ")

    def test_json(self):
        found = json.loads(self.assert_fine(self.run_cli("list", "--json")).stdout)
        self.assertGreater(len(found), 0)
        for algorithm in found:
            self.assertEqual(
                list(algorithm),
                ["name", "kind", "scalars", "summary", "error_model", "non_finite", "threaded"],
            )
            self.assertEqual(algorithm["kind"], "ours")
            self.assertLessEqual(set(algorithm["scalars"]), {"f32", "f64"})
            self.assertIn(algorithm["error_model"], ("componentwise", "normwise"))
            self.assertIn(algorithm["non_finite"], ("as_defined", "multiplies_padding", "spreads"))
            self.assertIsInstance(algorithm["threaded"], bool)
            self.assertNotIn("\n", algorithm["summary"])
        self.assertEqual(len(set(names())), len(found))

    def test_scalars_are_those_that_are_offered(self):
        offered = {algorithm["name"]: algorithm["scalars"] for algorithm in algorithms(LIARS)}
        self.assertEqual(offered["only_f64"], ["f64"])
        self.assertEqual(offered["honest"], ["f32", "f64"])

    def test_peers_keep_ours(self):
        with_peers = json.loads(self.assert_fine(self.run_cli("list", "--json", "--peers")).stdout)
        ours = [algorithm for algorithm in with_peers if algorithm["kind"] == "ours"]
        self.assertEqual(ours, algorithms())
        self.assert_fine(self.run_cli("list", "--peers"))

    def test_help_and_version(self):
        for arguments in (["--help"], ["list", "--help"], ["convolve", "-h"], ["check", "--help"]):
            with self.subTest(arguments):
                self.assertIn(b"Usage: ", self.assert_fine(self.run_cli(*arguments)).stdout)
        self.assertRegex(
            self.assert_fine(self.run_cli("--version")).stdout, rb"\Afullconv \d+\.\d+\.\d+\n\Z"
        )


if __name__ == "__main__":
    unittest.main()
