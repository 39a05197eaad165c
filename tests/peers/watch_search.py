"""Watches a search for capacity in Chromium, from its first level to its answer.

Takes a folder for screenshots and the page's address. Levels must be listed as they end, and the last page must be the
report of the whole search. Prints one JSON object of facts, with the heading of the last page; exits with 0 only if
nothing is broken.
"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from read_page import SCHEMES, WIDTHS, chromium
from watch_session import faults, until


def main():
    pictures, address = pathlib.Path(sys.argv[1]), sys.argv[2]
    broken, messages = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTHS[0], "height": 900}, color_scheme=SCHEMES[0])
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(address, wait_until="domcontentloaded")
        until(page, "document.querySelectorAll('#levels li').length > 0")
        page.screenshot(path=pictures / "search.png", full_page=True)
        broken.extend(faults(page, "search"))
        # It has several levels, each of which may take as long as a session.
        for level in range(2, 20):
            over = "document.getElementById('connection').textContent.includes('The session has ended')"
            more = f"document.querySelectorAll('#levels li').length >= {level}"
            until(page, f"{over} || {more}")
            if page.evaluate(over):
                break
        heading = page.evaluate("document.querySelector('h1').textContent")
        title = page.title()
        if page.evaluate("document.body.textContent.includes('so far')"):
            broken.append("the page of the end says so far")
        for part in ("levels", "figures", "sessions", "claim"):
            if not page.evaluate(f"document.getElementById('{part}') !== null"):
                broken.append(f"the page of the end has no part {part}")
        page.screenshot(path=pictures / "search-end.png", full_page=True)
        broken.extend(faults(page, "the end of the search"))
        browser.close()
    broken.extend(f"the console shows {message}" for message in messages)
    print(json.dumps({"heading": heading, "title": title, "broken": broken}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
