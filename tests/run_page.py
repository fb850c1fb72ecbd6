"""The report of a run in a real browser: tests/pages.sh trains one.

    run_page.py URL [FOLDER]

FOLDER, if given, receives screenshots at phone and desktop width, light and dark.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import WINDOWS, Browser  # noqa: E402


def check(good, what):
    if not good:
        raise AssertionError(what)


def look(browser, url):
    browser.open(url)
    browser.wait("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    pictures = browser.run("[...document.images].map((image) => image.alt)")
    check(len(pictures) == 1 and pictures[0].startswith("Two rows"), f"not the one picture: {pictures}")
    charts = browser.run("[...document.querySelectorAll('svg[role=img]')].map((chart) => chart.ariaLabel)")
    for title in ("Loss", "Parts of the loss", "Error", "Learning rate", "Images per second"):
        check(any(chart.startswith(title) and "highest" in chart for chart in charts), f"no chart of {title}: {charts}")
    check(len(charts) == browser.run("document.querySelectorAll('svg').length"), "a chart has no text")
    drawn = "[...document.querySelectorAll('svg')].every((chart) => chart.getBoundingClientRect().height > 150)"
    check(browser.run(drawn), "a chart is not drawn")
    check(browser.run("document.querySelectorAll('[aria-label=Epochs] tr').length") == 3, "not two epochs")
    browser.run("document.querySelector('details').open = true")


def main():
    url = sys.argv[1]
    folder = sys.argv[2] if len(sys.argv) > 2 else None
    for name, window in WINDOWS.items():
        with Browser(**window) as browser:
            look(browser, url)
            browser.check(folder and os.path.join(folder, f"run-{name}"))


main()
