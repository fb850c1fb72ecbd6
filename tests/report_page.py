"""The page of build/explain in a real browser: tests/pages.sh makes it.

    report_page.py URL [FOLDER]

FOLDER, if given, receives screenshots at phone and desktop width, light and dark.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import WINDOWS, Browser, check, look_at  # noqa: E402

FRAME = "document.querySelector('.cells canvas').toDataURL()"


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
    browser.open(url)
    check(not browser.run("document.documentElement.classList.contains('live')"), "scripts still run")
    check(browser.run("document.querySelector('.sheet img').getBoundingClientRect().height > 50"),
          "without scripts the reconstructions are hidden")


url, *folder = sys.argv[1:]
look_at("explain", lambda browser: look(browser, url), *folder)
for window in WINDOWS.values():
    with Browser(**window) as browser:
        without_scripts(browser, url)
