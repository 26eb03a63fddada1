"""Drawing a QR code with a logo through nginx and the responder, one at a time."""

import os
import statistics
import struct
import time
import urllib.request
import uuid
import zlib


def _png(side):
    """A logo of many colours, so that nothing is easy."""
    rows = b"".join(b"\0" + bytes(part for x in range(side) for part in (x % 256, y % 256, (x * y) % 256))
                    for y in range(side))

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def qr(small, results, _rounds, _seconds, quick):
    """The image of a QR code with a logo, 600 pixels wide."""
    logo, content = uuid.uuid4(), _png(600)
    text = str(logo)
    folder = os.path.join(os.environ["BENCH_STATE"], small.name, "files", text[-4:-2], text[-2:])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, text), "wb") as file:
        file.write(content)
    small.database.sql(
        "INSERT INTO files (id, account_id, name, content_type, size, sha256, created_at, updated_at)"
        f" SELECT UNHEX('{logo.hex}'), id, 'logo', 'image/png', {len(content)}, REPEAT('0', 32), NOW(6), NOW(6)"
        " FROM accounts LIMIT 1")
    members = {"destinationUrl": "https://example.com/", "moduleShape": "rounded"}
    codes = {"with a logo": {**members, "logoFileId": text, "caption": "Scan me"}, "plain": members}
    took = {}
    for name, body in codes.items():
        code = small.call("POST", "/api/qrcodes", body)
        request = urllib.request.Request(f"{small.url}/api/qrcodes/{code['id']}/image?size=600",
                                         headers={"X-Api-Key": small.key})
        times = []
        for _ in range(50 if quick else 300):
            began = time.perf_counter()
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
            times.append((time.perf_counter() - began) * 1000)
        took[name] = statistics.median(times[5:])
    results.add("QR code, 600 pixels, logo and caption", took["with a logo"], took["plain"], "ms",
                took["with a logo"] / took["plain"], "yardstick: without them; through nginx")
    results.promise(took["with a logo"] < 10, f"a QR code with a logo takes {took['with a logo']:.1f} ms, under 10")
