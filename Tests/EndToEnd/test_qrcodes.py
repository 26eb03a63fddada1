"""QR codes as they come out: three readers read every one, whatever it looks like."""

import io
import itertools
import json
import os
import subprocess

import cv2
import numpy
import pytest
import resvg_py
import zxingcpp
from PIL import Image, ImageDraw

from actors import Actor, created, ok, refuses
from conftest import houses

CODES = ("Ab3dE9x", "spring-sale", "kP7wRt2")
COLORS = [("#000000", "#ffffff"), ("#123a7a", "#ffffff"), ("#c0392b", "#ffffff"), ("#7a1f5c", "#fff4e0"),
          ("#1b4332", "#95d5b2"), ("#8a32d8", "#22e20a")]


@pytest.fixture(scope="module")
def printer(workshop, database_server, request):
    """An account of a house with a fixed address, so that each symbol is the same in every run: OpenCV misreads
    about one symbol in twenty by what it says, also plain black squares on white without a logo, and only a
    fixed one tells whether it is the look that it stumbles over."""
    with houses(workshop, database_server, request.config) as make:
        house = make(serve=False, settings={"FL_BASE_URL": "https://go.example.org"})
        house.start_responder()
        house.start_nginx()
        printed = json.loads(house.run("user", "create", "anna@example.org", "--name", "Anna", "--plan", "unlimited",
                                       "--password-stdin", "--json", "--api-key", "printer",
                                       input="a password of the printer\n"))
        yield Actor(house, {"X-Api-Key": printed["apiKey"]})


@pytest.fixture(scope="module")
def logos(printer):
    """Logos of every kind, uploaded."""
    picture = Image.new("RGBA", (700, 700), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 680, 680), fill=(220, 40, 60, 255))
    draw.polygon([(250, 180), (250, 520), (540, 350)], fill="white")
    wide = Image.new("RGB", (800, 300), (20, 60, 160))
    progressive, cmyk = picture.convert("RGB"), picture.convert("CMYK")
    return {
        "alpha.png": put(printer, encoded(picture, "PNG")),
        "opaque.jpg": put(printer, encoded(progressive, "JPEG", quality=90, progressive=True)),
        "cmyk.jpg": put(printer, encoded(cmyk, "JPEG", quality=90)),
        "alpha.webp": put(printer, encoded(picture, "WEBP")),
        "wide.png": put(printer, encoded(wide, "PNG")),
    }


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def put(printer, content):
    """The id of a new file."""
    return printer.file(content, name="logo")["id"]


class Readers:
    """The three readers."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "image.png")

    def read(self, picture):
        picture.save(self.path)
        pixels = cv2.cvtColor(numpy.array(picture), cv2.COLOR_RGB2BGR)
        # OpenCV makes large images small for itself, roughly; a camera would have done so better.
        small = cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if picture.width > 1500 else pixels
        return {
            "zbar": subprocess.run(["zbarimg", "-q", "--raw", self.path], capture_output=True, text=True,
                                   timeout=60).stdout.strip(),
            "zxing": "".join(code.text for code in zxingcpp.read_barcodes(pixels)),
            "opencv": cv2.QRCodeDetector().detectAndDecode(small)[0],
        }


def drawn(printer, code, kind, size):
    """The image as somebody sees it who has put it on its background."""
    answer = printer.get(f"/api/qrcodes/{code['id']}/image", params={"format": kind, "size": size})
    assert answer.status_code == 200, answer.text
    content = answer.content
    if kind == "svg":
        content = bytes(resvg_py.svg_to_bytes(svg_string=content.decode()))
    picture = Image.open(io.BytesIO(content)).convert("RGBA")
    assert picture.width == size
    ground = Image.new("RGBA", picture.size, code["backgroundColor"])
    ground.alpha_composite(picture)
    return ground.convert("RGB")


@pytest.fixture(scope="module")
def codes(printer):
    """A code for each short code; their looks are changed by PATCH, which leaves the symbol as it is."""
    return [created(printer.post("/api/qrcodes", {"destinationUrl": "https://example.org/", "shortCode": code}))
            for code in CODES]


@pytest.mark.parametrize("shape", ["square", "rounded", "dots"])
@pytest.mark.parametrize("logo", [None, "alpha.png", "opaque.jpg", "cmyk.jpg", "alpha.webp", "wide.png"])
def test_three_readers_read_every_look(printer, codes, logos, tmp_path, shape, logo):
    readers, wrong, count = Readers(str(tmp_path)), [], 0
    looks = itertools.cycle(itertools.product("LMQH", (4, 10), (False, True), (None, "Scan me & smile")))
    for (foreground, background), code in zip(COLORS, itertools.cycle(codes)):
        correction, margin, transparent, caption = next(looks)
        look = {"foregroundColor": foreground, "backgroundColor": background, "moduleShape": shape,
                "logoFileId": logo and logos[logo], "errorCorrection": correction, "margin": margin,
                "isTransparent": transparent, "caption": caption}
        code = ok(printer.patch(f"/api/qrcodes/{code['id']}", look))
        for kind, size in (("png", 300), ("svg", 300), ("png", 600), ("svg", 600)) + (
                (("png", 2048), ("svg", 1000)) if foreground == "#000000" else ()):
            count += 1
            for reader, text in readers.read(drawn(printer, code, kind, size)).items():
                if text != code["content"]:
                    wrong.append(f"{reader} at {kind} {size}: {code['shortCode']} {look} → {text!r}")
    assert not wrong, f"{len(wrong)} of {3 * count} readings are wrong:\n" + "\n".join(wrong)


def test_the_smallest_that_is_drawn_is_read(printer, codes, tmp_path):
    code = ok(printer.patch(f"/api/qrcodes/{codes[0]['id']}", {
        "logoFileId": None, "caption": None, "margin": 4, "moduleShape": "square", "errorCorrection": "M",
        "foregroundColor": "#000", "backgroundColor": "#fff", "isTransparent": False}))
    for kind in ("png", "svg"):
        path = f"/api/qrcodes/{code['id']}/image"
        message = printer.get(path, params={"format": kind, "size": 64})
        assert refuses(message, "size")["size"] == "too_small"
        least = int(message.json()["errors"][0]["message"].split()[-2])
        assert refuses(printer.get(path, params={"format": kind, "size": least - 1}), "size")
        found = Readers(str(tmp_path)).read(drawn(printer, code, kind, least))
        assert set(found.values()) == {code["content"]}, found


def test_a_transparent_image_has_no_background(printer, codes):
    code = ok(printer.patch(f"/api/qrcodes/{codes[0]['id']}", {"isTransparent": True, "logoFileId": None}))
    answer = printer.get(f"/api/qrcodes/{code['id']}/image", params={"size": 300})
    assert Image.open(io.BytesIO(answer.content)).convert("RGBA").getpixel((0, 0))[3] == 0


BAD = {
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
    "gif": lambda: encoded(Image.new("P", (9, 9)), "GIF"),
    "truncated.jpg": lambda: encoded(Image.effect_noise((300, 300), 90), "JPEG")[:-2000],
    "truncated.webp": lambda: encoded(Image.effect_noise((300, 300), 90).convert("RGB"), "WEBP")[:-2000],
    "truncated.png": lambda: encoded(Image.effect_noise((300, 300), 90), "PNG")[:-2000],
    "animated.webp": lambda: encoded(Image.new("RGB", (9, 9)), "WEBP", save_all=True,
                                     append_images=[Image.new("RGB", (9, 9), "red")]),
    "animated.png": lambda: encoded(Image.new("RGB", (9, 9)), "PNG", save_all=True,
                                    append_images=[Image.new("RGB", (9, 9), "red")]),
    "bomb.png": lambda: encoded(Image.new("1", (20000, 20000)), "PNG"),
    "bomb.jpg": lambda: encoded(Image.new("L", (9000, 4000)), "JPEG"),
    "bomb.webp": lambda: encoded(Image.new("RGB", (8000, 2000)), "WEBP", lossless=True),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_be_no_logo_is_refused(printer, codes, name):
    file = put(printer, BAD[name]())
    answer = printer.patch(f"/api/qrcodes/{codes[1]['id']}", {"logoFileId": file})
    assert refuses(answer, "logoFileId")["logoFileId"] in (
        "unsupported_image", "broken_image", "too_large", "animated_image")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_decoded(printer, codes, mode):
    picture = Image.new(mode, (90, 90), 0) if mode == "I;16" else Image.new("RGB", (90, 90), "#c00000").convert(mode)
    file = put(printer, encoded(picture, "PNG"))
    assert ok(printer.patch(f"/api/qrcodes/{codes[1]['id']}", {"logoFileId": file}))["logoFileId"] == file
