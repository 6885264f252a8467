"""cuts.py - a proxy in front of PostgreSQL that counts bytes, and hangs up at a chosen one."""
import contextlib
import socket
import threading

import faults

TO_SERVER, TO_CLIENT = "to the server", "to the client"


class ByteProxy(faults.PgProxy):
    def __init__(self, server_port):
        self.lock = threading.Lock()
        self.direction = None
        self.left = 0
        super().__init__(server_port, None)

    def cut(self, direction, after):
        """Let so many more bytes of one direction pass; then hang up on both."""
        with self.lock:
            self.direction, self.left = direction, after

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.server_port))
                except OSError:  # the server is away: so is what the client sees
                    faults.shut(client)
                    continue
                for ends in ((client, server, TO_SERVER), (server, client, TO_CLIENT)):
                    threading.Thread(target=self.carry, args=ends, daemon=True).start()

    def carry(self, source, target, direction):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                passing = self.take(direction, len(data))
                target.sendall(data[:passing])
                if passing < len(data):
                    break
        faults.shut(source)
        faults.shut(target)

    def take(self, direction, n):
        """How many of n bytes may pass."""
        with self.lock:
            if direction != self.direction:
                return n
            if n <= self.left:
                self.left -= n
                return n
            self.direction = None
            self.cuts += 1
            return self.left
