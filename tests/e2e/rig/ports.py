"""ports - loopback ports nobody else gets while a test runs.

A reservation is a bound socket that never listens.  Linux lets a second
socket with SO_REUSEADDR bind and listen there, and gives the port to no
outgoing connection.
"""
import socket


class Port:
    def __init__(self, host="127.0.0.1"):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.host, self.number = self.sock.getsockname()

    @property
    def address(self):
        return f"{self.host}:{self.number}"

    def close(self):
        self.sock.close()
