"""What the tests of the command line share."""

import contextlib
import io
import json
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import unittest

import numpy
import scipy.signal

CLI = os.environ["FULLCONV_CLI"]
FAULTY = os.environ["FULLCONV_FAULTY"]


def algorithms(program=CLI):
    """The registry, as objects of `list --json`."""
    listed = subprocess.run([program, "list", "--json"], check=True, capture_output=True)
    return json.loads(listed.stdout)


def names(program=CLI):
    return [algorithm["name"] for algorithm in algorithms(program)]


def random(*shape, dtype=numpy.float32, seed=0):
    """Values without any symmetry."""
    return numpy.random.default_rng((seed, *shape)).uniform(-1, 1, shape).astype(dtype)


def full_convolution(x, k):
    """y[n,c] = sum over o of x[n,o] * k[o,c] by SciPy, in double; planes are layers of one."""
    x = x.astype(numpy.float64)
    k = k.astype(numpy.float64)
    if x.ndim == 2:
        return scipy.signal.convolve2d(x, k, mode="full")
    batch, channels = x.shape[:2]
    return numpy.array(
        [
            [
                sum(full_convolution(x[n, o], k[o, c]) for o in range(channels))
                for c in range(k.shape[1])
            ]
            for n in range(batch)
        ]
    )


def to_bytes(array, version=(1, 0)):
    """The .npy file of an array, as NumPy writes it."""
    file = io.BytesIO()
    numpy.lib.format.write_array(file, array, version=version)
    return file.getvalue()


def with_header(header, data=b"", version=b"\x01\x00"):
    """A .npy file with any text for a header."""
    text = header.encode("latin-1")
    length = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + length + text + data


class CliTest(unittest.TestCase):
    """Runs programs in a folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fullconv-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def save(self, name, content):
        """Writes an array, or bytes as they are; gives the name."""
        if isinstance(content, numpy.ndarray):
            content = to_bytes(content)
        (self.folder / name).write_bytes(content)
        return name

    def load(self, name):
        return numpy.load(self.folder / name, allow_pickle=False)

    def run_cli(self, *arguments, program=CLI, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 120, **options}
        return subprocess.run([program, *map(str, arguments)], cwd=self.folder, **options)

    def files(self):
        """Each name below the folder, with its mode and what it holds."""

        def content(path):
            mode = path.lstat().st_mode
            readable = stat.S_ISREG(mode) and os.access(path, os.R_OK)
            return mode, path.read_bytes() if readable else None

        paths = self.folder.rglob("*")
        return {str(path.relative_to(self.folder)): content(path) for path in paths}

    @contextlib.contextmanager
    def no_file_changes(self):
        before = self.files()
        yield
        self.assertEqual(before, self.files())

    def assert_fine(self, result):
        self.assertEqual((result.returncode, result.stderr), (0, b""))
        return result

    def assert_error_line(self, result, *mentions):
        """Exit code 2 and one line on standard error that mentions all of those."""
        text = result.stderr.decode()
        self.assertEqual(result.returncode, 2, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("fullconv: ") and text.endswith("\n"), text)
        for mention in mentions:
            self.assertIn(str(mention), text)

    def assert_rejected(self, *arguments, mentions, **options):
        """An error line, nothing on standard output, and no file made or changed."""
        with self.no_file_changes():
            result = self.run_cli(*arguments, **options)
        self.assert_error_line(result, *mentions)
        self.assertIn(result.stdout, (b"", None))
