"""cuts.py - a proxy in front of PostgreSQL that counts bytes, and cuts or holds at a chosen one."""
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
        self.gate = None
        super().__init__(server_port, None)

    def cut(self, direction, after):
        """Let so many more bytes of one direction pass; then hang up on both."""
        with self.lock:
            self.direction, self.left, self.gate = direction, after, None

    def hold(self, direction, after):
        """The same, but keep the connection and let nothing more of that direction pass."""
        self.cut(direction, after)
        self.gate = threading.Event()

    def release(self):
        self.gate.set()

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
                passing, gate = self.take(direction, len(data))
                target.sendall(data[:passing])
                if passing == len(data):
                    continue
                if gate is None:
                    break
                gate.wait(300)
                target.sendall(data[passing:])
        faults.shut(source)
        faults.shut(target)

    def take(self, direction, n):
        """How many of n bytes may pass, and what to wait for if not all."""
        with self.lock:
            if direction != self.direction:
                return n, None
            if n <= self.left:
                self.left -= n
                return n, None
            self.direction = None
            self.cuts += 1
            return self.left, self.gate
