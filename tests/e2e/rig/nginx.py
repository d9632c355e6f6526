"""nginx - a real instance: one process of nginx with its own prefix.

    /get      answers at once; the id of the query comes back in X-Echo
    /who      who the client is, by preface and by field; number of the
              connection
    /post     reads the whole body first
    /slow/N   answers after N tenths of a second (1, 5, 10, 30)
    /big      a static file of 256 KiB
    /health   200, or 503 while the instance is told to be unready
"""
import os
import re
import signal
import subprocess
import time

CONFIG = """\
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off;
master_process off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log {level};
events {{ worker_connections 8192; }}
http {{
  log_format e2e '$msec $request_method $status $uri id=$arg_id '
                 'cookie="$http_cookie" preface=$proxy_protocol_addr';
  access_log {dir}/access.log e2e;
  client_body_temp_path {dir}/tmp; proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp; uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
  client_max_body_size 64m;
  keepalive_timeout {keepalive};
  keepalive_requests {requests};
  rewrite_log {rewrite_log};
  server {{
    listen {address} backlog=4096{listen};
    add_header X-Version "{version}" always;
    add_header X-Instance "{name}" always;
    add_header X-Echo "$arg_id" always;
    default_type text/plain;
    location = /get {{ return 200 "{version} {name} $arg_id\\n"; }}
    location = /who {{
      return 200 "$proxy_protocol_addr $http_x_forwarded_for $connection\n";
    }}
    location = /post {{
      rewrite ^/post$ /post break;
      echo_read_request_body;
      echo "{version} {name} $arg_id";
    }}
    location = /slow/1 {{ echo_sleep 0.1; echo slow; }}
    location = /slow/5 {{ echo_sleep 0.5; echo slow; }}
    location = /slow/10 {{ echo_sleep 1; echo slow; }}
    location = /slow/30 {{ echo_sleep 3; echo slow; }}
    location = /big {{ alias {dir}/big; }}
    location = /health {{
      access_log off;
      if (-f {dir}/unready) {{ return 503 "DOWN\\n"; }}
      return 200 "UP\\n";
    }}
    location / {{ return 404 "nothing here\\n"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, rig, version, name, keepalive="75s", requests=1000,
                 arrivals=False, proxy_protocol=False, tls=None, http2=False):
        """http2: over TLS by ALPN; in clear it speaks nothing else."""
        self.rig, self.version, self.name = rig, version, name
        self.port = rig.port()
        self.address = self.port.address
        self.dir = f"{rig.dir}/{name}"
        os.makedirs(f"{self.dir}/tmp")
        with open(f"{self.dir}/big", "wb") as f:
            f.write(os.urandom(256 * 1024))
        with open(f"{self.dir}/nginx.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(
                dir=self.dir, address=self.address, version=version,
                name=name, keepalive=keepalive, requests=requests,
                listen=(" proxy_protocol" if proxy_protocol else "") +
                (" http2" if http2 else "") +
                (f" ssl; ssl_certificate {tls.cert}; ssl_certificate_key "
                 f"{tls.key}; ssl_protocols TLSv1.2 TLSv1.3"
                 if tls else ""),
                level="notice" if arrivals else "warn",
                rewrite_log="on" if arrivals else "off"))
        self.child = None
        self.start()

    def start(self):
        self.child = self.rig.spawn(
            ["nginx", "-p", self.dir, "-c", f"{self.dir}/nginx.conf",
             "-e", f"{self.dir}/error.log"], f"{self.name}-out.log")
        self.rig.wait_listening(self.port, self.child)

    def kill(self):
        """As a crash does it: SIGKILL."""
        self.child.kill()
        self.child.wait()

    def stop(self):
        """As an operator does it: gracefully."""
        self.child.send_signal(signal.SIGQUIT)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def set_ready(self, ready):
        path = f"{self.dir}/unready"
        if ready:
            if os.path.exists(path):
                os.unlink(path)
        else:
            open(path, "w", encoding="ascii").close()

    def log_lines(self):
        try:
            with open(f"{self.dir}/access.log", encoding="latin-1") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def answered_ids(self):
        """The ids of all POSTs that were answered here, in order."""
        return [m.group(1) for line in self.log_lines()
                if (m := re.search(r" POST \d+ \S+ id=(\S+) ", line))]

    def arrived_ids(self):
        """With arrivals=True: the ids of all POSTs whose head came here."""
        ids = []
        with open(f"{self.dir}/error.log", encoding="latin-1") as f:
            for line in f:
                m = re.search(r'" matches ".*request: "POST \S+\?id=([^ &]+)',
                              line)
                if m:
                    ids.append(m.group(1))
        return ids

    def count(self, word=""):
        return sum(word in line for line in self.log_lines())

    def wait_count(self, n, word="", seconds=5):
        end = time.monotonic() + seconds
        while self.count(word) < n:
            assert time.monotonic() < end, \
                f"{self.name}: {self.count(word)} of {n} requests arrived"
            time.sleep(0.005)
