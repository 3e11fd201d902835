"""JPEGs as they came, without what they say about themselves: nothing is lost by encoding anew.

Only what a decoder needs is taken over: tables, frame, scans. All else goes (Exif, XMP, comments,
previews, further pictures, whatever follows the end), and our own JFIF header says how it is meant.
"""

import re

# Of a photo as cameras and editors write them; more are a way to keep decoders busy.
MOST_SCANS = 20
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_HUFFMAN, _START, _END, _SCAN, _QUANTIZERS, _RESTARTS = 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD
_ADOBE, _COMMENT = 0xEE, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_TABLES = (_HUFFMAN, _QUANTIZERS, _RESTARTS)
_FRAMES = (_BASELINE, _EXTENDED, _PROGRESSIVE)
_YCC = 1
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
# What ends the data of a scan: no stuffed zero, no restart, no fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


class NotPlain(ValueError):
    """Not one that can be taken over; it has to be decoded and encoded anew."""


def take_over(data: bytes) -> bytes:
    """Of a JPEG with three colours, 8 bits each, meant as YCbCr; raises NotPlain.

    Whether its scans hold a whole picture only a decoder can say.
    """
    if data[:2] != bytes((0xFF, _START)):
        raise NotPlain
    kept, at, frames, scans, has_jfif = [data[:2], _JFIF], 2, 0, 0, False
    while True:
        marker, at = _read_marker(data, at)
        if marker == _END:
            break
        body = _read_body(data, at)
        end = at + 2 + len(body)
        if marker in _FRAMES:
            frames += 1
            _check_frame(body, has_jfif=has_jfif)
        elif marker == _SCAN:
            scans += 1
            found = _MARKER.search(data, end)
            if found is None or scans > MOST_SCANS:
                raise NotPlain
            end = found.start()
        elif marker == _ADOBE and body[:5] == b"Adobe":
            _check_adobe(body)
        elif marker not in _TABLES and marker not in _APPLICATION and marker != _COMMENT:
            raise NotPlain
        has_jfif |= body[:5] == b"JFIF\x00"
        if marker in _TABLES or marker in _FRAMES or marker == _SCAN:
            kept.append(bytes((0xFF, marker)) + data[at:end])
        at = end
    if frames != 1 or not scans:
        raise NotPlain
    return b"".join((*kept, bytes((0xFF, _END))))


def _read_marker(data: bytes, at: int) -> tuple[int, int]:
    """It, and where it ends; fill bytes may come before it."""
    if data[at : at + 1] != b"\xff":
        raise NotPlain
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise NotPlain
    return data[at], at + 1


def _read_body(data: bytes, at: int) -> bytes:
    """Of the segment whose length stands at `at`."""
    length = int.from_bytes(data[at : at + 2])
    body = data[at + 2 : at + length]
    if length < 2 or len(body) != length - 2:
        raise NotPlain
    return body


def _check_frame(body: bytes, *, has_jfif: bool) -> None:
    if len(body) != 15 or body[0] != 8 or body[5] != 3:
        raise NotPlain
    # Without a header, decoders take components of these names for what they say.
    if not has_jfif and body[6:15:3] == b"RGB":
        raise NotPlain


def _check_adobe(body: bytes) -> None:
    if len(body) < 12 or body[11] != _YCC:
        raise NotPlain
