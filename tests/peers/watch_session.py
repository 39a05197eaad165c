"""Watches a session in Chromium: follows its page, marks it and stops it from the command line, and sees its end.

Takes a folder for screenshots, the page's address, the binary, and the session's folder. Two tabs watch. The page must
grow while it is watched, keep what a reader has opened, come back after a lost connection (the second tab watches
through a proxy that is cut), show the mark, and become the report at the end; it must load nothing but its own style
and script, and the console must stay empty. Prints one JSON object of facts; exits with 0 only if nothing is broken.
"""

import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from read_page import MEASURE, SCHEMES, WIDTHS, chromium

PATIENCE = 90
MARK = "deployed <v2>"


class Proxy:
    """Stands between a browser and the session until it is cut."""

    def __init__(self, target):
        self.target, self.sockets, self.is_cut = target, set(), False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.name = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.is_cut:
                client.close()
                continue
            host, port = self.target.split(":")
            server = socket.create_connection((host, int(port)))
            self.sockets |= {client, server}
            # The session answers only requests for its own name.
            ours, theirs = self.name.encode(), self.target.encode()
            threading.Thread(target=self.pump, args=(client, server, ours, theirs), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, b"", b""), daemon=True).start()

    def pump(self, source, sink, ours, theirs):
        try:
            while data := source.recv(65536):
                sink.sendall(data.replace(ours, theirs) if ours else data)
        except OSError:
            pass
        self.shut((source, sink))

    def shut(self, sockets):
        for one in sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut = True
        self.shut(list(self.sockets))

    def mend(self):
        self.is_cut = False


def drawn(page):
    return int(page.evaluate("document.documentElement.dataset.drawn || '0'"))


def until(page, expression):
    """Waits for an expression in the page. Playwright's own wait evaluates text there, which the page's policy forbids."""
    begun = time.monotonic()
    while not page.evaluate(expression):
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(f"not within {PATIENCE} s: {expression}")
        page.wait_for_timeout(100)


def wait_drawn(page, more):
    wanted = drawn(page) + more
    until(page, f"Number(document.documentElement.dataset.drawn) >= {wanted}")


def faults(page, where):
    """What is wrong with how a page is drawn, which has one script and one style of its own."""
    known = ("a SCRIPT", "a LINK")
    seen = page.evaluate(MEASURE)
    found = [f"{where}: {problem}" for problem in seen["broken"] if problem not in known]
    found += [f"{where}: a link to {address} leads nowhere" for address in seen["linked"]]
    for violation in Axe().run(page).response["violations"]:
        targets = [node["target"] for node in violation["nodes"]][:3]
        found.append(f"{where}: {violation['id']}: {violation['help']} {targets}")
    return found


def main():
    pictures, address, rushhour, folder = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
    broken, messages, requests = [], [], set()

    def rush(*arguments):
        done = subprocess.run([rushhour, *arguments], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            broken.append(f"{arguments} ended with {done.returncode}: {done.stderr}")

    def check(page, where):
        broken.extend(faults(page, where))
        return page.evaluate(MEASURE)["charts"]

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        context.on("request", lambda request: requests.add(request.url))
        page, other = context.new_page(), context.new_page()
        proxy = Proxy(address.removeprefix("http://").rstrip("/"))
        for tab, through in ((page, address), (other, f"http://{proxy.name}/")):
            tab.on("console", lambda message: messages.append(message.text))
            tab.on("pageerror", lambda error: messages.append(str(error)))
            tab.goto(through, wait_until="domcontentloaded")
        started = "Number((document.querySelector('header').textContent.match(/(\\d+) of \\d+ runs started/) || [])[1])"
        until(page, f"{started} > 0")
        before = page.evaluate(started)
        page.evaluate("document.querySelector('#load details').open = true")
        until(page, f"{started} > {before} + 20")
        wait_drawn(other, 1)
        if not page.evaluate("document.querySelector('#load details').open"):
            broken.append("what a reader has opened is closed again")

        rush("mark", folder, MARK)
        until(page, "document.querySelector('#events').textContent.includes('Marked: deployed <v2>')")
        if page.evaluate("[...document.querySelectorAll('svg .moments')].length") < 4:
            broken.append("the mark is not on every chart over time")

        charts = 0
        for width in WIDTHS:
            for scheme in SCHEMES:
                page.set_viewport_size({"width": width, "height": 900})
                page.emulate_media(color_scheme=scheme)
                wait_drawn(page, 1)
                page.screenshot(path=pictures / f"live-{width}-{scheme}.png", full_page=True)
                charts = check(page, f"live {width} {scheme}")

        if messages:
            broken.extend(f"the console shows {message}" for message in messages)
        status = "document.getElementById('connection').textContent"
        proxy.cut()
        until(other, f"{status}.includes('is lost')")
        before = other.evaluate(started)
        until(page, f"{started} > {before}")
        proxy.mend()
        until(other, f"{status} === 'This page follows the session.' && {started} > {before}")
        # It goes on from there, with every part in its place.
        wait_drawn(other, 2)
        parts = "[...document.querySelectorAll('#head > *, main > *')].map(part => part.id).join(' ')"
        if other.evaluate(parts) != page.evaluate(parts):
            broken.append(f"after the connection was lost it shows {other.evaluate(parts)}")

        rush("stop", folder)
        for tab in (page, other):
            until(tab, "document.getElementById('connection').textContent.includes('The session has ended')")
        if "so far" in page.evaluate("document.querySelector('header').textContent"):
            broken.append("the page of the end says so far")
        page.screenshot(path=pictures / "live-end.png", full_page=True)
        check(page, "at the end")
        own = (address, f"http://{proxy.name}/")
        strangers = sorted(url for url in requests if not url.startswith(own))
        if strangers:
            broken.append(f"it requested {strangers}")
        browser.close()
    print(json.dumps({"pictures": len(WIDTHS) * len(SCHEMES), "charts": charts, "broken": broken}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
