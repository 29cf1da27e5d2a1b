"""A browser, and pages for it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import synthetic
from synthetic import Run

from fullconv_scripts import page
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

WIDE, PHONE = (1440, 900), (390, 844)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


def several() -> dict[str, Any]:
    """Results in which there is some of everything; of networks, LeNet-5 with batch 1."""
    cases = [*synthetic.square_cases((8, 16, 32, 64, 128, 512), (1, 3, 7, 15, 31))]
    cases += ["17x31_k4x9", *synthetic.LAYERS[:3], "n1_i64_o64_56x56_k3x3"]
    run = Run(cases, blocks=14, noise=0.003)
    return synthetic.raw(run, modes=["64x64_k7x7"], steps=["64x64_k7x7", "512x512_k7x7"])


class BrowserTest(unittest.TestCase):
    """A browser for each class; everything that a page logs or asks for is an error."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="full conv "))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        options = webdriver.ChromeOptions()
        for flag in (*FLAGS, f"--user-data-dir={cls.folder / 'profile'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver"))
        cls.browser = webdriver.Chrome(service=service, options=options)
        cls.addClassCleanup(cls.browser.quit)
        cls.pages = {}

    def open(self, raw: dict[str, Any], size=WIDE, dark=False, place="") -> None:
        """Opens the page of a raw file in a window of that size in pixels."""
        text = json.dumps(raw, sort_keys=True)
        if text not in self.pages:
            folder = self.folder / str(len(self.pages)) / "run"
            self.pages[text] = page.write(synthetic.write(folder, raw))
        self.url = self.pages[text].as_uri()
        width, height = size
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=width < 500)  # fmt: skip
        self.media(scheme="dark" if dark else "light")
        self.browser.get("about:blank")
        self.take_log()
        self.browser.get(self.url + place)
        self.addCleanup(self.assert_quiet)

    def command(self, name: str, **arguments: Any) -> Any:
        return self.browser.execute_cdp_cmd(name, arguments)

    def media(self, media="", scheme="light") -> None:
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # so that nothing glides
        ]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)

    def take_log(self) -> tuple[list[str], list[str]]:
        """What the page complained of, and what it asked the network for, since the last time."""
        said = [entry["message"] for entry in self.browser.get_log("browser")]
        asked = []
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return said, asked

    def assert_quiet(self) -> None:
        said, asked = self.take_log()
        self.assertEqual(said, [])
        own = (self.url, "about:blank", "data:")
        self.assertEqual([url for url in asked if not url.startswith(own)], [])

    def run_script(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def choose(self, value: str) -> None:
        self.run_script("document.querySelector(`input[value='${arguments[0]}']`).click()", value)

    def labels(self) -> dict[str, str]:
        """What the squares of the map say, by place."""
        squares = self.run_script(
            "return [...document.querySelectorAll('.square[data-cell]')]"
            ".map((s) => [s.dataset.place, s.getAttribute('aria-label')])"
        )
        return dict(squares)

    def in_view(self, selector: str) -> bool:
        """Whether the middle of an element is seen."""
        return self.run_script(
            "const e = document.querySelector(arguments[0]);"
            "const b = e.getBoundingClientRect();"
            "const x = Math.max(b.left, 0) + 10, y = b.top + b.height / 2;"
            "const seen = document.elementFromPoint(x, y);"
            "return seen !== null && (e.contains(seen) || seen.contains(e)) && y > 0;",
            selector,
        )
