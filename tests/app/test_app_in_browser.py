"""keras-coatnet app in a real browser: a photograph, a text file, thirty million pixels, and nobody else is asked.

It needs Gradio, Playwright for Python and Chromium, and says so where they are not.
"""

import base64
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest
from explained_models import noise
from PIL import Image
from running import BACKEND

from keras_coatnet.images.labels import write_labels

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("gradio", "playwright") if importlib.util.find_spec(name) is None]
MISSING += [] if BROWSER else ["chromium"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 300_000  # milliseconds; a machine may be busy with other things

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BACKEND != "torch", reason="the page is the same on every backend; one is enough"),
    pytest.mark.skipif(bool(MISSING), reason=f"a page needs a browser to be looked at; missing: {', '.join(MISSING)}"),
]


def colour_reader():
    """A CoAtNet of two classes that tells red from blue, whatever else its random layers do."""
    import keras

    images = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(4, data_format="channels_last", name="map")(images)
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(x)
    model = keras.Model(images, keras.layers.Dense(2, activation="softmax")(pooled), name="colours")
    model.layers[-1].set_weights([np.array([[2, -2], [0, 0], [-2, 2]], "float32"), np.zeros(2, "float32")])
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    colour_reader().save(folder / "model.keras")
    write_labels(folder / "classes.json", ["cat", "sea"])
    red = noise((40, 60))
    red[..., 1:] //= 4
    Image.fromarray(red).save(folder / "cat.png")
    (folder / "notes.txt").write_text("no picture")
    Image.fromarray(red[..., ::-1].copy()).resize((6000, 5000)).save(folder / "large.jpg")
    return folder


@pytest.fixture(scope="module")
def address(folder):
    """Of the page, served by the command in a process of its own."""
    code = "import sys; from keras_coatnet.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "app", "--model", "model.keras", "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
        try:
            line = lines.get(timeout=PATIENCE / 1000)
            assert line.startswith("The page is at http://127.0.0.1:")
            yield line.split()[4]
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    # "map" is the only layer of the model that gives a map.
    stage = page.locator("#stage input")
    stage.fill("map")
    stage.press("Enter")
    yield page
    context.close()


def drop(page, path):
    page.set_input_files("#upload input[type=file]", path)


def heat_of(page):
    """The address of the picture with heat that is shown."""
    page.wait_for_selector("#seen img")
    return page.get_attribute("#seen img", "src")


def test_photograph_gets_its_label_and_a_heat_map(page, folder):
    drop(page, folder / "cat.png")
    page.wait_for_function("document.querySelector('#told').innerText.includes('Where it sees: cat.')")
    assert page.inner_text("#labels").split()[:2] == ["Labels", "cat"]
    first = heat_of(page)
    slider = page.locator("#strength input[type=range]")
    slider.focus()
    slider.press("Home")
    slider.dispatch_event("pointerup")
    page.wait_for_function("old => document.querySelector('#seen img').src != old", arg=first)
    hosts = {url.split("/")[2].split(":")[0] for url in page.asked if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}


COPY = """async content => {
    const picture = await (await fetch('data:image/png;base64,' + content)).blob();
    await navigator.clipboard.write([new ClipboardItem({'image/png': picture})]);
}"""


def test_pasted_photograph_is_answered_too(page, folder):
    page.evaluate(COPY, base64.b64encode((folder / "cat.png").read_bytes()).decode())
    page.get_by_text("Paste from Clipboard").click()
    page.wait_for_function("document.querySelector('#told').innerText.includes('Where it sees: cat.')")
    heat_of(page)


def test_text_file_gets_a_readable_answer(page, folder):
    drop(page, folder / "notes.txt")
    page.wait_for_function("document.querySelector('#told').innerText.includes('notes.txt: not a picture')")
    assert page.locator("#seen img").count() == 0


def test_thirty_megapixels_do_not_stall_the_page(page, folder):
    drop(page, folder / "large.jpg")
    page.wait_for_function("document.querySelector('#told').innerText.includes('Where it sees: sea.')")
    heat_of(page)
    width = page.evaluate("document.querySelector('#seen img').naturalWidth")
    assert 0 < width <= 768
