"""browser - Chromium, without a window."""
import base64
import hashlib
import subprocess


def pin_of(cert):
    """By which Chromium knows a certificate of nobody it trusts."""
    key = subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout"],
                         check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"],
                         input=key, check=True, capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def chromium(rig, url, cert):
    home = f"{rig.dir}/chromium"
    return rig.spawn([
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
        "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
        f"--user-data-dir={home}",
        f"--ignore-certificate-errors-spki-list={pin_of(cert)}", url],
        "chromium.log", env={"HOME": home, "PATH": "/usr/bin:/bin"})
