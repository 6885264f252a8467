"""moto_server.py - moto, each request's work in one go.

moto serves requests in threads and changes its list of messages without a lock: a delete may undo
another, and two receives may give the same message.  Here threads take turns only where they wait.
"""
import sys

from moto.server import main

if __name__ == "__main__":
    sys.setswitchinterval(60)
    main(sys.argv[1:])
