"""redis - a real redis-server on a Unix socket, with a port where one is asked
for, nothing on disk; and sentinels."""
import selectors
import signal
import socket
import threading
import time

from rig.rig import wait_until


class ReplyError(Exception):
    """What Redis has refused."""


def encode(words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def read_reply(f):
    line = f.readline()
    kind, rest = line[:1], line[1:].strip()
    if kind == b"+":
        return rest.decode()
    if kind == b"-":
        raise ReplyError(rest.decode())
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else f.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return [read_reply(f) for _ in range(int(rest))]
    raise EOFError(line)


class Redis:
    def __init__(self, rig, name="redis", *words, port=False, password=None):
        self.rig, self.name, self.password = rig, name, password
        self.socket = f"{rig.dir}/{name}.sock"
        self.port = rig.port() if port else None
        self.words = [
            "redis-server", "--port",
            str(self.port.number) if port else "0", "--bind",
            self.port.host if self.port else "127.0.0.1", "--protected-mode",
            "no", "--unixsocket", self.socket, "--save", "", "--appendonly", "no",
            "--dir", rig.dir, *words]
        if password:
            self.words += ["--requirepass", password]
        self.start()

    @property
    def address(self):
        return self.port.address if self.port else f"unix:{self.socket}"

    def start(self):
        self.child = self.rig.spawn(self.words, f"{self.name}-out.log")
        wait_until(self.answers, 20, "an answer of redis-server")

    def answers(self):
        assert self.child.poll() is None, "redis-server ended"
        try:
            return self.do("PING") == "PONG"
        except OSError:
            return False

    def do(self, *words):
        """The answer to a command."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.socket)
            with s.makefile("rb") as f:
                if self.password:
                    s.sendall(encode(["AUTH", self.password]))
                    read_reply(f)
                s.sendall(encode(words))
                return read_reply(f)

    def keys(self, pattern="*"):
        return [k.decode() for k in self.do("KEYS", pattern)]

    def send(self, number):
        self.child.send_signal(number)

    def pause(self):
        self.send(signal.SIGSTOP)

    def go_on(self):
        self.send(signal.SIGCONT)

    def kill(self):
        self.child.kill()
        self.child.wait()


class Sentinel:
    """One that watches a master as "main"."""

    def __init__(self, rig, master, name, quorum):
        self.port = rig.port()
        config = f"{rig.dir}/{name}.conf"
        with open(config, "w", encoding="ascii") as f:
            f.write(f"port {self.port.number}\nbind 127.0.0.1\n"
                    f"dir {rig.dir}\n"
                    f"sentinel monitor main 127.0.0.1 {master.port.number} "
                    f"{quorum}\n"
                    "sentinel down-after-milliseconds main 500\n"
                    "sentinel failover-timeout main 3000\n")
        self.child = rig.spawn(["redis-server", config, "--sentinel"],
                               f"{name}-out.log")

    @property
    def address(self):
        return self.port.address

    def ask(self, *words):
        with socket.create_connection(("127.0.0.1", self.port.number), 5) as s:
            s.sendall(encode(words))
            with s.makefile("rb") as f:
                return read_reply(f)


class Between:
    """Between a proxy and Redis: answers are late, or nothing gets through.

    One thread for all connections: what was sent first arrives first, on
    whichever of them, as in a network."""

    def __init__(self, redis, path, late=0):
        self.redis, self.late = redis, late
        self.on_its_way = []  # (when it is due, how it is delivered)
        self.open = threading.Event()
        self.open.set()
        self.turn = threading.Lock()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(path)
        self.sock.listen(16)
        self.address = f"unix:{path}"
        self.ready = selectors.DefaultSelector()
        self.ready.register(self.sock, selectors.EVENT_READ, self.accept)
        threading.Thread(target=self.serve, daemon=True).start()

    def cut(self):
        """No byte goes either way, and nobody hears of it."""
        with self.turn:
            self.open.clear()

    def mend(self):
        """What was on its way arrives."""
        self.open.set()

    def serve(self):
        while True:
            self.open.wait()
            events = self.ready.select(self.pause())
            with self.turn:
                if self.open.is_set():
                    for key, _ in events:
                        key.data()
                    self.deliver()

    def pause(self):
        dues = [due for due, _ in self.on_its_way]
        return max(min(dues) - time.monotonic(), 0) if dues else 0.1

    def deliver(self):
        due = [x for x in self.on_its_way if x[0] <= time.monotonic()]
        for one in sorted(due, key=lambda x: x[0]):
            self.on_its_way.remove(one)
            one[1]()

    def accept(self):
        c, _ = self.sock.accept()
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.redis.socket)
        except OSError:
            c.close()
            return
        self.listen(c, s, lambda: 0)
        self.listen(s, c, lambda: self.late)

    def listen(self, source, to, late):
        self.ready.register(source, selectors.EVENT_READ,
                            lambda: self.take(source, to, late))

    def take(self, source, to, late):
        """Nothing more is read from there until this has arrived."""
        self.ready.unregister(source)
        try:
            data = source.recv(65536)
        except OSError:
            data = b""

        def arrive():
            try:
                if data:
                    to.sendall(data)
                    self.listen(source, to, late)
                else:
                    to.shutdown(socket.SHUT_WR)
            except OSError:
                source.close()

        if late() and data:
            self.on_its_way.append((time.monotonic() + late(), arrive))
        else:
            arrive()
