"""Takes the screenshots in the README: of each sample page the part that answers its question.

Takes the project's folder; writes PNG files into reports/pictures. Run it after rendering the samples again:

    target/peers/venv/bin/python tests/peers/take_pictures.py .
"""

import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright

PLACES = "/usr/local/bin:/usr/bin:/bin:/snap/bin"
# For each picture: the page, and the first and the last element shown.
PAGES = {
    "capacity": ("sample-capacity/report.html", "main h3", "main svg"),
    "soak": ("sample-soak/soak.html", "h3:text-is('turn.chat.first p50')", "[aria-labelledby='series-turn-chat-first-p50-wide-title']"),
    "paired": ("sample-paired/report.html", "#pairs h2", "#pairs table >> nth=1"),
}
WIDTH, MARGIN = 1120, 16

reports = pathlib.Path(sys.argv[1], "reports").resolve()
chromium = next(filter(None, (shutil.which(name, path=PLACES) for name in ("chromium", "google-chrome"))), None)
if chromium is None:
    sys.exit("no Chromium: run ./tests/all, which installs it")

(reports / "pictures").mkdir(exist_ok=True)
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    for name, (page_file, first, last) in PAGES.items():
        page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
        page.goto((reports / page_file).as_uri())
        begin = page.locator(first).first.bounding_box()
        main = page.locator("main").bounding_box()
        end = page.locator(last).first.bounding_box()
        top, bottom = begin["y"] - MARGIN, end["y"] + end["height"] + MARGIN
        clip = {"x": main["x"] - MARGIN, "y": top, "width": main["width"] + 2 * MARGIN, "height": bottom - top}
        page.screenshot(path=reports / "pictures" / f"{name}.png", full_page=True, clip=clip)
    browser.close()
