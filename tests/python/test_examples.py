"""Every example runs, and shows what it says."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def needs(*modules):
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return unittest.skipIf(missing, "no " + ", ".join(missing))


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_example(self, name, *arguments):
        return self.run_file(EXAMPLES / name, *arguments)

    def run_file(self, path, *arguments):
        result = subprocess.run(
            [sys.executable, "-B", path, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=240,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_that_of_readme(self):
        text = (EXAMPLES.parent / "README.md").read_text("utf-8")
        (code,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
        file = self.folder / "readme.py"
        file.write_text(code + "print(y.shape, dx.shape)\n", "utf-8")
        *checked, shapes = self.run_file(file).splitlines()
        self.assertTrue(checked[0].startswith("It is right"), checked)
        self.assertEqual(shapes, "(512, 512) (8, 32, 56, 56)")

    def test_all_are_tested(self):
        names = {path.stem for path in EXAMPLES.glob("*.py")}
        tested = {name.removeprefix("test_") for name in dir(self) if name.startswith("test_")}
        self.assertLessEqual(names, tested)

    def test_is_mine_right(self):
        lines = self.run_example("is_mine_right.py").splitlines()
        self.assertRegex(lines[0], "^ones: It is right")
        self.assertRegex(lines[1], "^random: .*head takes slices from the front.* 80 of 144 outputs")
        self.assertRegex(lines[-1], "^corrected: It is right")

    def test_conv_layer(self):
        self.assertIn("slope by backward", self.run_example("conv_layer.py"))

    @needs("matplotlib", "PIL")
    def test_deblur(self):
        self.assertIn("dB blurred", self.run_example("deblur.py", "out.png"))
        picture = (self.folder / "out.png").read_bytes()
        self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(len(picture), 20_000)

    @needs("dask")
    def test_large_images(self):
        self.assertIn("result (3030, 4030) float32", self.run_example("large_images.py"))

    @needs("nbclient", "nbformat", "ipykernel")
    def test_notebook(self):
        import nbclient
        import nbformat

        notebook = nbformat.read(EXAMPLES / "is_mine_right.ipynb", as_version=4)
        committed = [cell.get("outputs") for cell in notebook.cells]
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        nbclient.NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": self.folder}}
        ).execute()

        def texts(outputs):
            # How large rounding errors are depends on the processor.
            return [
                re.sub(r"[\de.-]+ of what", "some of what", "".join(output.get("text", "")))
                for output in outputs or []
            ]

        for cell, outputs in zip(notebook.cells, committed):
            self.assertEqual(texts(cell.get("outputs")), texts(outputs))


if __name__ == "__main__":
    unittest.main()
