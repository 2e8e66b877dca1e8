"""Plays recorded editing sessions against a running server, through real sockets, and checks the end.

Everything here runs in the process of a *client*: it may hold pycrdt documents, which the server never does
(a document that hangs or crashes on hostile input takes this command with it, and nothing else).
"""
