"""Opens pages in Chromium: at the width of a desktop and of a phone, light and dark, and in print.

Takes a folder for screenshots and the pages. A page must load nothing but itself, run no script, fit its
width, keep the labels of its charts apart and inside the chart, give every chart an accessible name, and
pass axe's rules and the contrast of WCAG 2.2 AA, also inside the charts, which axe does not check. Prints
one JSON object of facts; exits with 0 only if nothing is broken.
"""

import json
import pathlib
import shutil
import sys

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
PLACES = "/usr/local/bin:/usr/bin:/bin:/snap/bin"

chromium = next(filter(None, (shutil.which(name, path=PLACES) for name in ("chromium", "google-chrome"))), None)
if chromium is None:
    sys.exit("no Chromium: run ./tests/all, which installs it")

# Measures the page in the browser: its width, and the labels, lines and colours of each chart.
MEASURE = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const colour = text => (text.match(/[\\d.]+/g) || []).slice(0, 3).map(Number);
  const light = c => { const [r, g, b] = c.map(channel); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const back = colour(getComputedStyle(document.body).backgroundColor);
  const broken = [], linked = [];
  const shown = [...document.querySelectorAll("svg")].filter(svg => svg.checkVisibility() && svg.getBoundingClientRect().width > 0);
  for (const svg of shown) {
    const where = svg.getAttribute("aria-labelledby");
    const frame = svg.getBoundingClientRect();
    const shades = [back, ...[...svg.querySelectorAll("rect.unmeasured")].map(r => colour(getComputedStyle(r).fill))];
    const labels = [...svg.querySelectorAll("text")].filter(t => t.textContent.trim());
    const boxes = labels.map(t => [t, t.getBoundingClientRect()]);
    for (const [text, box] of boxes) {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        broken.push(`${where}: "${text.textContent}" leaves the chart`);
      if (box.height < 9) broken.push(`${where}: "${text.textContent}" is ${box.height.toFixed(1)} high`);
      for (const shade of shades) {
        const found = contrast(colour(getComputedStyle(text).fill), shade);
        if (found < 4.5) broken.push(`${where}: "${text.textContent}" has contrast ${found.toFixed(2)}`);
      }
    }
    for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
      const [a, b] = [boxes[i][1], boxes[j][1]];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 0.5 && down > 3)
        broken.push(`${where}: "${boxes[i][0].textContent}" lies on "${boxes[j][0].textContent}"`);
    }
    for (const drawn of svg.querySelectorAll(".line, .mark, .failures rect")) {
      const style = getComputedStyle(drawn);
      const ink = drawn.matches(".line") ? style.stroke : style.fill;
      for (const shade of shades) {
        const found = contrast(colour(ink), shade);
        if (found < 3) broken.push(`${where}: ${drawn.getAttribute("class")} has contrast ${found.toFixed(2)}`);
      }
    }
  }
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) broken.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest(".scrolled, svg")) continue;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.right > width + 1) broken.push(`${element.tagName} "${element.textContent.slice(0, 40)}" reaches ${box.right}`);
  }
  for (const element of document.querySelectorAll("script, link, img, iframe, object, embed, form")) broken.push(`a ${element.tagName}`);
  for (const link of document.querySelectorAll("a")) {
    const to = link.getAttribute("href");
    if (to.startsWith("levels/")) linked.push(to);
    else if (!to.startsWith("#") || !document.getElementById(to.slice(1))) broken.push(`a link to ${to}`);
  }
  return {charts: shown.length, linked, broken};
}"""


def images(page):
    """The names of the images in the accessibility tree."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    found = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img") and not node.get("ignored")]
    return [node.get("name", {}).get("value", "") for node in found]


def check_page(browser, path, width, scheme, pictures, broken):
    where = f"{path.parent.name} {width} {scheme}"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(path.as_uri())
    page.screenshot(path=pictures / f"{path.parent.name}-{width}-{scheme}.png", full_page=True)
    seen = page.evaluate(MEASURE)
    broken += [f"{where}: {problem}" for problem in seen["broken"]]
    # The sessions of a capacity search have their own pages, in folders below it.
    missing = [to for to in seen["linked"] if not (path.parent / to).is_file()]
    broken += [f"{where}: a link to {to}, which is not there" for to in missing]
    names = images(page)
    if len(names) != seen["charts"] or not all(names):
        broken.append(f"{where}: {seen['charts']} charts, named {names}")
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    broken += [f"{where}, opened: {problem}" for problem in page.evaluate(MEASURE)["broken"]]
    for violation in Axe().run(page).response["violations"]:
        targets = [node["target"] for node in violation["nodes"]][:3]
        broken.append(f"{where}: {violation['id']}: {violation['help']} {targets}")
    if requests != [path.as_uri()]:
        broken.append(f"{where}: it requested {requests}")
    broken += [f"{where}: the console shows {message}" for message in messages]
    context.close()
    return seen["charts"]


def check_print(browser, path, pictures, broken):
    page = browser.new_page()
    page.goto(path.as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 720, "height": 1000})
    broken += [f"{path.parent.name} in print: {problem}" for problem in page.evaluate(MEASURE)["broken"]]
    paper = page.pdf(format="A4", path=pictures / f"{path.parent.name}.pdf")
    page.close()
    return len(paper)


def main():
    pictures = pathlib.Path(sys.argv[1])
    facts = {"pages": 0, "charts": 0, "paper_bytes": 0, "broken": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for path in (pathlib.Path(name).resolve() for name in sys.argv[2:]):
            for width in WIDTHS:
                for scheme in SCHEMES:
                    facts["charts"] += check_page(browser, path, width, scheme, pictures, facts["broken"])
                    facts["pages"] += 1
            facts["paper_bytes"] += check_print(browser, path, pictures, facts["broken"])
        browser.close()
    print(json.dumps(facts))
    return 1 if facts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
