"""Every example of the docstrings, run; the stubs, held against what they describe."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import pathlib
import unittest

import fullconv

PACKAGE = pathlib.Path(fullconv.__file__).parent


class Docs(unittest.TestCase):
    def test_examples(self):
        finder = doctest.DocTestFinder()
        runner = doctest.DocTestRunner()
        names = ["fullconv", *(f"fullconv.{home}" for home in set(fullconv._HOMES.values()))]
        for optional in ("dask",):
            if importlib.util.find_spec(optional):
                names.append(f"fullconv.{optional}")
            else:
                print(f"skipped: the examples of fullconv.{optional}, for want of {optional}")
        for name in names:
            for test in finder.find(importlib.import_module(name)):
                runner.run(test)
        results = runner.summarize()
        self.assertEqual(results.failed, 0)

    def test_everything_public_has_an_example(self):
        for name in fullconv.__all__:
            with self.subTest(name=name):
                text = inspect.getdoc(getattr(fullconv, name))
                self.assertIn("Examples\n--------\n", text)
                self.assertIn(">>> ", text)

    def test_stubs(self):
        stubs = ast.parse((PACKAGE / "__init__.pyi").read_text())
        described = {}
        for node in stubs.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                described[node.name] = node
        self.assertLessEqual(set(fullconv.__all__), set(described))
        for name, node in described.items():
            if not isinstance(node, ast.FunctionDef):
                continue
            with self.subTest(name=name):
                arguments = node.args
                stub = [a.arg for a in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
                signature = inspect.signature(getattr(fullconv, name))
                self.assertEqual(stub, list(signature.parameters))


if __name__ == "__main__":
    unittest.main()
