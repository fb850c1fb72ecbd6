"""The report of a run in a real browser: tests/pages.sh trains one.

    run_page.py URL [FOLDER]

FOLDER, if given, receives screenshots at phone and desktop width, light and dark.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import check, look_at  # noqa: E402


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


url, *folder = sys.argv[1:]
look_at("run", lambda browser: look(browser, url), *folder)
