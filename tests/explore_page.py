"""build/explore in a real browser: tests/explore.sh starts it.

    explore_page.py URL PICTURE [FOLDER]

FOLDER, if given, receives screenshots at phone and desktop width, light and dark.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from browser import check, look_at  # noqa: E402

SEVEN = [(0.25, 0.2), (0.4, 0.2), (0.55, 0.2), (0.72, 0.2), (0.68, 0.35), (0.6, 0.5), (0.5, 0.7), (0.45, 0.82)]
QUIET = "!busy && !waiting"


def start(browser, url):
    browser.open(url)
    browser.wait("document.getElementById('about').textContent.includes('trained on')")
    check(browser.run("document.getElementById('routing').hidden"), "a blank board is read")


def draw(browser):
    left, top, width, height = browser.box("#board")
    browser.drag([(left + width * x, top + height * y) for x, y in SEVEN])
    browser.wait(QUIET + " && document.querySelectorAll('#maps img').length")


def source(browser, selector):
    return browser.run(f"document.querySelector({selector!r}).src")


def look(browser):
    draw(browser)
    check(browser.run("document.getElementById('verdict').textContent").startswith("It reads "), "no verdict")
    check(browser.run("document.querySelectorAll('#scores .number').length") == 10, "not ten bars")
    check(browser.run("document.querySelectorAll('#sliders input').length") == 16, "not sixteen sliders")
    check(browser.run("document.querySelectorAll('#maps img').length") == 10, "not five maps of each of two classes")
    ink = "small.getImageData(0, 0, 28, 28).data.reduce((sum, x, n) => sum + (n % 4 ? 0 : x), 0)"
    check(browser.run(ink) > 5000, "the drawing does not reach the input")

    before = source(browser, "#reconstruction")
    check(before.startswith("data:image/png"), "no reconstruction")
    browser.run("document.querySelector('#sliders input').focus()")
    for _ in range(30):
        browser.key("ArrowRight")
    browser.wait(QUIET)
    check(browser.run("document.querySelector('#sliders input').valueAsNumber") > 0.25, "the slider does not move")
    check(source(browser, "#reconstruction") != before, "a slider moves nothing")
    browser.run("document.getElementById('reset').click()")
    browser.wait(f"{QUIET} && document.getElementById('reconstruction').src === {json.dumps(before)}")

    maps = source(browser, "#maps img")
    left, top, width, height = browser.box("#board")
    browser.drag([(left + width * x, top + height * 0.9) for x in (0.2, 0.5, 0.8)])
    browser.wait(f"{QUIET} && document.querySelector('#maps img').src !== {json.dumps(maps)}")

    browser.run("document.querySelectorAll('#scores button')[3].click()")
    browser.wait(QUIET + " && document.querySelectorAll('#scores tr')[3].classList.contains('shown')")
    browser.run("document.getElementById('clear').click()")
    check(browser.run("document.getElementById('routing').hidden"), "a cleared board still has maps")


def drop(browser, picture):
    """A file, as a drop on the page; then one that is none."""
    node = browser.call("DOM.getDocument")["root"]["nodeId"]
    field = browser.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=field, files=[os.path.abspath(picture)])
    browser.wait(QUIET + " && loaded && document.querySelectorAll('#maps img').length")
    browser.run(
        "(() => { const data = new DataTransfer(); data.items.add(new File(['no picture'], '<b>.png'));"
        " dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true })); })()"
    )
    browser.wait("document.getElementById('message').textContent.includes('neither PNG nor JPEG')")
    expected = [error for error in browser.errors if "400" in error and "/read" in error]
    check(len(expected) == 1, f"not one refusal: {browser.errors}")
    browser.errors.remove(expected[0])


def visit(browser, url, picture):
    start(browser, url)
    look(browser)
    drop(browser, picture)
    draw(browser)


url, picture, *folder = sys.argv[1:]
look_at("explore", lambda browser: visit(browser, url, picture), *folder)
