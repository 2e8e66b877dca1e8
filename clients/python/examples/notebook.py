"""A reader as in a notebook: `python notebook.py http://127.0.0.1:8000 notes --until done`

No `await`: run the lines of `follow` in cells of their own, and look at `live.read()` whenever you like.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from collab_client import LiveDocument, text
from collab_client.sync import connect


def follow(url: str, document: str, root: str, key: str | None, until: str) -> Iterator[str]:
    """Each text that was there to be read, until it holds the word."""
    with connect(url, document, key) as live:
        shown = live.read(root)
        yield shown
        while until not in shown:
            live.until(reads_other_than(shown, root))
            shown = live.read(root)
            yield shown


def reads_other_than(seen: str, root: str) -> Callable[[LiveDocument], bool]:
    """The condition to wait for."""
    return lambda live: text.read(live.text(root)) != seen


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("document")
    parser.add_argument("--root", default="text")
    parser.add_argument("--key", help="token or API key")
    parser.add_argument("--until", required=True, help="a word that ends it")
    given = parser.parse_args()
    for shown in follow(given.url, given.document, given.root, given.key, given.until):
        print(f"{len(shown.split())} words, {len(shown)} characters: …{shown[-40:]!r}", flush=True)


if __name__ == "__main__":
    main()
