"""proxies - what stands before the instance: each as a plain reverse proxy.

Configured to do the same job: keep-alive on both sides, upgrades passed on,
bodies up to 1 MiB and not gathered first, the client's address handed on.
"""
import subprocess

from rig.segued import pool, service

HAPROXY = """\
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  option forwardfor
  http-reuse always
frontend web
  bind {address}
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request deny deny_status 413 if {{ req.body_size gt 1048576 }}
  default_backend origin
backend origin
  server o1 {instance}
"""

NGINX = """\
daemon off;
master_process off;
worker_processes 1;
error_log {dir}/error.log;
pid {dir}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_max_body_size 1m;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
  fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream origin {{
    server {instance};
    keepalive 16;
  }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_request_buffering off;
    }}
  }}
}}
"""


def segued(rig, instance):
    s = rig.segued(service(
        pool("v1", [instance], probe={"interval": "30s",
                                      "fast_interval": "30ms"}),
        limits={"body": "1MiB"}, sticky={"scope": "none"}), start=False)
    s.config["listeners"][0]["http2"] = False  # HTTP/1 is compared
    s.write_config()
    s.start()
    return s.port


def haproxy(rig, instance):
    port = rig.port()
    path = f"{rig.dir}/haproxy.cfg"
    with open(path, "w", encoding="ascii") as f:
        f.write(HAPROXY.format(address=port.address,
                               instance=instance.address))
    child = rig.spawn(["haproxy", "-db", "-f", path], "haproxy.log")
    rig.wait_listening(port, child)
    return port


def nginx(rig, instance):
    port = rig.port()
    path = f"{rig.dir}/nginx.conf"
    with open(path, "w", encoding="ascii") as f:
        f.write(NGINX.format(address=port.address, dir=rig.dir,
                             instance=instance.address))
    child = rig.spawn(["nginx", "-p", rig.dir, "-c", path, "-e",
                       f"{rig.dir}/error.log"], "nginx.log")
    rig.wait_listening(port, child)
    return port


# The first is ours; the others are compared with it.
PROXIES = {"segue": segued, "HAProxy": haproxy, "nginx": nginx}


def version(name):
    """As the program says it; None when it is not installed."""
    words = {"HAProxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"]}[name]
    try:
        r = subprocess.run(words, capture_output=True, text=True, check=False,
                           stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return None
    text = (r.stdout + r.stderr).replace("/", " ").split()
    return next(w for w in text if w[0].isdigit()).split("-")[0]
