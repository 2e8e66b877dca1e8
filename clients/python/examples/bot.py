"""A bot that types: `python bot.py http://127.0.0.1:8000 notes "Good morning, all."`

It shows itself as a person, types at the end of the text, and leaves when everything is on disk.
"""

from __future__ import annotations

import argparse
import asyncio

from collab_client import connect, text


async def type_into(url: str, document: str, words: str, root: str, key: str | None, pause_s: float) -> None:
    """One character at a time, wherever the end is by then."""
    async with connect(url, document, key) as live:
        live.presence.show(user={"name": "Bot", "color": "#3366dd"})
        target = live.text(root)
        for char in words:
            text.insert(target, len(text.read(target)), char)
            await asyncio.sleep(pause_s)
        await live.saved()
        print(f"{len(words)} characters are on disk; with me: {len(live.presence.others)}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("document")
    parser.add_argument("words")
    parser.add_argument("--root", default="text")
    parser.add_argument("--key", help="token or API key")
    parser.add_argument("--pause", type=float, default=0.08, help="seconds between characters")
    given = parser.parse_args()
    asyncio.run(type_into(given.url, given.document, given.words, given.root, given.key, given.pause))


if __name__ == "__main__":
    main()
