import json
import unittest

from support import FAULTY, CliTest, algorithms, names


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
        for title in ("scalars", "threads", "same bits", "error model", "NaN and Inf", "summary"):
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
                [
                    *("name", "kind", "scalars", "summary", "error_model", "non_finite"),
                    *("threaded", "same_bits", "layers", "prepares", "binding", "delegates"),
                    *("version", "ledger"),
                ],
            )
            self.assertEqual(algorithm["kind"], "ours")
            self.assertEqual(algorithm["version"], "")
            self.assertLessEqual(set(algorithm["scalars"]), {"f32", "f64"})
            self.assertRegex(algorithm["error_model"], "^[a-z_]+$")
            self.assertIn(algorithm["non_finite"], ("as_defined", "multiplies_padding", "spreads"))
            self.assertIsInstance(algorithm["threaded"], bool)
            self.assertIsInstance(algorithm["same_bits"], bool)
            self.assertIn(algorithm["layers"], ("adapted", "native"))
            self.assertIsInstance(algorithm["prepares"], bool)
            self.assertIn(algorithm["delegates"], ("never", "sometimes", "always"))
            self.assertNotIn("\n", algorithm["summary"])
        self.assertEqual(len(set(names())), len(found))

    def test_those_that_choose_say_so(self):
        delegates = {algorithm["name"]: algorithm["delegates"] for algorithm in algorithms()}
        self.assertEqual(delegates["auto"], "always")
        self.assertEqual(delegates["clamp_bounds"], "never")

    def test_scalars_are_those_that_are_offered(self):
        offered = {algorithm["name"]: algorithm["scalars"] for algorithm in algorithms(FAULTY)}
        self.assertEqual(offered["only_f64"], ["f64"])
        self.assertEqual(offered["correct"], ["f32", "f64"])

    def test_peers_keep_ours_and_say_what_they_are(self):
        with_peers = json.loads(self.assert_fine(self.run_cli("list", "--json", "--peers")).stdout)
        ours = [algorithm for algorithm in with_peers if algorithm["kind"] == "ours"]
        self.assertEqual(ours, algorithms())
        peers = with_peers[len(ours) :]
        self.assertLessEqual({peer["kind"] for peer in peers}, {"peer"})
        bindings = [peer["name"] for peer in peers if peer["binding"]]
        self.assertEqual(bindings, ["fullconv_python"] if peers else [])
        for peer in peers:
            with self.subTest(peer["name"]):
                self.assertNotEqual(peer["version"], "")
                self.assert_is_ledger(peer["ledger"])

    def assert_is_ledger(self, ledger):
        inclusions = ("plan", "allocation", "kernel_transform", "layout_change", "language_call")
        self.assertEqual(list(ledger), [*inclusions, "precision", "note"])
        for part in inclusions:
            self.assertIn(ledger[part], ("none", "outside", "inside"))
        self.assertNotIn("\n", ledger["note"])

    def test_table_of_peers_has_versions(self):
        lines = self.assert_fine(self.run_cli("list", "--peers")).stdout.decode().splitlines()
        self.assertTrue(lines[0].endswith("version"))
        listed = json.loads(self.assert_fine(self.run_cli("list", "--json", "--peers")).stdout)
        for line, contender in zip(lines[1:], listed):
            self.assertTrue(line.startswith(contender["name"] + " "))
            self.assertTrue(line.endswith(contender["version"]))

    def test_floors_come_last(self):
        listed = json.loads(self.assert_fine(self.run_cli("list", "--json", "--floors")).stdout)
        floors = [entry["name"] for entry in listed if entry["kind"] == "floor"]
        self.assertEqual(floors, ["empty_call", "copy_operands"])
        self.assertEqual([entry["name"] for entry in listed], names() + floors)

    def test_instruction_sets_are_contenders(self):
        done = self.assert_fine(self.run_cli("list", "--json", "--instruction-sets"))
        listed = json.loads(done.stdout)
        self.assertEqual([entry["name"] for entry in listed[: len(names())]], names())
        variants = [entry["name"].split("@") for entry in listed[len(names()) :]]
        self.assertIn("direct_simd", {name for name, _ in variants})
        sets = {name: [] for name, _ in variants}
        for name, instruction_set in variants:
            sets[name].append(instruction_set)
        self.assertEqual(len(set(map(tuple, sets.values()))), 1)  # the same for all

    def test_help_and_version(self):
        for arguments in (["--help"], ["list", "--help"], ["convolve", "-h"], ["check", "--help"]):
            with self.subTest(arguments):
                self.assertIn(b"Usage: ", self.assert_fine(self.run_cli(*arguments)).stdout)
        self.assertRegex(
            self.assert_fine(self.run_cli("--version")).stdout, rb"\Afullconv \d+\.\d+\.\d+\n\Z"
        )


if __name__ == "__main__":
    unittest.main()
