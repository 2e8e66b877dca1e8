"""A whole `collab` in one process on a virtual clock.

Hub, rooms, journal, checkpointer and socket shell are the real ones; the disk, the network, the wall clock and the
people are made up, and every decision comes from one seed.
"""
