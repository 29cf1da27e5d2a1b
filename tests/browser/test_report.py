"""The report in headless Chromium: what only a browser can tell."""

from __future__ import annotations

import unittest

from browser_case import PHONE, WIDE, BrowserTest, several
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import support
import synthetic
from synthetic import Run


class Drawing(BrowserTest):
    def test_everything_is_drawn(self):
        self.open(several())
        for section in ("time", "roofline", "accuracy", "memory", "threads", "layers"):
            marks = self.all(f"#{section} svg .mark")
            self.assertGreater(len(marks), 5, section)
        for section in ("ranking", "networks", "forms", "modes", "fairness", "audit", "cells"):
            self.assertGreater(len(self.all(f"#{section} tbody tr")), 1, section)
        self.assertGreater(len(self.all("#steps .part")), 5)
        self.assertEqual(self.all("main .nothing"), [])
        audit = self.one("#audit").text
        self.assertIn("✗ missed", audit)
        self.assertIn("1 of 2 targets met; missed: a handicap of 3 % found", audit)
        self.assertIn("8x8_k3x3 cold: fullconv_bench: exit code -9", self.one("#caveats").text)
        tip = self.one("#roofline .mark[data-tip]").get_dom_attribute("data-tip")
        self.assertRegex(tip, r"GFLOP/s, [\d.]+ % of the peak, [\d.]+ % of the roofline")

    def test_little_is_no_error(self):
        one = Run(["512x512_k7x7"], scalars=("f32",), threads=(1,), blocks=8)
        nothing = synthetic.raw(Run([]))
        skipped = support.raw_file(
            [support.cell("8x8_k5x5", [support.skipped("beta", "declined: no")])]
        )
        failed = support.raw_file(
            [support.cell("8x8_k5x5", [])], failures=[{"job": "8x8_k5x5", "reason": "it died"}]
        )
        ours = Run(["8x8_k3x3", "64x64_k3x3"], models=synthetic.ours(), blocks=2)
        bare = {**nothing, "environment": {}, "settings": {}, "floors": [], "contenders": []}
        runs = {
            "one cell": (synthetic.raw(one), 1),
            "no cell": ({**nothing, "status": "interrupted"}, 0),
            "nothing at all": (bare, 0),
            "skipped": (skipped, 1),
            "failed": (failed, 1),
            "layers": (synthetic.raw(Run(synthetic.LAYERS[:2], blocks=8)), 4),
            "ours, two blocks": (synthetic.raw(ours), 4),
            "oblong": (synthetic.raw(Run(["17x31_k4x9"], blocks=8)), 2),
        }
        for name, (raw, cells) in runs.items():
            with self.subTest(name):
                self.open(raw)
                self.assert_quiet()
                self.assertEqual(len(self.all(".cell-row")), cells)
                self.assertTrue(self.one("#headline p").text)
                self.assertNotRegex(self.one("main").text, r"undefined|NaN|null|Infinity")

    def test_numbers_are_whole(self):
        self.open(several())
        self.run_script("document.querySelectorAll('button.open').forEach((b) => b.click())")
        self.assertNotRegex(self.one("body").text, r"undefined|NaN|\bnull\b|Infinity|\[object")

    def test_end_labels_do_not_overlap(self):
        self.open(several())
        gaps = self.run_script(
            "return [...document.querySelectorAll('#time svg')].map((svg) => {"
            "  const ys = [...svg.querySelectorAll('.end-text')].map((t) => +t.getAttribute('y'));"
            "  ys.sort((a, b) => a - b);"
            "  return Math.min(99, ...ys.slice(1).map((y, i) => y - ys[i]));"
            "})"
        )
        self.assertGreater(len(gaps), 3)
        self.assertGreater(min(gaps), 11)

    def test_paper_is_light_and_open(self):
        self.open(several(), dark=True)
        dark = self.run_script("return getComputedStyle(document.body).backgroundColor")
        self.media("print", scheme="dark")
        self.run_script("window.dispatchEvent(new Event('beforeprint'))")
        paper = self.run_script("return getComputedStyle(document.body).backgroundColor")
        self.assertEqual(paper, "rgb(255, 255, 255)")
        self.assertNotEqual(paper, dark)
        self.assertFalse(self.one(".bar").is_displayed())
        self.assertTrue(all(e.get_attribute("open") for e in self.all("main details")))


class Map(BrowserTest):
    def test_filters_change_it(self):
        self.open(several())
        seen = [(self.labels(), self.one("#headline").text)]
        for value in ("peers", "1", "f64", "ours"):
            self.choose(value)
            seen.append((self.labels(), self.one("#headline").text))
        for (before, _), (after, _) in zip(seen, seen[1:]):
            self.assertEqual(before.keys(), after.keys())
            self.assertNotEqual(before, after)
        self.assertEqual(len({headline for _, headline in seen[:2]}), 2)
        peers = "opencv|onednn|eigen|armadillo|scipy|torch|octave"
        self.assertRegex(seen[1][1], peers)
        self.assertNotRegex(seen[4][1], peers)

    def test_verdicts_look_different(self):
        clear = [1.0, 1.01, 1.02, 1.0, 1.01, 1.02, 1.0, 1.01]
        near = [value * 1.001 for value in clear]
        wild = [1.3, 0.8, 1.2, 0.9, 1.4, 0.7, 1.0, 1.1]
        fields = {
            "8x8_k3x3": {"beta": clear, "alpha_one": [3 * value for value in clear]},
            "16x16_k3x3": {"alpha_one": clear, "beta": [3 * value for value in clear]},
            "32x32_k3x3": {"beta": clear, "alpha_one": near},
            "64x64_k3x3": {"beta": clear, "alpha_one": wild},
            "128x128_k3x3": {"beta": clear},
        }
        cells = [
            support.cell(case, [support.contender(*entry) for entry in field.items()])
            for case, field in fields.items()
        ]
        self.open(support.raw_file(cells))
        classes = self.run_script(
            "return [...document.querySelectorAll('.square[data-cell]')].map((s) =>"
            "[[...s.classList][1], getComputedStyle(s.querySelector('.ground')).fill.slice(0, 8)])"
        )
        self.assertEqual([name for name, _ in classes],
                         ["clear", "clear", "tie", "unresolved", "alone"])  # fmt: skip
        self.assertEqual([fill for _, fill in classes[2:4]], ['url("#st', 'url("#do'])
        # One boundary: between the two that are clear.
        path = self.one("#map .boundary:not(.halo)").get_attribute("d")
        self.assertEqual(path.count("M"), 1)

    def test_texts_lie_within_their_squares(self):
        names = ("convolution_by_overlapping_saves", "convolution_by_overlapping_adds")
        cells = []
        for place, size in enumerate((8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)):
            base = [1.0, 1.01, 1.02, 1.0, 1.01, 1.02, 1.0, 1.01]
            later = [value * (1.001 if place % 3 else 2) for value in base]
            who = map(support.contender, names, (base, later))
            cells.append(support.cell(f"{size}x{size}_k3x3", list(who)))
        for raw in (several(), support.raw_file(cells)):
            for size in (WIDE, PHONE):
                self.open(raw, size)
                self.assertEqual(self.texts_outside(), [], size)

    def test_codes_are_written_in_one_line(self):
        self.open(several(), PHONE)
        names = self.run_script(
            "return [...document.querySelectorAll('.square .square-name')].map((t) => t.textContent)"
        )
        codes = self.run_script("return CONTENDERS.map((contender) => contender.code)")
        self.assertTrue(names)
        self.assertLessEqual(set(names), set(codes))

    def test_intervals_lie_within_their_drawings(self):
        cases = synthetic.square_cases((8, 64, 512), (3, 7))
        self.open(synthetic.raw(Run(cases, blocks=9, noise=2)))
        count, outside = self.run_script(
            "const lines = [...document.querySelectorAll('line.whisker')];"
            "return [lines.length, lines.filter((line) => {"
            "  const box = line.ownerSVGElement.getBoundingClientRect();"
            "  const r = line.getBoundingClientRect();"
            "  return r.top < box.top - 1 || r.bottom > box.bottom + 1 || r.left < box.left - 1"
            "    || r.right > box.right + 1;"
            "}).length]"
        )
        self.assertGreater(count, 10)
        self.assertEqual(outside, 0)

    def texts_outside(self) -> list[str]:
        return self.run_script(
            "return [...document.querySelectorAll('.square[data-cell]')].filter((s) => {"
            "  const box = s.querySelector('.ground').getBoundingClientRect();"
            "  return [...s.querySelectorAll('text')].some((t) => {"
            "    const b = t.getBoundingClientRect();"
            "    return b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 2"
            "      || b.bottom > box.bottom + 2;"
            "  });"
            "}).map((s) => s.textContent)"
        )

    def test_pointing_shows_numbers_and_a_click_leads_to_the_row(self):
        self.open(several())
        square = self.one('.square[aria-label^="64 by 64, kernel 7 by 7"]')
        self.run_script("arguments[0].dispatchEvent(new PointerEvent('pointerover',"
                        " {bubbles: true, pointerType: 'mouse'}))", square)  # fmt: skip
        panel = self.one("#panel")
        self.assertIn("64x64_k7x7", panel.text)
        self.assertGreater(len(panel.find_elements(By.CSS_SELECTOR, "tbody tr")), 9)
        self.assertRegex(panel.text, r"\d – [\d.]+ µs")
        self.assertRegex(panel.text, r"14 blocks · cells\[\d+\]")
        self.run_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))",
                        square)  # fmt: skip
        self.assertTrue(self.in_view(".cell-row.found"))
        self.assertIn("64x64_k7x7", self.one(".cell-row.found").text)

    def test_keyboard(self):
        self.open(several())
        self.assertEqual(len(self.all('.square[tabindex="0"]')), 1)
        self.run_script("document.querySelector('.square[tabindex=\"0\"]').focus()")
        place = self.run_script("return document.activeElement.dataset.place")
        column, row = map(int, place.split())
        for key, expected in (
            (Keys.ARROW_LEFT, (column - 1, row)),
            (Keys.ARROW_DOWN, (column - 1, row - 1)),
            (Keys.ARROW_RIGHT, (column, row - 1)),
            (Keys.ARROW_UP, (column, row)),
        ):
            self.browser.switch_to.active_element.send_keys(key)
            place = self.run_script("return document.activeElement.dataset.place")
            self.assertEqual(tuple(map(int, place.split())), expected)
            case = self.one("#panel h3").text
            label = self.run_script("return document.activeElement.getAttribute('aria-label')")
            self.assertTrue(label.startswith(case.split("x")[0]), (label, case))
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.run_script("return document.activeElement.className"), "open")
        self.assertTrue(self.in_view(".cell-row.found"))


class Search(BrowserTest):
    def find(self, text: str) -> None:
        box = self.one("#search-box")
        box.clear()
        box.send_keys(text)

    def found(self) -> str:
        return self.one(".cell-row.found button.open").text

    def test_a_name_leads_to_its_row(self):
        self.open(several())
        self.browser.switch_to.active_element.send_keys("/")
        self.assertEqual(self.run_script("return document.activeElement.id"), "search-box")
        self.find("512x512_k7x7")
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.found(), "512x512_k7x7")
        self.assertTrue(self.in_view(".cell-row.found"))
        self.assertTrue(self.browser.current_url.endswith("#512x512_k7x7/f32"))
        inside = self.one(".inside:not([hidden])")
        self.assertGreater(len(inside.find_elements(By.CSS_SELECTOR, "tbody tr")), 9)
        self.assertRegex(inside.text, r"contenders\[\d+\]")
        self.assertRegex(inside.text, r"MiB of x, k and y · [\d.]+ operations a byte")
        head = [element.text for element in inside.find_elements(By.CSS_SELECTOR, "th[scope=col]")]
        fastest = inside.find_elements(By.CSS_SELECTOR, "table.compact tbody tr:first-child > *")
        for name in ("Of peak", "Of bandwidth", "Of roofline"):
            self.assertRegex(fastest[head.index(name)].text, r"^[\d.]+ %$")
        link = inside.find_element(By.CSS_SELECTOR, "a.trace")
        self.assertEqual(link.get_dom_attribute("href"), "raw.json")

    def test_a_part_is_enough(self):
        self.open(several())
        for text, expected in (("64 k7", "64x64_k7x7"), ("128×128_k1x", "128x128_k1x1")):
            self.find(text)
            self.browser.switch_to.active_element.send_keys(Keys.ENTER)
            self.assertEqual(self.found(), expected)

    def test_arrow_keys_choose(self):
        self.open(several())
        self.find("k15")
        self.browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
        wanted = self.one('#search-list [aria-selected="true"]').text.split()[0]
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.found(), wanted)
        self.assertEqual(wanted, "32x32_k15x15")

    def test_nothing_found_is_said(self):
        self.open(several())
        self.find("9999")
        self.assertIn("no such problem", self.one("#search-list").text)
        self.browser.switch_to.active_element.send_keys(Keys.ENTER)
        self.assertEqual(self.all(".found"), [])

    def test_an_address_leads_to_a_row(self):
        self.open(several(), place="#64x64_k7x7/f64")
        self.assertEqual(self.found(), "64x64_k7x7")
        self.assertTrue(self.in_view(".cell-row.found"))
        self.assertIn("f64", self.one(".cell-row.found").text)

    def test_the_table_shows_only_what_fits(self):
        self.open(several())
        self.one("#cell-filter").send_keys("k7 f64")
        shown = [row.text for row in self.all(".cell-row") if row.is_displayed()]
        self.assertGreater(len(shown), 3)
        self.assertTrue(all("_k7x7" in text and "f64" in text for text in shown), shown)
        self.assertRegex(self.one("#cell-count").text, rf"^{len(shown)} of \d+ cells$")


class Sizes(BrowserTest):
    def test_a_wide_window_shows_all_contents(self):
        self.open(several())
        shown, needed = self.run_script(
            "const nav = document.querySelector('.bar nav');"
            "return [nav.clientWidth, nav.scrollWidth]"
        )
        self.assertEqual(shown, needed)

    def test_a_phone_has_nothing_to_scroll_sideways(self):
        for width in (PHONE[0], 320):
            self.open(several(), (width, PHONE[1]))
            self.run_script("document.querySelector('button.open').click()")
            widths = self.run_script(
                "return [document.documentElement.scrollWidth, document.body.scrollWidth]"
            )
            self.assertEqual(widths, [width, width])
            square = self.run_script(
                "const r = document.querySelector('#map svg').getBoundingClientRect();"
                "return [r.left, r.right]"
            )
            self.assertGreaterEqual(square[0], 0)
            self.assertLessEqual(square[1], width)

    def test_drawings_follow_the_window(self):
        self.open(several())
        width = "return Number(document.querySelector('#roofline svg').getAttribute('width'))"
        wide = self.run_script(width)
        self.command("Emulation.setDeviceMetricsOverride", width=600, height=800,
                     deviceScaleFactor=1, mobile=False)  # fmt: skip
        self.browser.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 50))"
        )
        narrow = self.run_script(width)
        self.assertLess(narrow, 600)
        self.assertGreater(wide, 900)


# Contrast of texts with what is behind them, by WCAG 2: [text, ratio] where it is below 4.5.
CONTRAST = """
const parse = (text) => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  canvas.fillStyle = text;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
  return [r, g, b, a / 255];
};
const over = ([r, g, b, a], [R, G, B]) =>
  [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
const light = (colour) => {
  const [r, g, b] = colour.slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const ground = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  return parse(getComputedStyle(document.body).backgroundColor);
};
const paper = ground(document.body);
const found = [];
const check = (text, colour, behind) => {
  const ratio = contrast(over(colour, behind), behind);
  if (ratio < 4.5) found.push([text.slice(0, 40), Math.round(ratio * 10) / 10]);
};
let count = 0;
document.querySelectorAll(arguments[0]).forEach((e) => {
  count += 1;
  check(e.textContent, parse(getComputedStyle(e).color), ground(e));
});
document.querySelectorAll('.square.clear').forEach((square) => {
  const style = getComputedStyle(square.querySelector('.ground'));
  const fill = parse(style.fill);
  const behind = over([...fill.slice(0, 3), Number(style.fillOpacity)], paper);
  square.querySelectorAll('text').forEach((text) => {
    count += 1;
    check(`square ${text.textContent}`, parse(getComputedStyle(text).fill), behind);
  });
});
document.querySelectorAll('.tick, .axis-label, .panel-title, .row-note').forEach((text) => {
  count += 1;
  check(text.textContent, parse(getComputedStyle(text).fill), paper);
});
return [count, found];
"""

TEXTS = (
    "h1, h2, h3, .headline p, .headline .name-text, .provenance, .notice, section > p, th, td, "
    "small, .about, .note, #contents a, .options span, legend, .trace, #theme, dt, dd"
)


class Themes(BrowserTest):
    def assert_contrast(self):
        for group in ("both", "peers"):
            self.choose(group)
            count, found = self.run_script(CONTRAST, TEXTS)
            self.assertGreater(count, 300)
            self.assertEqual(found, [])

    def test_light(self):
        self.open(several())
        self.assert_contrast()

    def test_dark(self):
        self.open(several(), dark=True)
        ground = self.run_script("return getComputedStyle(document.body).backgroundColor")
        self.assertLess(int(ground[4:].split(",")[0]), 60)
        self.assert_contrast()

    def test_the_button_overrides_what_the_system_says(self):
        self.open(several(), dark=True)
        grounds = []
        for _ in range(4):
            style = "return getComputedStyle(document.body).backgroundColor"
            grounds.append(self.run_script(style))
            self.one("#theme").click()
        auto, light, dark, again = grounds
        self.assertEqual((light, dark, again), ("rgb(255, 255, 255)", auto, auto))
        self.assertNotEqual(light, dark)
        self.run_script("localStorage.clear()")


if __name__ == "__main__":
    unittest.main()
