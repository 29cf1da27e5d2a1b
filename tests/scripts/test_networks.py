import re
import subprocess
import unittest
from pathlib import Path

from support import SCRIPTS, FolderTest, cell, contender, raw_file

from fullconv_scripts import page_data, results
from fullconv_scripts.names import read_cases
from fullconv_scripts.networks import Network, read_networks

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


class Totals(FolderTest):
    def test_every_network_has_two_batches(self):
        networks = read_networks()
        self.assertEqual(len(networks), 22)
        self.assertIn(("ResNet-50", 8), [(network.name, network.batch) for network in networks])

    def test_layers_count_as_often_as_they_occur(self):
        network = Network("net", 1, {"8x8_k5x5": 3, "9x9_k3x3": 1})
        self.assertEqual(network.total({"8x8_k5x5": 2.0, "9x9_k3x3": 4.0, "1x1_k1x1": 9.0}), 10)
        self.assertIsNone(network.total({"8x8_k5x5": 2.0}))
        shares = network.shares({"8x8_k5x5": 2.0, "9x9_k3x3": 4.0})
        self.assertEqual(shares, [("8x8_k5x5", 0.6), ("9x9_k3x3", 0.4)])

    def test_a_layer_that_does_not_say_how_often_is_named(self):
        (self.folder / "net.txt").write_text("# Net (Some 2000)\n8x8_k5x5  # conv1\n")
        with self.assertRaisesRegex(ValueError, "'conv1' does not say how often"):
            read_networks(self.folder)

    def test_the_page_has_those_that_ran_on_every_layer(self):
        (lenet,) = (n for n in read_networks() if (n.name, n.batch) == ("LeNet-5", 1))
        layers = list(lenet.times)
        cells = [
            cell(
                layer,
                [
                    contender("alpha_one", [1.0, 1.01, 1.02, 1.03]),
                    contender("peer_one", [2.0, 2.02, 2.04, 2.06]),
                    *([contender("beta", [0.1] * 4)] if layer != layers[0] else []),
                ],
            )
            for layer in layers
        ]
        data = page_data.collect(results.tabulate(raw_file(cells)), None)
        names = [entry["name"] for entry in data["contenders"]]
        (both,) = (s for s in data["selections"] if s["group"] == "both")
        (network,) = both["networks"]
        self.assertEqual((network["name"], network["batch"], network["layers"]), ("LeNet-5", 1, 3))
        self.assertEqual([names[who] for who, _ in network["totals"]], ["alpha_one", "peer_one"])
        ratio = network["totals"][1][1] / network["totals"][0][1]
        self.assertAlmostEqual(ratio, 2, delta=0.01)
        self.assertEqual(len(network["deciding"]), 3)


if __name__ == "__main__":
    unittest.main()
