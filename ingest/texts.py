"""Foreign values in our own texts: however long or strange, they stay short and printable."""

from __future__ import annotations

MOST = 200


def cut(text: str, most: int = MOST) -> str:
    """Return the text, or its first characters and how many there were."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def quoted(value: object) -> str:
    """Return Python's notation of a value, of a long one the beginning."""
    if isinstance(value, str | bytes) and len(value) > MOST:
        unit = "characters" if isinstance(value, str) else "bytes"
        return f"{value[:MOST]!r}... ({len(value):,} {unit})"
    return cut(repr(value))


def plain(text: str) -> str:
    """Return a name as it is, where it is short and printable; else cut, and escaped."""
    if len(text) > MOST:
        return f"{plain(text[:MOST])}... ({len(text):,} characters)"
    return text if text.isprintable() else repr(text)[1:-1]


def culprit(tenant_id: object, symbol: object, file: object) -> str:
    """Name whose messages these are: "tenant 99, symbol 'ES', file es.csv"; what is known."""
    named = [
        f"tenant {tenant_id}" if tenant_id is not None else "",
        f"symbol {symbol!r}" if symbol is not None else "",
        f"file {file}" if file is not None else "",
    ]
    return ", ".join(filter(None, named)) or "unknown origin"
