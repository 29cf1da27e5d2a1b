"""What CONTRIBUTING shows works: an algorithm with an error model of its own and a peer, each one file
and one line, are known to list, conformance check, command line and benchmark."""

import json
import re
import unittest

from copy_of_tree import ROOT, CopyTest, run

PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def section(title):
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def snippets(title):
    return re.findall(r"^```cpp\n(.*?)^```", section(title), re.M | re.S)


class Add(CopyTest):
    def test_algorithm_error_model_and_peer(self):
        (algorithm,) = snippets("Adding an algorithm")
        (model,) = snippets("Adding an error model")
        (peer,) = snippets("Adding a peer")
        bound, row = re.fullmatch(r"(.*)\n( +\.error_model = .*)", model, re.S).groups()
        algorithm = algorithm.replace("}  // namespace\n", f"{bound}\n}}  // namespace\n", 1)
        algorithm = algorithm.replace("    .error_model = ErrorModel::componentwise,\n", row)
        self.assertIn("all_taps", algorithm)

        copy = self.copy()
        (copy.tree / "algorithms/direct/scatter.cpp").write_text(algorithm, "utf-8")
        (copy.tree / "bench/peers/plain_loops.cpp").write_text(peer, "utf-8")
        for file, line in {
            "algorithms/CMakeLists.txt": "fullconv_algorithm(direct/scatter.cpp)",
            "bench/peers/CMakeLists.txt": "fullconv_peer(plain_loops.cpp)",
        }.items():
            self.assertIn(f"    {line}\n", PAGE)
            last = "fullconv_generate_"
            copy.edit(file, lambda text: text.replace(f"\n{last}", f"\n{line}\n{last}", 1))
        copy.configure()
        copy.make("fullconv_cli", "fullconv_bench", "fullconv_tests", "fullconv_peers_tests")
        print("compiled:", ", ".join(sorted(set(copy.compiled))))
        self.build = copy.build

        listed = {entry["name"]: entry for entry in self.json("fullconv", "list", "--json", "--peers")}
        self.assertEqual(listed["scatter"]["error_model"], "all_taps")
        self.assertEqual(listed["scatter"]["kind"], "ours")
        self.assertEqual(listed["plain_loops"]["kind"], "peer")
        print("list: scatter, all_taps, plain_loops")

        table = run(self.build / "fullconv", "check", "--case", "8x8_k5x5", "--algorithm", "scatter")
        self.assertRegex(table, r"scatter +f32 .* ok\n")
        self.conform("fullconv_tests", "scatter")
        self.conform("fullconv_peers_tests", "plain_loops")

        timed = self.json(
            *("fullconv_bench", "--case", "8x8_k5x5", "--scalar", "f32", "--threads", "1"),
            *("--cell-time", "0.1", "--algorithm", "scatter", "plain_loops"),
            "--benchmark_format=json",
        )
        for name in ("scatter", "plain_loops"):
            rows = [it for it in timed["benchmarks"] if f"execute/{name}/f32/" in it["name"]]
            self.assertTrue(rows)
            for row in rows:
                self.assertGreater(row["real_time"], 0)
                self.assertLessEqual(row["error_in_bounds"], 1)
            print(f"benchmark: {name}, {len(rows)} blocks")

    def json(self, program, *words):
        return json.loads(run(self.build / program, *words))

    def conform(self, program, name):
        found = run(self.build / program, f"--gtest_filter=Conformance*/{name}_*")
        passed = int(re.search(r"^\[  PASSED  \] (\d+) test", found, re.M)[1])
        self.assertGreater(passed, 1)
        print(f"conformance: {name}, {passed} tests passed")


if __name__ == "__main__":
    unittest.main()
