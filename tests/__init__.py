"""Tests. What every process of them needs is set here, before anything heavy is imported."""

import os
import sys

# Container images like to forbid bytecode. The tests start hundreds of processes, and each would compile the libraries
# anew: collecting the tests took 13 s of CPU instead of 4, in every worker.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
