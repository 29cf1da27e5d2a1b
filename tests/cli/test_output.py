"""Where and how `convolve` writes."""

import io
import os
import resource
import signal
import stat
import subprocess
import threading
import time
import unittest

import numpy

from support import FAULTY, CliTest, full_convolution, random


class Output(CliTest):
    def setUp(self):
        super().setUp()
        self.x, self.k = random(12, 9), random(3, 4)
        self.save("x.npy", self.x)
        self.save("k.npy", self.k)

    def convolve(self, output, image="x.npy", kernel="k.npy", **options):
        return self.run_cli("convolve", image, kernel, "-o", output, **options)

    def assert_written(self, y):
        numpy.testing.assert_allclose(y, full_convolution(self.x, self.k), atol=1e-5)

    def assert_not_written(self, output, *mentions, **options):
        with self.no_file_changes():
            result = self.convolve(output, **options)
        self.assert_error_line(result, *mentions)

    def device(self, name, minor):
        """A device of our own: as root, a program with a mistake would replace the system's."""
        if os.geteuid() != 0:
            return f"/dev/{name}"
        node = self.folder / name
        try:
            os.mknod(node, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
            node.open("wb").close()
        except OSError as error:
            self.skipTest(f"no device can be made here: {error}")
        return str(node)

    def test_nothing_else_is_left(self):
        self.assert_fine(self.convolve("y.npy"))
        self.assertEqual(set(self.files()), {"x.npy", "k.npy", "y.npy"})

    def test_permissions_are_those_of_a_created_file(self):
        self.assert_fine(self.convolve("y.npy", preexec_fn=lambda: os.umask(0o027)))
        self.assertEqual(stat.S_IMODE((self.folder / "y.npy").stat().st_mode), 0o640)

    def test_permissions_of_a_replaced_file_stay(self):
        self.save("y.npy", b"old")
        (self.folder / "y.npy").chmod(0o604)
        self.assert_fine(self.convolve("y.npy"))
        self.assertEqual(stat.S_IMODE((self.folder / "y.npy").stat().st_mode), 0o604)
        self.assert_written(self.load("y.npy"))

    def test_a_replaced_file_is_another_one(self):
        # Who reads the old one goes on reading the old one.
        self.save("y.npy", b"old")
        with (self.folder / "y.npy").open("rb") as reader:
            self.assert_fine(self.convolve("y.npy"))
            self.assertEqual(reader.read(), b"old")

    def test_longest_name(self):
        name = "y" * 251 + ".npy"
        self.assert_fine(self.convolve(name))
        self.assert_written(self.load(name))

    def test_symbolic_links_are_followed(self):
        (self.folder / "there").mkdir()
        for target in ("there/old.npy", "there/new.npy"):
            with self.subTest(target):
                if "old" in target:
                    self.save(target, b"old")
                link = self.folder / "link"
                link.unlink(missing_ok=True)
                link.symlink_to("second")
                (self.folder / "second").unlink(missing_ok=True)
                (self.folder / "second").symlink_to(target)
                self.assert_fine(self.convolve("link"))
                self.assertTrue(link.is_symlink())
                self.assertFalse((self.folder / target).is_symlink())
                self.assert_written(self.load(target))
        self.assertEqual({"old.npy", "new.npy"}, set(os.listdir(self.folder / "there")))

    def test_onto_an_operand(self):
        for name in ("x.npy", "k.npy"):
            with self.subTest(name):
                self.save("x.npy", self.x)
                self.save("k.npy", self.k)
                self.assert_fine(self.convolve(name))
                self.assert_written(self.load(name))

    def test_an_operand_survives_a_failure(self):
        self.assert_not_written("x.npy", "x.npy", preexec_fn=limit_file_size)

    def test_to_standard_output(self):
        result = self.assert_fine(self.convolve("/dev/stdout"))
        self.assert_written(numpy.load(io.BytesIO(result.stdout)))

    def test_to_standard_output_that_is_a_file(self):
        with (self.folder / "y.npy").open("wb") as file:
            file.write(b"before")
            file.flush()
            self.assert_fine(self.convolve("/dev/stdout", stdout=file))
        content = (self.folder / "y.npy").read_bytes()
        self.assertEqual(content[:6], b"before")
        self.assert_written(numpy.load(io.BytesIO(content[6:])))

    def test_to_a_pipe(self):
        os.mkfifo(self.folder / "pipe")
        content = []
        pipe = self.folder / "pipe"
        reader = threading.Thread(target=lambda: content.append(pipe.read_bytes()))
        reader.start()
        self.assert_fine(self.convolve("pipe"))
        reader.join()
        self.assert_written(numpy.load(io.BytesIO(content[0])))
        self.assertTrue(stat.S_ISFIFO(pipe.stat().st_mode))

    def test_to_nowhere(self):
        null = self.device("null", 3)
        self.assert_fine(self.convolve(null))
        self.assertTrue(stat.S_ISCHR(os.stat(null).st_mode))

    def test_full_device(self):
        full = self.device("full", 7)
        self.assert_not_written(full, full, "No space left on device")

    def test_full_disk(self):
        self.assert_not_written("y.npy", "y.npy", "File too large", preexec_fn=limit_file_size)
        self.save("y.npy", b"precious")
        self.assert_not_written("y.npy", "y.npy", "File too large", preexec_fn=limit_file_size)

    def test_full_standard_output(self):
        for arguments in (["list"], ["list", "--json"], ["check"], ["--help"], ["--version"]):
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                result = self.run_cli(*arguments, stdout=full)
                self.assert_error_line(result, "No space left on device")

    def test_closed_pipe_ends_quietly(self):
        read, write = os.pipe()
        os.close(read)
        with os.fdopen(write, "wb") as closed:
            result = self.run_cli("list", stdout=closed)
        self.assertEqual((result.returncode, result.stderr), (-signal.SIGPIPE, b""))

    def test_missing_directory(self):
        for output in ("missing/y.npy", "missing/", "x.npy/y.npy", ""):
            with self.subTest(output):
                self.assert_not_written(output, output or "''", "expected")

    def test_directory(self):
        (self.folder / "folder").mkdir()
        for output in ("folder", "folder/", "."):
            with self.subTest(output):
                self.assert_not_written(output, output, "directory")

    def test_dangling_and_circular_links(self):
        (self.folder / "dangling").symlink_to("missing/y.npy")
        (self.folder / "circle").symlink_to("circle")
        self.assert_not_written("dangling", "dangling", "No such file or directory")
        self.assert_not_written("circle", "circle", "symbolic links")

    def test_name_too_long(self):
        self.assert_not_written("y" * 300, "name too long")

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_without_permission(self):
        (self.folder / "closed").mkdir(mode=0o555)
        self.assert_not_written("closed/y.npy", "closed/y.npy", "Permission denied")
        self.save("y.npy", b"precious")
        (self.folder / "y.npy").chmod(0o444)
        self.assert_not_written("y.npy", "y.npy", "Permission denied")

    def test_a_path_that_cannot_be_written_is_found_before_the_work(self):
        # By the slow correct algorithm this would take minutes.
        self.save("x.npy", random(2000, 2000))
        self.save("k.npy", random(300, 300))
        self.assert_not_written("missing/y.npy", "missing/y.npy", program=FAULTY, timeout=20)

    def test_interruption_leaves_no_temporary_file(self):
        self.save("x.npy", random(2000, 2000))
        self.save("k.npy", random(300, 300))
        self.save("y.npy", b"precious")
        before = self.files()
        for number in (
            *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGABRT),
            *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU, signal.SIGPIPE),
        ):
            with self.subTest(number):
                running = subprocess.Popen(
                    [FAULTY, "convolve", "x.npy", "k.npy", "-o", "y.npy"],
                    cwd=self.folder,
                    preexec_fn=lambda: end_without_core(number),
                )
                deadline = time.monotonic() + 60
                while not list(self.folder.glob(".fullconv-*")) and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.assertTrue(list(self.folder.glob(".fullconv-*")), "there is a temporary file")
                # Until the handler is there, too: it follows within microseconds.
                time.sleep(0.05)
                running.send_signal(number)
                self.assertEqual(running.wait(60), -number)
                self.assertEqual(before, self.files())


def end_without_core(number):
    # What runs in a shell's background ignores some.
    signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_file_size():
    # CPython ignores the signal, and a child would inherit that.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))


if __name__ == "__main__":
    unittest.main()
