"""Telling from the first bytes that a file is something else than safetensors."""

from __future__ import annotations

import re
from pathlib import Path

from modules.weights.errors import NotWeights, PickleFile, PointerFile, TruncatedFile, readable_size

SAMPLE = 1024
LFS = b"version https://git-lfs"
MARKUP = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body", b"<script")
FORMATS = {
    b"GGUF": "a GGUF file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"RIFF": "a WebP picture",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"MZ": "a Windows program",
    b"\x7fELF": "a Linux program",
    b"%PDF": "a PDF",
}


def refuse_other_formats(path: Path, sample: bytes, size: int, kind: str) -> None:
    """Raise PointerFile, NotWeights, PickleFile or TruncatedFile if the sample (first bytes) is not safetensors'."""
    if sample[8:9] == b"{" and sample[4:8] == b"\0\0\0\0":
        return  # a plausible header length, then JSON
    _refuse_pointer(path, sample, kind)
    if sample.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(MARKUP):
        raise NotWeights(path, "is a web page, not weights; download the file itself (logged in, if its site asks for it)", kind=kind)
    if is_pickle(sample):
        raise PickleFile(path, f"is a pickle (.ckpt, .pt), not safetensors; convert it: ./webui.sh convert {path.name}", kind=kind)
    for magic, name in FORMATS.items():
        if sample.startswith(magic):
            raise NotWeights(path, f"is {name}, not safetensors weights; remove it or download the right file", kind=kind)
    if _is_text(sample):
        raise NotWeights(path, f"is text ({readable_size(size)}), not weights; download the file itself", kind=kind)
    if size < 8:
        raise TruncatedFile(path, f"is truncated: {size} bytes; download it again", kind=kind)


def _refuse_pointer(path: Path, sample: bytes, kind: str) -> None:
    if not sample.startswith(LFS):
        return
    found = re.search(rb"^size (\d{1,15})$", sample, re.MULTILINE)
    what = f" for {readable_size(int(found[1]))} of weights" if found else ""
    problem = f"is only a git-LFS pointer{what}; run 'git lfs pull' in its folder or download the file itself"
    raise PointerFile(path, problem, kind=kind)


def is_pickle(sample: bytes) -> bool:
    """torch's zip container, a bare pickle of protocol 2-5, or torch's old tar container; by a file's first bytes."""
    if sample[8:9] == b"{" and sample[4:8] == b"\0\0\0\0":
        return False
    zipped = sample.startswith(b"PK")
    return zipped or (sample[:1] == b"\x80" and sample[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")) or sample[257:262] == b"ustar"


def _is_text(sample: bytes) -> bool:
    text = sample.decode("utf-8", errors="ignore")
    return len(text.encode()) > len(sample) - 4 and bool(text.strip()) and all(c.isprintable() or c in "\r\n\t" for c in text)
