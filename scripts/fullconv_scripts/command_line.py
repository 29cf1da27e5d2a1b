"""How every script takes its arguments. Only the standard library."""

from __future__ import annotations

import argparse


class Parser(argparse.ArgumentParser):
    """Answers a bad question with one line and the exit code 2."""

    def error(self, message: str):
        self.exit(2, f"{self.prog}: {message}\n")
