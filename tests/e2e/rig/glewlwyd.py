"""glewlwyd - a real identity server in C: one process, and a database of its
own in SQLite.

Its tables come from the file that the package has for dbconfig-common; all
else is told to it by its admin API.  A second one begins with a copy of what
the first knows, and from then on they share nothing.

Each of its answers says its version, as the origin that it allows.

Ask it one thing at a time (max_requests of its pool): its requests share one
connection to SQLite and now and then take the row of another for the one that
they have just made.
"""
import json
import os
import sqlite3
from contextlib import closing

from rig.certs import openssl
from rig.wire import Client

TABLES = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
MODULES = "/usr/lib/glewlwyd"
ROOT = "/api/oidc"  # of its plugin for OpenID Connect
DISCOVERY = f"{ROOT}/.well-known/openid-configuration"
APP = "https://app.example"
SCOPES = "openid post"
CONFIG = """\
port = {port}
bind_address = "127.0.0.1"
external_url = "{url}"
login_url = "login.html"
api_prefix = "api"
allow_origin = "{version}"
log_mode = "console"
log_level = "WARNING"
cookie_secure = 0
session_key = "LOGIN"
session_expiration = 3600
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "{modules}/user"
client_module_path = "{modules}/client"
user_auth_scheme_module_path = "{modules}/scheme"
plugin_module_path = "{modules}/plugin"
hash_algorithm = "SHA256"
database = {{ type = "sqlite3"; path = "{db}"; }};
"""


def tell(client, method, target, value):
    """A value of JSON, by the connection of who may say it."""
    client.ask(target, method, json.dumps(value).encode(),
               "Content-Type: application/json\r\n")
    a = client.answer()
    assert a.status == 200, (method, target, a.status, a.body)


class Glewlwyd:
    def __init__(self, rig, version, url, like=None):
        """url: where people find it; like: who had what it begins with."""
        self.rig, self.version, self.url = rig, version, url
        self.name = f"glewlwyd-{version}"
        self.port = rig.port()
        self.address = self.port.address
        self.path = f"{rig.dir}/{self.name}"
        with closing(sqlite3.connect(f"{self.path}.db")) as db:
            if like is None:
                with open(TABLES, encoding="utf-8") as f:
                    db.executescript(f.read())
            else:
                with closing(sqlite3.connect(f"{like.path}.db")) as old:
                    old.backup(db)
        self.write_config()
        self.child = rig.spawn(["glewlwyd", "-c", f"{self.path}.conf"],
                               f"{self.name}-out.log")
        rig.wait_listening(self.port, self.child)

    def write_config(self):
        with open(f"{self.path}.conf", "w", encoding="ascii") as f:
            f.write(CONFIG.format(
                port=self.port.number, url=self.url, version=self.version,
                modules=MODULES, db=f"{self.path}.db"))

    def kill(self):
        """As a crash does it: SIGKILL."""
        self.child.kill()
        self.child.wait()

    # ---- what an administrator tells it ----

    def admin(self):
        """A connection of the first user, whom the tables bring along."""
        c = Client(self.address, timeout=30)
        tell(c, "POST", "/api/auth/",
             {"username": "admin", "password": "password"})
        return c

    def set_up(self, people):
        """One application; all that these people have to log in to it."""
        with self.admin() as c:
            tell(c, "POST", "/api/scope/", {
                "name": "post", "display_name": "The address of the post",
                "password_required": True, "scheme": {}})
            tell(c, "POST", "/api/mod/plugin/", self.plugin("first"))
            tell(c, "POST", "/api/client/", {
                "client_id": "app", "confidential": False, "enabled": True,
                "redirect_uri": [f"{APP}/in"], "scope": SCOPES.split(),
                "authorization_type": ["code", "refresh_token"],
                "token_endpoint_auth_method": ["none"]})
            for name in people:
                tell(c, "POST", "/api/user/", {
                    "username": name, "password": f"{name}'s secret",
                    "email": f"{name}@users.example",
                    "scope": ["g_profile", *SCOPES.split()]})

    def sign_with(self, key):
        """From now on; the name of a key that is made when there is none."""
        with self.admin() as c:
            tell(c, "PUT", "/api/mod/plugin/oidc", self.plugin(key))
            tell(c, "PUT", "/api/mod/plugin/oidc/reset", {})

    def plugin(self, key):
        private, public = (f"{self.rig.dir}/{key}.{k}" for k in ("key", "pem"))
        if not os.path.exists(public):
            openssl("genrsa", "-out", private, "2048")
            openssl("rsa", "-in", private, "-pubout", "-out", public)
        pair = {}
        for what, path in (("key", private), ("cert", public)):
            with open(path, encoding="ascii") as f:
                pair[what] = f.read()
        return {"module": "oidc", "name": "oidc", "display_name": "Login",
                "parameters": {
                    **pair, "iss": self.url + ROOT,
                    "jwt-type": "rsa", "jwt-key-size": "256",
                    "jwks-show": True, "allowed-scope": SCOPES.split(),
                    "access-token-duration": 600, "code-duration": 60,
                    "refresh-token-duration": 3600,
                    "refresh-token-rolling": True,
                    "refresh-token-one-use": "always",
                    "auth-type-code-enabled": True,
                    "auth-type-code-revoke-replayed": True,
                    "auth-type-refresh-enabled": True,
                    "email-claim": "mandatory", "email-claim-scope": ["post"],
                    "pkce-allowed": True, "pkce-required": True,
                    "pkce-method-plain-allowed": False,
                    "session-management-allowed": True,
                    "session-cookie-name": "SESSION",
                    "session-cookie-expiration": 3600}}
