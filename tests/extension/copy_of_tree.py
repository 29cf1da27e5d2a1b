"""A copy of the tree that is built with what has been compiled before."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ["FULLCONV_BUILD"])
SAME = ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "CMAKE_CXX_FLAGS")  # as in BUILD


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def setting(name):
    text = (BUILD / "CMakeCache.txt").read_text("utf-8")
    return re.search(rf"^{name}:[A-Z]+=(.*)$", text, re.MULTILINE)[1]


class CopyOfTree:
    """`folder/tree`, to be changed, and its build in `folder/build`."""

    def __init__(self, folder, *definitions):
        self.tree, self.build = folder / "tree", folder / "build"
        self.definitions = definitions
        self.compiled = []  # what was not there already
        for name in run("git", "ls-files", cwd=ROOT).splitlines():
            if (ROOT / name).is_file() and not name.startswith("results/"):
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.tree / name)
        commands = json.loads((BUILD / "compile_commands.json").read_text("utf-8"))
        self._known = {self._portable(one["command"], ROOT, BUILD) for one in commands}

    def edit(self, name, change):
        path = self.tree / name
        before = path.read_text("utf-8")
        after = change(before)
        assert after != before, f"nothing changed in {name}"
        path.write_text(after, "utf-8")

    def configure(self):
        same = [f"-D{name}={setting(name)}" for name in SAME]
        run("cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build, *same, *self.definitions)

    def make(self, *targets):
        """Builds targets as Ninja would, but takes an object from BUILD where the same command makes
        it of the same source. A registry's header, which differs, only declares."""
        listed = run("ninja", "-C", self.build, "-t", "commands", *targets)
        for command in listed.splitlines():
            if command.startswith("ninja: "):
                continue
            compiled = re.search(r" -o (\S+\.o) -c (\S+)$", command)
            if compiled and self._take(command, *compiled.groups()):
                continue
            if compiled:
                self.compiled.append(Path(compiled[2]).name)
            run("sh", "-c", command, cwd=self.build)

    def _take(self, command, made, source):
        source = Path(source)
        if not source.is_relative_to(self.tree):
            return False  # generated
        original, there = ROOT / source.relative_to(self.tree), BUILD / made
        if self._portable(command, self.tree, self.build) not in self._known or not there.exists():
            return False
        if not original.exists() or original.read_bytes() != source.read_bytes():
            return False
        target = self.build / made
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(there)
        return True

    def link(self, target):
        """Links a program of BUILD with the library of the copy, and gives its path."""
        command = run("ninja", "-C", BUILD, "-t", "commands", target).splitlines()[-1]
        made = re.search(r" -o (\S+)", command)[1]
        program = self.build / made
        command = command.replace(f" -o {made}", f" -o {program}")
        library = "algorithms/libfullconv.a"
        assert library in command, command
        run("sh", "-c", command.replace(library, str(self.build / library)), cwd=BUILD)
        return program

    @staticmethod
    def _portable(command, tree, build):
        """Without the places of tree and build, a compiler's cache in front, and dependency files."""
        command = command.replace(str(build), "BUILD").replace(str(tree), "TREE")
        command = re.sub(r" -MD -MT \S+ -MF \S+", "", command)
        # What a library brings, which may be that of a line that was deleted. `minimal` builds without.
        command = re.sub(r" (-isystem \S+|-fopenmp|-DHWY_SHARED_DEFINE)", "", command)
        return " ".join(re.sub(r"^\S*ccache ", "", command).split())


class CopyTest(unittest.TestCase):
    def copy(self, *definitions):
        folder = tempfile.TemporaryDirectory(prefix="fullconv-")
        self.addCleanup(folder.cleanup)
        return CopyOfTree(Path(folder.name), *definitions)
