import os
import re
import shutil
import subprocess
import sys
import unittest

from support import ROOT, SCRIPTS, FolderTest


def table(name):
    """A table of scripts/setup: package, probe, name."""
    text = (SCRIPTS / "setup").read_text()
    rows = re.search(rf"^{name}='\n(.*?)^'", text, re.MULTILINE | re.DOTALL)[1]
    return [line.split() for line in rows.splitlines() if line.strip()]


def needed():
    return table("needed")


def peers():
    return table("peers")


def found_by_cmake():
    """What CMake files look for. Those that stand in a variable are in the lists of algorithms."""
    names = set()
    for folder in ("algorithms", "bench", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.name == "CMakeLists.txt" or path.suffix == ".cmake":
                text = re.sub(r"#.*", "", path.read_text())
                names |= set(re.findall(r"find_package\((\w+)", text))
                for required in re.findall(r"REQUIRES ([\w ]+)\)", text):
                    names |= set(required.split())
    return names - {"fullconv", "Threads"}  # ourselves, and the C library


class Packages(unittest.TestCase):
    def test_cover_what_cmake_looks_for(self):
        names = {name for _, _, name in needed() + peers()}
        self.assertGreaterEqual(len(found_by_cmake()), 8)
        self.assertEqual(found_by_cmake() - names, set())

    def test_cover_what_find_python_asks_for(self):
        text = (SCRIPTS / "find-python").read_text()
        modules = re.search(r"modules = \((.*?)\)", text)[1]
        probes = {probe for _, probe, _ in needed()}
        for module in re.findall(r'"(\w+)"', modules):
            self.assertIn(f"python:{module}", probes)

    def test_rows_are_whole(self):
        for row in needed() + peers() + table("browser"):
            self.assertEqual(len(row), 3, row)
            self.assertRegex(row[1], r"^(nothing|(command|file|header|python):\S+)$")


class FindPython(FolderTest):
    """Among interpreters of our own making, that all have the packages of a folder."""

    def setUp(self):
        super().setUp()
        self.packages = self.folder / "packages"
        self.packages.mkdir()
        for name in ("numpy", "scipy", "pandas", "matplotlib"):
            self.package(name, "1.22.0")

    def package(self, name, version):
        (self.packages / f"{name}.py").write_text(f"__version__ = '{version}'\n")

    def python(self, name, line=f"exec '{sys.executable}' \"$@\""):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
        return path

    def find(self, first):
        return subprocess.run(
            [str(SCRIPTS / "find-python")],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": f"{self.folder}:/usr/bin:/bin",
                "PYTHONPATH": str(self.packages),
                "PYTHONDONTWRITEBYTECODE": "1",
                "FULLCONV_PYTHON": str(first),
            },
        )

    def test_the_first_on_the_path(self):
        path = self.python("python3")
        done = self.find("python3")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{path}\n", ""))

    def test_one_that_does_not_run_is_passed_over(self):
        broken, good = self.python("broken", "exit 1"), self.python("python3")
        done = self.find(broken)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f"{good}\n", ""))

    def test_an_old_numpy(self):
        path = self.python("python3")
        self.package("numpy", "1.21.5")
        done = self.find("python3")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("numpy (1.22 or newer)", done.stderr)
        self.assertEqual(done.stderr.count(f"; {path} has NumPy 1.21.5"), 1, done.stderr)

    def test_what_each_lacks(self):
        broken, bare = self.python("broken", "exit 1"), self.python("python3")
        (self.packages / "numpy.py").write_text("raise ImportError\n")
        done = self.find(broken)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"; {broken} has nothing that runs; {bare} has nothing that runs",
                      done.stderr)  # fmt: skip
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Elsewhere(FolderTest):
    """With a PATH of our own making, so that nothing is ever installed."""

    def setUp(self):
        super().setUp()
        for tool in ("sh", "awk", "grep", "sed", "dirname", "cat", "tail", "mktemp", "rm", "env"):
            (self.folder / tool).symlink_to(shutil.which(tool))
        self.log = self.folder / "log"

    def program(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def setup_script(self, *arguments):
        environment = {**os.environ, "PATH": str(self.folder)}
        environment.pop("DEBIAN_FRONTEND", None)
        return subprocess.run(
            [str(SCRIPTS / "setup"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )

    def installed(self, packages):
        """A dpkg-query that knows these packages."""
        self.program(
            "dpkg-query", f"for p in {' '.join(packages)}; do echo installed $p; done; exit 1"
        )

    def test_other_system_says_what_to_install(self):
        done = self.setup_script()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("not a Debian system", done.stderr)
        self.assertIn("  libfftw3-dev (FFTW)\n", done.stderr)
        self.assertNotIn("ca-certificates", done.stderr)

    def test_neither_root_nor_sudo(self):
        self.program("dpkg-query", "echo installed cmake; exit 1")
        self.program("apt-get", f"echo apt-get $@ >>'{self.log}'; exit 1")
        self.program("id", "echo 1000")
        done = self.setup_script()
        self.assertEqual(done.returncode, 2)
        self.assertIn("neither root nor sudo", done.stderr)
        self.assertIn("  g++ (C++20-compiler)\n", done.stderr)
        self.assertNotIn("cmake", done.stderr)
        self.assertFalse(self.log.exists())

    def test_all_is_there_already(self):
        self.installed(package for package, _, _ in needed())
        self.program("apt-get", f"echo apt-get $@ >>'{self.log}'")
        done = self.setup_script()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertFalse(self.log.exists())

    def test_installs_only_what_is_missing_and_updates_only_if_needed(self):
        self.installed(p for p, _, _ in needed() if p not in ("cmake", "libfmt-dev"))
        self.program("id", "echo 1000")
        self.program("sudo", '"$@"')
        # The first attempt fails, as on a system without package lists.
        self.program(
            "apt-get",
            f"echo $@ $DEBIAN_FRONTEND >>'{self.log}'\n"
            f"[ $1 = update ] || [ \"$(grep -c . '{self.log}')\" -gt 1 ]",
        )
        done = self.setup_script()
        self.assertEqual(done.returncode, 0, done.stderr)
        install = "install --yes --no-install-recommends cmake libfmt-dev noninteractive"
        self.assertEqual(
            self.log.read_text().splitlines(), [install, "update", install]
        )

    def test_a_failing_apt_is_shown(self):
        self.program("dpkg-query", "exit 1")
        self.program("id", "echo 1000")
        self.program("sudo", '"$@"')
        self.program("apt-get", "echo E: no network; exit 100")
        done = self.setup_script()
        self.assertEqual(done.returncode, 2)
        self.assertIn("E: no network", done.stderr)
        self.assertIn("Please install", done.stderr)

    def test_unknown_argument(self):
        done = self.setup_script("--pears")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"\Asetup: .*'--pears'.*\n\Z")

    def test_installs_peers_only_if_told_to(self):
        self.installed(package for package, _, _ in needed())
        self.program("id", "echo 1000")
        self.program("sudo", '"$@"')
        self.program("apt-get", f"echo $@ >>'{self.log}'")
        self.assertEqual(self.setup_script().returncode, 0)
        self.assertFalse(self.log.exists())

        done = self.setup_script("--peers")
        self.assertEqual(done.returncode, 0, done.stderr)
        packages = " ".join(package for package, _, _ in peers())
        self.assertEqual(
            self.log.read_text(), f"install --yes --no-install-recommends {packages}\n"
        )

    def test_without_a_browser_there_is_no_browser_test(self):
        self.installed(package for package, _, _ in needed())
        self.assertEqual(self.setup_script().returncode, 0)
        done = self.setup_script("--browser")
        self.assertEqual(done.returncode, 2)
        self.assertIn("Please install:\n  chromium (Chromium)\n", done.stderr)

    def test_a_missing_peer_is_no_failure(self):
        self.installed(p for p, _, _ in needed() + peers() if p not in ("libdnnl-dev", "octave"))
        self.program("id", "echo 1000")
        done = self.setup_script("--peers")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("not a Debian system. Going on without:\n", done.stderr)
        self.assertIn("  libdnnl-dev (oneDNN)\n  octave (Octave)\n", done.stderr)
        self.assertNotIn("torch", done.stderr)

        self.program("octave-cli", "true")
        self.program("apt-get", "exit 1")
        done = self.setup_script("--peers")
        self.assertEqual(done.returncode, 0)
        self.assertIn("neither root nor sudo", done.stderr)
        self.assertNotIn("octave (Octave)", done.stderr)

    def test_a_peer_that_apt_does_not_know_hinders_no_other(self):
        have = self.folder / "have"
        have.write_text("".join(f"installed {package}\n" for package, _, _ in needed()))
        self.program("dpkg-query", f"cat '{have}'; exit 1")
        self.program("id", "echo 1000")
        self.program("sudo", '"$@"')
        self.program(
            "apt-get",
            "case $* in\n"
            "  update) exit 0 ;;\n"
            "  *octave*) echo E: no octave; exit 100 ;;\n"
            "esac\n"
            f"while [ $# -gt 1 ]; do shift; done; echo installed $1 >>'{have}'",
        )
        done = self.setup_script("--peers")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("E: no octave", done.stderr)
        self.assertTrue(done.stderr.endswith("Going on without:\n  octave (Octave)\n"))

    def test_without_what_is_needed_peers_do_not_matter(self):
        done = self.setup_script("--peers")
        self.assertEqual(done.returncode, 2)
        self.assertIn("Please install", done.stderr)
        self.assertNotIn("Octave", done.stderr)


if __name__ == "__main__":
    unittest.main()
