"""peers - the proxies of the benchmark: how each is configured and started.

All do the same job: HTTP mode, keep-alive on both sides, the client's address
and scheme handed on, instances looked after where the program can (nginx
cannot).  A scenario says how many threads or workers there are, how many
instances, and whether there is an access log: a file, a line a request,
written in large pieces where the program can (HAProxy cannot).
"""
import ipaddress
import os
import shutil
import signal
import subprocess

import place

# pool-*-fd-ratio: by default idle server connections are given up once a
# quarter of the descriptors is in use, which 5,000 clients would reach.
HAPROXY = """\
global
  maxconn 9000
  nbthread {workers}
{log_to}
  tune.pool-low-fd-ratio 100
  tune.pool-high-fd-ratio 100
defaults
  mode http
{log}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  http-reuse always
  option forwardfor
frontend web
  bind 127.0.0.1:{port} backlog 4096{tls}
  http-request set-header X-Forwarded-Proto {scheme}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend origin
backend origin
{servers}
"""

# keepalive_requests: the default of 1,000 would close connections in the
# middle of a run; temporary files off: 64 MiB would go through the disk.
NGINX = """\
daemon off;
worker_processes {workers};
worker_rlimit_nofile 20000;
error_log {dir}/error.log;
pid {dir}/nginx.pid;
events {{ worker_connections 16384; }}
http {{
  access_log {log};
  keepalive_requests 100000000;
  keepalive_timeout 60s;
  client_max_body_size 0;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream origin {{
{servers}
    keepalive 8192;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096{tls};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
    }}
  }}
}}
"""

SEGUED = """\
workers: {workers}
state_dir: {dir}/state
access_log: {log}
admin: {{ socket: {dir}/admin.sock }}
listeners:
  - name: web
    address: 127.0.0.1:{port}
    backlog: 4096
{tls}
services:
  - name: bench
    match: [ {{ host: "*", path: / }} ]
    sticky: {{ scope: none }}
    limits: {{ body: 1GiB }}
    pools:
      - name: v1
        share: 100%
        instances: [ {servers} ]
        probe: {{ path: /, interval: 2s, fast_interval: 100ms, rise: 1, hold: 0s }}
        keepalive: {{ idle: 30s, max_idle: 8192 }}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def instances(env, scenario):
    """Where bench-origin listens: 127.0.0.1 and the addresses behind it."""
    first = ipaddress.ip_address("127.0.0.1")
    return [f"{first + i}:{env.origin_port}"
            for i in range(scenario.instances)]


def scheme(scenario):
    return "https" if scenario.tls else "http"


def relay_command(env, scenario):
    pin = ["--pin"] if scenario.big else []
    return [env.relay, "--origins", str(scenario.instances),
            "--workers", str(scenario.workers), *pin,
            f"127.0.0.1:{env.port}", f"127.0.0.1:{env.origin_port}"]


def haproxy_command(env, scenario):
    path = f"{env.dir}/haproxy.cfg"
    servers = [f"  server o{i} {address} check inter 2s"
               for i, address in enumerate(instances(env, scenario))]
    write(path, HAPROXY.format(
        port=env.port, workers=scenario.workers, servers="\n".join(servers),
        scheme=scheme(scenario),
        tls=f" ssl crt {env.cert} alpn h2,http/1.1" if scenario.tls else "",
        log_to="  log stdout format raw local0" if scenario.log else "",
        log="  log global\n  option httplog" if scenario.log else ""))
    return [env.haproxy, "-db", "-f", path]


def nginx_command(env, scenario):
    path = f"{env.dir}/nginx.conf"
    servers = [f"    server {address};"
               for address in instances(env, scenario)]
    log = f"{env.dir}/access.log combined buffer=64k flush=1s"
    write(path, NGINX.format(
        port=env.port, dir=env.dir, workers=scenario.workers,
        servers="\n".join(servers), log=log if scenario.log else "off",
        tls=f" ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate "
            f"{env.cert}; ssl_certificate_key {env.key}"
            if scenario.tls else ""))
    return [env.nginx, "-c", path, "-p", env.dir]


def segued_command(env, scenario):
    path = f"{env.dir}/segue.yaml"
    shutil.rmtree(f"{env.dir}/state", ignore_errors=True)
    os.mkdir(f"{env.dir}/state")
    log = f"{{ file: {env.dir}/access.log, format: combined }}"
    write(path, SEGUED.format(
        port=env.port, dir=env.dir, workers=scenario.workers,
        servers=", ".join(instances(env, scenario)),
        log=log if scenario.log else "off",
        tls=f"    tls: {{ certificates: [ {{ certificate: {env.cert}, "
            f"key: {env.key} }} ] }}" if scenario.tls else ""))
    return [env.segued, "-c", path]


# name: how to start it; the first is the floor, the last is ours
PEERS = {
    "relay": relay_command,
    "haproxy": haproxy_command,
    "nginx": nginx_command,
    "segued": segued_command,
}


class Running:
    """One started proxy; a context manager that stops it."""

    def __init__(self, env, name, scenario):
        self.name = name
        self.log = open(f"{env.dir}/{name}.log", "ab")
        self.access = f"{env.dir}/access.log"
        with open(self.access, "wb") as out:
            self.process = subprocess.Popen(
                place.on_core(1, scenario.workers) + PEERS[name](env, scenario),
                stdin=subprocess.DEVNULL, stdout=out, stderr=self.log)
        why = place.wait_for_answer(env.port, self.process,
                                    scheme(scenario))
        if why is not None:
            self.stop()
            raise RuntimeError(f"{name}: {why}; see {self.log.name}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        place.stop(self.process, signal.SIGINT if self.name == "segued"
                   else signal.SIGTERM)
        self.log.close()
        os.unlink(self.access)
