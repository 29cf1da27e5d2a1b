"""What tests of a run's page share: writing it, and reading what it holds."""

import json
from html.parser import HTMLParser

import synthetic
from support import FolderTest

from fullconv_scripts import page

# Elements that never have an end tag.
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Outline(HTMLParser):
    """Checks that elements nest, and collects what a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.wrong, self.loads, self.links = [], [], [], [], []
        self.text = {}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("src", "srcset", "data", "poster", "action"):
            if name in attributes:
                self.loads.append(attributes[name])
        if tag == "link":
            self.loads.append(attributes["href"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag not in VOID:
            self.open.append((tag, attributes.get("id", tag)))

    def handle_endtag(self, tag):
        if not self.open or self.open[-1][0] != tag:
            self.wrong.append(f"</{tag}> within {self.open[-1:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            name = self.open[-1][1]
            self.text[name] = self.text.get(name, "") + data


def outline(text):
    parser = Outline()
    parser.feed(text)
    parser.close()
    return parser


class PageTest(FolderTest):
    def write(self, raw, with_audit=False):
        """The text of the page, its outline and its data."""
        synthetic.write(self.folder / "run", raw, with_audit)
        path = page.write(self.folder / "run")
        self.assertEqual(path, self.folder / "run" / "report.html")
        text = path.read_text(encoding="utf-8")
        found = outline(text)
        return text, found, json.loads(found.text["data"])

    def assert_whole(self, text, found):
        """Valid, and needs nothing else."""
        self.assertEqual((found.open, found.wrong), ([], []))
        self.assertEqual(len(found.ids), len(set(found.ids)))
        self.assertEqual([load for load in found.loads if not load.startswith("data:,")], [])
        inner = [link[1:] for link in found.links if link.startswith("#")]
        self.assertEqual([link for link in inner if link not in found.ids], [])
        outside = {link for link in found.links if link[0] != "#"}
        self.assertEqual(outside, {"raw.json", "records.csv"})
        style = found.text["style"]
        self.assertNotRegex(style, r"@import|url\(")
        script = text.rsplit("<script>", 1)[1]
        self.assertNotRegex(script, r"https?://|fetch\(|XMLHttpRequest|import\s*\(|WebSocket")
        self.assertIn("default-src 'none'", text)


def selection(data, scalar="f32", threads=1, group="ours"):
    wanted = (scalar, threads, group)
    return next(
        entry
        for entry in data["selections"]
        if (entry["scalar"], entry["threads"], entry["group"]) == wanted
    )


def times(base):
    """Blocks that agree to within a thousandth, over which both of a pair drift."""
    return [base * drift for drift in (1, 1.01, 1.02, 1.03, 1.0, 0.99, 1.01, 1.02)]
