"""What may disturb a measurement is found."""

import subprocess
import sys
import time
import unittest
from unittest import mock

import support  # noqa: F401

from fullconv_scripts import caveats

CPU = "/sys/devices/system/cpu"
GOVERNOR = f"{CPU}/cpu0/cpufreq/scaling_governor"
TURBO = f"{CPU}/intel_pstate/no_turbo"
BOOST = f"{CPU}/cpufreq/boost"
QUIET = {
    GOVERNOR: "performance",
    TURBO: "1",
    "/proc/cpuinfo": "processor : 0\nflags\t\t: fpu sse avx2",
    "/proc/sys/kernel/randomize_va_space": "2",
}


class OfMachine(unittest.TestCase):
    def found(self, threads=(1, 2), files=None):
        changed = {**QUIET, **(files or {})}
        with mock.patch.object(caveats, "_read", lambda path: changed.get(path, "")):
            return caveats.of_machine({"cores": 2}, threads)

    def assert_found(self, text, **fields):
        """One line, which says this."""
        found = self.found(**fields)
        self.assertEqual(len(found), 1, found)
        self.assertIn(text, found[0])
        self.assertEqual(len(found[0].splitlines()), 1)

    def test_nothing(self):
        self.assertEqual(self.found(), [])

    def test_governor(self):
        self.assert_found("governor is 'powersave'", files={GOVERNOR: "powersave"})
        self.assertEqual(self.found(files={GOVERNOR: ""}), [])

    def test_turbo(self):
        self.assert_found("turbo is on", files={TURBO: "0"})
        self.assert_found("turbo is on", files={TURBO: "", BOOST: "1"})
        self.assertEqual(self.found(files={TURBO: "", BOOST: "0"}), [])
        self.assert_found("clocks cannot be read here", files={TURBO: "", BOOST: ""})

    def test_virtual_machine(self):
        flags = "processor : 0\nflags\t\t: fpu sse hypervisor avx2\nbugs : none"
        self.assert_found("a virtual machine", files={"/proc/cpuinfo": flags})
        name = "model name : a hypervisor\nflags : fpu"
        self.assertEqual(self.found(files={"/proc/cpuinfo": name}), [])

    def test_fixed_addresses(self):
        file = {"/proc/sys/kernel/randomize_va_space": "0"}
        self.assert_found("addresses are not randomised", files=file)

    def test_more_threads_than_cores(self):
        self.assert_found("up to 3 threads on 2 cores", threads=(1, 3))

    def test_here(self):
        for line in caveats.of_machine({"cores": 1}, (1,)):
            self.assertEqual(len(line.splitlines()), 1)


class Build(unittest.TestCase):
    def test_as_it_should_be(self):
        build = {"build_type": "Release", "assertions": "off", "omp_wait_policy": "unset"}
        self.assertEqual(caveats.of_build(build), [])
        self.assertEqual(caveats.of_build({}), [])

    def test_warns_of_the_build(self):
        for build, text in (
            ({"build_type": "Debug", "assertions": "on"}, "a Debug build"),
            ({"build_type": "Release", "assertions": "on"}, "assertions are on"),
            ({"omp_wait_policy": "ACTIVE"}, "OMP_WAIT_POLICY=active"),
        ):
            with self.subTest(build):
                (found,) = caveats.of_build(build)
                self.assertTrue(found.startswith(text), found)


class Watching(unittest.TestCase):
    """By clocks of our own: seconds of the wall, of all that works, stolen, and of ourselves."""

    def watch(self, wall, busy, stolen, own):
        with (
            mock.patch.object(caveats.time, "monotonic", side_effect=[100.0, 100.0 + wall]),
            mock.patch.object(
                caveats, "_system_seconds", side_effect=[(50.0, 5.0), (50.0 + busy, 5.0 + stolen)]
            ),
            mock.patch.object(caveats, "_own_seconds", side_effect=[7.0, 7.0 + own]),
        ):
            return caveats.Watch().warnings()

    def test_only_we_work(self):
        self.assertEqual(self.watch(wall=10, busy=19, stolen=0, own=18.5), [])

    def test_others_work(self):
        found = self.watch(wall=10, busy=15, stolen=0, own=10)
        self.assertEqual(found, ["contaminated: others used 50% of a core meanwhile"])

    def test_a_shell_is_no_other(self):
        self.assertEqual(self.watch(wall=10, busy=10.9, stolen=0, own=10), [])
        self.assertEqual(len(self.watch(wall=10, busy=11.1, stolen=0, own=10)), 1)

    def test_a_hypervisor_takes_time(self):
        found = self.watch(wall=10, busy=10, stolen=1, own=10)
        self.assertEqual(found, ["contaminated: the hypervisor took 10% of a core meanwhile"])
        self.assertEqual(self.watch(wall=10, busy=10, stolen=0.1, own=10), [])

    def test_too_short_to_tell(self):
        self.assertEqual(self.watch(wall=0.4, busy=0.8, stolen=0.4, own=0), [])


class Here(unittest.TestCase):
    """On this machine, which may be busy with other things."""

    def test_the_clocks_run(self):
        busy, stolen = caveats._system_seconds()
        self.assertGreater(busy, 0)
        self.assertGreaterEqual(stolen, 0)

    def test_a_child_that_is_not_ours(self):
        # Ours are those that have ended by the time of asking.
        child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            watch = caveats.Watch()
            time.sleep(1)
            found = watch.warnings()
        finally:
            child.kill()
            child.wait()
        self.assertRegex(found[0], r"^contaminated: others used \d+% of a core meanwhile$")

    def test_a_child_of_ours_is_counted(self):
        before = caveats._own_seconds()
        busy = "import time\nwhile time.process_time() < 0.3: pass"
        subprocess.run([sys.executable, "-c", busy], check=True)
        self.assertGreater(caveats._own_seconds() - before, 0.25)

    def test_without_the_systems_clock(self):
        with mock.patch.object(caveats, "_read", lambda path: ""):
            self.assertEqual(caveats._system_seconds(), (0, 0))


if __name__ == "__main__":
    unittest.main()
