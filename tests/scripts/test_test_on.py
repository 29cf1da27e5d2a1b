"""scripts/test-on, with programs of our own making in place of those that make a Debian."""

import os
import shutil
import subprocess
import unittest

from support import SCRIPTS, FolderTest

ARCHIVE = "http://archive.invalid/debian/"


class TestOn(FolderTest):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        tools = ("sh", "awk", "basename", "cat", "cp", "dirname", "env", "git", "mkdir", "mktemp")
        for tool in (*tools, "rm", "tail"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.log = self.folder / "log"
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir()
        suites = self.folder / "debootstrap" / "scripts"
        suites.mkdir(parents=True)
        for suite in ("trixie", "sid"):
            (suites / suite).write_text("")

        release = "$(. /etc/os-release && echo $VERSION_CODENAME)"
        self.program("id", "echo 0")
        self.program("apt-get", f"echo {release} Sources no; echo {release} Packages {ARCHIVE}")
        self.program("apt-config", "echo 'Acquire::Retries \"3\";'")
        self.program("apt-helper", f"echo $@ >>'{self.log}'")
        self.program(
            "debootstrap",
            f"echo debootstrap $@ >>'{self.log}'\n"
            "for folder in etc/apt/apt.conf.d etc/dpkg/dpkg.cfg.d root; do\n"
            '  mkdir -p "$4/$folder"\n'
            "done",
        )
        # Its last two arguments: the folder of the Debian and the command.
        self.program(
            "unshare",
            f"while [ $1 != sh ]; do shift; done; shift 3; folder=$1; shift\n"
            f"echo run $@ >>'{self.log}'\n"
            "[ -x \"$folder/root/fullconv/scripts/test\" ] || exit 99\n"
            "exit ${FAKE_EXIT:-0}",
        )

    def program(self, name, text):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def call(self, *arguments, **variables):
        return subprocess.run(
            [str(SCRIPTS / "test-on"), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "PATH": str(self.bin),
                "TMPDIR": str(self.temporary),
                "DEBOOTSTRAP_DIR": str(self.folder / "debootstrap"),
                **variables,
            },
        )

    def calls(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def assert_bad_question(self, done, *words):
        self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
        self.assertRegex(done.stderr, r"\Atest-on: .*\n\Z")
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(self.calls(), [])

    def test_runs_both_commands_of_a_newcomer(self):
        done = self.call("trixie")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        reached, made, ran = self.calls()
        self.assertTrue(reached.startswith(f"download-file {ARCHIVE}dists/trixie/InRelease "))
        self.assertRegex(made, rf" trixie \S.*/debian {ARCHIVE}\Z")
        self.assertEqual(ran, "run sh -c scripts/test && scripts/bench --smoke --peers")
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_exit_code_is_that_of_the_command(self):
        done = self.call("sid", "scripts/test", "-R", "fft", FAKE_EXIT="8")
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertEqual(self.calls()[-1], "run scripts/test -R fft")
        self.assertEqual(list(self.temporary.iterdir()), [])

    def test_a_folder_that_is_kept_is_used_again(self):
        folder = self.folder / "kept"
        for _ in range(2):
            done = self.call("--keep", str(folder), "sid", "true")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sum(call.startswith("debootstrap ") for call in self.calls()), 1)
        self.assertEqual(
            (folder / "etc/apt/apt.conf.d/90-host").read_text(), 'Acquire::Retries "3";\n'
        )

    def test_a_folder_of_something_else_is_left_alone(self):
        folder = self.folder / "mine"
        folder.mkdir()
        done = self.call("--keep", str(folder), "sid", "true")
        self.assertEqual(done.returncode, 2)
        self.assertIn(f"{folder} is there and was not made", done.stderr)
        self.assertEqual(list(folder.iterdir()), [])

    def test_an_archive_that_cannot_be_reached(self):
        self.program("apt-helper", "echo E: no route; exit 100")
        done = self.call("trixie")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(done.stderr.count("cannot be reached: E: no route\n"), 1, done.stderr)
        self.assertEqual(self.calls(), [])

    def test_a_debootstrap_that_fails_is_shown(self):
        self.program("debootstrap", "echo E: no keyring; exit 1")
        done = self.call("trixie")
        self.assertEqual(done.returncode, 1)
        self.assertIn("E: no keyring", done.stderr)

    def test_bad_questions(self):
        self.assert_bad_question(self.call(), "a suite")
        self.assert_bad_question(self.call("trixy"), "'trixy'")
        self.assert_bad_question(self.call("../scripts/trixie"), "'../scripts/trixie'")
        self.assert_bad_question(self.call("--kept", "trixie"), "'--kept'")
        self.assert_bad_question(self.call("--keep"), "--keep")
        self.program("id", "echo 1000")
        self.assert_bad_question(self.call("trixie"), "root")
        (self.bin / "debootstrap").unlink()
        self.assert_bad_question(self.call("trixie"), "debootstrap")


if __name__ == "__main__":
    unittest.main()
