"""The page of build/explain in a real browser: tests/pages.sh makes it.

    report_page.py URL [FOLDER]

FOLDER, if given, receives screenshots at phone and desktop width, light and dark.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import WINDOWS, Browser  # noqa: E402

FRAME = "document.querySelector('.cells canvas').toDataURL()"


def check(good, what):
    if not good:
        raise AssertionError(what)


def look(browser, url):
    browser.open(url)
    browser.wait("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    check(browser.run("[...document.querySelectorAll('article img')].every((image) => image.alt)"),
          "a picture has no text")
    browser.wait("document.querySelector('.cells output').textContent.includes(': 0.00')")
    before = browser.run(FRAME)
    browser.run("document.querySelector('.cells input').focus()")
    for _ in range(5):
        browser.key("ArrowRight")
    browser.wait("document.querySelector('.cells output').textContent === '1: +0.25'")
    check(browser.run(FRAME) != before, "a slider changes no picture")


def without_scripts(browser, url):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.call("Page.reload")
    browser.wait("document.readyState === 'complete'")
    check(not browser.run("document.documentElement.classList.contains('live')"), "scripts still run")
    check(browser.run("document.querySelector('.sheet img').getBoundingClientRect().height > 50"),
          "without scripts the reconstructions are hidden")


def main():
    url = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else None
    for name, window in WINDOWS.items():
        with Browser(**window) as browser:
            look(browser, url)
            browser.check(folder and os.path.join(folder, f"explain-{name}"))
            without_scripts(browser, url)


main()
