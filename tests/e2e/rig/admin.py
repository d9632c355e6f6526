"""admin - the admin socket, as src/admin/adminproto.h says it."""
import http.client
import json
import socket
import threading
import time


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=10):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Admin:
    def __init__(self, path):
        self.path = path

    def raw(self, method, target, body=None, fields=None, timeout=10):
        """(status, headers, text)"""
        c = UnixConnection(self.path, timeout)
        try:
            c.request(method, target, body=body, headers=fields or {})
            a = c.getresponse()
            return a.status, a.headers, a.read().decode()
        finally:
            c.close()

    def json(self, method, target, body=None, timeout=10):
        """(status, value)"""
        status, _, text = self.raw(
            method, target, None if body is None else json.dumps(body),
            timeout=timeout)
        return status, json.loads(text) if text else None

    def status(self):
        code, value = self.json("GET", "/v1/status")
        assert code == 200, value
        return value

    def command(self, verb, timeout=30, **args):
        """(status, value) of a command."""
        return self.json("POST", "/v1/command", {"verb": verb, **args},
                         timeout=timeout)

    def do(self, verb, **args):
        """A command that must be done."""
        code, value = self.command(verb, **args)
        assert code == 200, (verb, args, code, value)
        return value

    def reload(self):
        return self.json("POST", "/v1/reload", timeout=20)

    def pool(self, name, service=None):
        for s in self.status()["services"]:
            if service in (None, s["name"]):
                for p in s["pools"]:
                    if p["name"] == name:
                        return p
        raise KeyError(name)

    def instance(self, name):
        for s in self.status()["services"]:
            for p in s["pools"]:
                for i in p["instances"]:
                    if i["name"] == name:
                        return i
        raise KeyError(name)

    def metrics(self):
        """{"name{labels}": value}"""
        code, _, text = self.raw("GET", "/metrics")
        assert code == 200
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in text.splitlines()
                if line and not line.startswith("#")}

    def events(self, query="follow=0"):
        """[data] of the kept events."""
        code, _, text = self.raw("GET", f"/v1/events?{query}")
        assert code == 200
        return [json.loads(line[5:]) for line in text.splitlines()
                if line.startswith("data:")]


class Stream(threading.Thread):
    """A command with progress: [(wall time in us, event, data)] as it comes."""

    def __init__(self, admin, verb, **args):
        super().__init__(daemon=True)
        self.rows = []
        self.error = None
        self.conn = UnixConnection(admin.path, timeout=60)
        self.conn.request("POST", "/v1/command",
                          json.dumps({"verb": verb, **args}),
                          {"Accept": "text/event-stream"})
        self.start()

    def run(self):
        try:
            answer = self.conn.getresponse()
            event = ""
            while (line := answer.readline()) != b"":
                now = time.time_ns() // 1000
                text = line.decode().rstrip("\r\n")
                if text.startswith("event:"):
                    event = text[6:].strip()
                elif text.startswith("data:"):
                    self.rows.append((now, event, json.loads(text[5:])))
                    if event == "result":
                        return
        except (OSError, ValueError, http.client.HTTPException) as e:
            self.error = e
        finally:
            self.conn.close()

    def result(self, seconds=30):
        """(wall time in us, data) of the result."""
        self.join(seconds)
        assert self.rows and self.rows[-1][1] == "result", \
            (self.rows[-3:], self.error)
        return self.rows[-1][0], self.rows[-1][2]
