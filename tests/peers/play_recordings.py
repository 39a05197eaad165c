"""Plays the recordings of a page in Chromium, as somebody does who opens it from the disk.

Takes the page. Opens each recording by its link, plays each of its tracks, and waits until it has played for a while and
can be moved to near its end. Prints one JSON object: the tracks with their durations and how far they were played, the
links that lead to recordings, what the page requested before anything was played, and what the console shows.
"""

import json
import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright

PLACES = "/usr/local/bin:/usr/bin:/bin:/snap/bin"
chromium = next(filter(None, (shutil.which(name, path=PLACES) for name in ("chromium", "google-chrome"))), None)
if chromium is None:
    sys.exit("no Chromium: run ./tests/all, which installs it")

# Plays a track until it has gone on by itself, and then from near its end to its end.
PLAY = """async audio => {
  const until = name => new Promise((done, failed) => {
    audio.addEventListener(name, done, {once: true});
    audio.addEventListener("error", () => failed(new Error(`error ${audio.error && audio.error.code}`)), {once: true});
  });
  audio.muted = true;
  await audio.play();
  while (audio.currentTime < 0.2) await until("timeupdate");
  const [duration, played] = [audio.duration, audio.currentTime];
  const ended = until("ended");
  audio.currentTime = duration - 0.3;
  await ended;
  return {source: audio.getAttribute("src"), duration, played, end: audio.currentTime};
}"""


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page()
        requests, messages = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.goto(path.as_uri())
        before = [url for url in requests if url != path.as_uri()]
        links = page.eval_on_selector_all("a[href^='#recording-']", "all => all.map(a => a.getAttribute('href'))")
        for link in links:
            # A link opens what it leads to.
            page.click(f"a[href='{link}']")
            page.wait_for_function("id => document.getElementById(id).checkVisibility()", arg=link[1:])
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        tracks = [track.evaluate(PLAY) for track in page.query_selector_all("audio")]
        browser.close()
    print(json.dumps({"tracks": tracks, "links": links, "requested": before, "console": messages}))


if __name__ == "__main__":
    main()
