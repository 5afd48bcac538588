"""deploy/nginx/cgdmer.conf in a real nginx: TLS, a password, WebSockets, and the headers that both servers need."""

import http.server
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest
from support.server_process import free_port, server_process

from flows.services import PORTS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "deploy/nginx/cgdmer.conf").read_text()
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
OPENSSL = shutil.which("openssl")
HOSTS = {"prefect": "prefect.example.org", "mlflow": "mlflow.example.org"}
RIGHT, WRONG = "ops:a1b2c3d4", "ops:wrong"
pytestmark = pytest.mark.skipif(
    not (NGINX and OPENSSL), reason="nginx or openssl is not installed: apt-get install nginx-light openssl"
)


class Echo(http.server.BaseHTTPRequestHandler):
    """Stands for a server behind the proxy: answers with the headers of the request, and counts its bytes."""

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = f"{self.headers}bytes: {len(body)}\nport: {self.server.server_port}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_PUT = do_GET

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def behind():
    """The ports of the two servers behind the proxy, by name."""
    servers = {name: http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) for name in HOSTS}
    for one in servers.values():
        threading.Thread(target=one.serve_forever, daemon=True).start()
    yield {name: one.server_port for name, one in servers.items()}
    for one in servers.values():
        one.shutdown()
        one.server_close()


def whole(folder, text):
    """Write the file with other paths into a complete configuration, and return that."""
    (folder / "cgdmer.conf").write_text(text.replace("/etc/nginx", str(folder)))
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"include {folder}/cgdmer.conf; }}\n"
    )
    return [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(main)]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """A folder with a certificate of our own and a password, made by the commands of the document."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "tls").mkdir()
    names = ",".join(f"DNS:{host}" for host in HOSTS.values())
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=proxy", "-addext", f"subjectAltName={names}"]
    files = ["-keyout", str(folder / "tls/privkey.pem"), "-out", str(folder / "tls/fullchain.pem")]
    subprocess.run([OPENSSL, *new, *files], check=True, capture_output=True)
    name, password = RIGHT.split(":")
    page = (ROOT / "docs/many_machines.md").read_text()
    assert "$(openssl passwd -6)" in page
    hashed = subprocess.run([OPENSSL, "passwd", "-6", password], check=True, capture_output=True, text=True).stdout
    (folder / "cgdmer.htpasswd").write_text(f"{name}:{hashed}")
    (folder / "cgdmer.htpasswd").chmod(0o644)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def proxy(secrets, behind):
    """The ports of a running nginx: plain, TLS."""
    plain, tls = free_port(), free_port()
    text = TEXT.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace("listen 443 ", f"listen 127.0.0.1:{tls} ")
    for name, port in behind.items():
        text = text.replace(f"http://127.0.0.1:{PORTS[name]}", f"http://127.0.0.1:{port}")
    for parent in list(secrets.parents)[:3]:
        if parent != Path("/tmp") and parent.stat().st_mode & 0o7 == 0:
            parent.chmod(parent.stat().st_mode | 0o1)  # nginx's workers are another user
    with server_process(whole(secrets, text), secrets / "log", {}) as process:
        process.wait(lambda: (secrets / "pid").is_file() and ask(secrets, tls, "mlflow", "/health")[0] == 200)
        yield plain, tls


def ask(secrets, port, name, path, auth="", method="GET", data=None, **headers):
    """Return status and text of a request over TLS that trusts the certificate only."""
    context = ssl.create_default_context(cafile=str(secrets / "tls/fullchain.pem"))
    context.check_hostname = False  # the address is 127.0.0.1; the names are in the certificate
    headers = {key.replace("_", "-"): value for key, value in headers.items()} | {"Host": HOSTS[name]}
    if auth:
        headers["Authorization"] = f"Basic {b64encode(auth.encode()).decode()}"
    request = urllib.request.Request(f"https://127.0.0.1:{port}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


def test_nginx_takes_the_file_and_refuses_a_misspelt_one(secrets):
    good = subprocess.run([*whole(secrets, TEXT), "-t"], capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "[warn]" not in good.stderr
    bad = subprocess.run([*whole(secrets, TEXT.replace("auth_basic ", "auth_bassic ", 1)), "-t"],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert "auth_bassic" in bad.stderr
    assert bad.returncode == 1


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize(("auth", "code"), [(RIGHT, 200), (WRONG, 401), ("", 401)])
def test_only_the_password_opens_a_server_and_each_name_leads_to_its_own(secrets, proxy, behind, name, auth, code):
    status, text = ask(secrets, proxy[1], name, "/api/anything", auth)
    assert status == code
    assert (f"port: {behind[name]}" in text) == (code == 200)


@pytest.mark.parametrize(("name", "path"), [("prefect", "/api/health"), ("mlflow", "/health")])
def test_whether_a_server_is_healthy_is_no_secret(secrets, proxy, name, path):
    assert ask(secrets, proxy[1], name, path)[0] == 200
    assert ask(secrets, proxy[1], name, path + "/more")[0] == 401


def test_plain_http_leads_to_tls(proxy):
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *words):
            return None

    request = urllib.request.Request(f"http://127.0.0.1:{proxy[0]}/a?b=1", headers={"Host": HOSTS["mlflow"]})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(Stay).open(request, timeout=30)
    assert (caught.value.code, caught.value.headers["Location"]) == (308, "https://mlflow.example.org/a?b=1")


def test_websockets_of_prefect_pass(secrets, proxy):
    _, text = ask(secrets, proxy[1], "prefect", "/api/events/in", RIGHT, Upgrade="websocket", Connection="Upgrade")
    assert "Upgrade: websocket" in text
    assert "Connection: upgrade" in text


@pytest.mark.parametrize(
    ("origin", "forwarded"), [("https://mlflow.example.org", False), ("https://evil.example.net", True)]
)
def test_mlflow_sees_a_host_that_it_allows_and_foreign_origins_only(secrets, proxy, origin, forwarded):
    status, text = ask(secrets, proxy[1], "mlflow", "/ajax-api/x", RIGHT, "POST", b"{}", Origin=origin)
    assert status == 200
    assert "Host: localhost:5000" in text
    assert (f"Origin: {origin}" in text) == forwarded


def test_artifacts_of_any_size_pass_to_mlflow_and_requests_to_prefect_have_a_limit(secrets, proxy):
    large = bytes(17 << 20)
    assert f"bytes: {len(large)}" in ask(secrets, proxy[1], "mlflow", "/a", RIGHT, "PUT", large)[1]
    assert ask(secrets, proxy[1], "prefect", "/api/a", RIGHT, "POST", large)[0] in (413, 0)  # or a closed connection
