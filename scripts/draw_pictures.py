"""Draws the pictures of docs/explain.md and README.md with the small model that comes with the package.

    KERAS_BACKEND=torch python scripts/draw_pictures.py

Where a class is seen on three photographs, and the page of `keras-coatnet app` with one of them. The page needs the
extra `app`, Playwright for Python and Chromium.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import keras_coatnet as kc
from keras_coatnet.cli.main import main as keras_coatnet
from keras_coatnet.deploy.photographs import FOLDER as PHOTOGRAPHS

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LARGEST_FILE = 150_000
SIDE = 128  # maps of 8 x 8, twice as fine as at the 64 pixels that it learned from
EXPLAINED = ("chelsea", "coffee", "rocket")
ANSWERED = "document.querySelector('#told').innerText.includes('Where it sees')"


def main():
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / f"coatnet_tiny64_at_{SIDE}.keras"
        kc.build("coatnet_tiny64", input_shape=(SIDE, SIDE, 3), pretrained="tiny-imagenet").save(model)
        for name in EXPLAINED:
            draw(model, PHOTOGRAPHS / f"{name}.jpg", PICTURES / f"where_{name}.jpg")
        photograph_page(model, PHOTOGRAPHS / "chelsea.jpg", PICTURES / "page.jpg")
    for path in sorted(PICTURES.iterdir()):
        size = path.stat().st_size
        print(f"{path.name}: {size:,} bytes")
        if size > LARGEST_FILE:
            sys.exit(f"{path.name} is larger than {LARGEST_FILE:,} bytes")


def draw(model, photograph, target):
    if code := keras_coatnet(["explain", str(photograph), "--model", str(model), "--out", str(target)]):
        sys.exit(code)


def photograph_page(model, photograph, target):
    """The page as a browser shows it, once it has answered."""
    from playwright.sync_api import sync_playwright

    command = (sys.executable, "-u", "-m", "keras_coatnet.cli.main", "app", "--model", model.name, "--no-browser")
    with (
        subprocess.Popen(command, cwd=model.parent, stdout=subprocess.PIPE, text=True) as server,
        sync_playwright() as playwright,
    ):
        try:
            address = server.stdout.readline().split()[4]
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1100, "height": 800})
            page.set_default_timeout(120_000)
            page.goto(address)
            page.set_input_files("#upload input[type=file]", photograph)
            page.wait_for_function(ANSWERED)
            page.wait_for_selector("#seen img")
            page.wait_for_function("document.querySelector('#seen img').complete")
            page.screenshot(path=target, type="jpeg", quality=85, full_page=True)
            browser.close()
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
