"""Lets `python -m collab` do what `collab` does."""

from collab.main import main

if __name__ == "__main__":
    main()
