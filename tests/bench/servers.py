"""Starts the servers that are measured, and talks to them."""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

PASSWORD = "bench-password"
AUTHORIZATION = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A child process that answers HTTP on loopback."""

    def start(self, command, ready_path, log, env=None):
        self.log_path = log
        self.log = open(log, "ab")
        started = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})})
        deadline = started + 30
        while True:
            try:
                status, _, _ = self.request("GET", ready_path)
                if status < 500:
                    break
            except OSError:
                pass
            if self.process.poll() is not None or time.perf_counter() > deadline:
                raise SystemExit(f"{command[0]} did not start: see {log}")
            time.sleep(0.002)
        self.start_seconds = time.perf_counter() - started
        return self

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def status_kib(self, field):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Entrepot(Server):
    def __init__(self, binary, data, log, role="serve", env=None):
        self.port = free_port()
        listen = "--worker-listen" if role == "worker" else "--listen"
        command = [str(binary), "--data-dir", str(data), listen, f"127.0.0.1:{self.port}", role]
        self.start(command, "/livez", log, {"ENTREPOT_ADMIN_PASSWORD": PASSWORD, **(env or {})})

    def api(self, method, path, body=None):
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
        path = path if path.startswith("/") else "/pulp/api/v3/" + path
        status, answer, _ = self.request(method, path, json.dumps(body) if body is not None else None, headers)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer.decode()}")
        return json.loads(answer) if answer else None

    def wait(self, task):
        while True:
            state = self.api("GET", task)
            if state["state"] in ("completed", "failed", "canceled"):
                if state["state"] != "completed":
                    raise SystemExit(f"the task {state['state']}: {state['error']}")
                return state
            time.sleep(0.01)

    def prepare(self, upstream, name):
        repository = self.api("POST", "repositories/container/container/", {"name": "bench"})["pulp_href"]
        remote = {"name": "bench", "url": upstream, "upstream_name": name}
        remote = self.api("POST", "remotes/container/container/", remote)["pulp_href"]
        return repository, remote

    def sync(self, repository, remote):
        """Seconds from the request to the completed task."""
        started = time.perf_counter()
        self.wait(self.api("POST", repository + "sync/", {"remote": remote})["task"])
        return time.perf_counter() - started

    def distribute(self, repository):
        body = {"name": "bench", "base_path": "bench/app", "repository": repository}
        self.wait(self.api("POST", "distributions/container/container/", body)["task"])


class Postgres:
    """A PostgreSQL of its own, with its usual settings, so that commits reach the disk."""

    def __init__(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
        self.control = str(programs / "pg_ctl")
        # It refuses to run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.folder = tempfile.mkdtemp(prefix="entrepot-bench-postgres-", dir="/var/tmp")
        if self.user:
            shutil.chown(self.folder, "postgres")
        self.data = self.folder + "/data"
        self.run([str(programs / "initdb"), "-D", self.data, "-U", "entrepot", "-A", "trust", "-E", "UTF8"])
        port = free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self.run([self.control, "-D", self.data, "-l", self.folder + "/log", "-w", "-o", options, "start"])
        self.url = f"postgres://entrepot@127.0.0.1:{port}/postgres"

    def run(self, command):
        subprocess.run(self.user + command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run([self.control, "-D", self.data, "-m", "immediate", "-w", "stop"])
        shutil.rmtree(self.folder)


class DockerRegistry(Server):
    def __init__(self, folder):
        self.port = free_port()
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.yml"
        config.write_text(
            "version: 0.1\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'data'}}}}}\n"
            f"http: {{addr: '127.0.0.1:{self.port}'}}\n"
        )
        self.start(["docker-registry", "serve", str(config)], "/v2/", self.folder / "log")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def push_blob(self, name, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.finish_upload(self.begin_upload(name), digest, content)
        return digest

    def begin_upload(self, name):
        _, _, headers = self.request("POST", f"/v2/{name}/blobs/uploads/")
        return headers["Location"].removeprefix(self.url)

    def finish_upload(self, location, digest, content):
        join = "&" if "?" in location else "?"
        headers = {"Content-Type": "application/octet-stream"}
        status, answer, _ = self.request("PUT", f"{location}{join}digest={digest}", content, headers)
        if status != 201:
            raise SystemExit(f"pushing a blob: {status} {answer.decode()}")

    def push_image(self, name, tag, layers):
        """`layers` are pairs of digest and size."""
        config = json.dumps({"architecture": "amd64", "os": "linux", "tag": tag}).encode()
        descriptors = [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": size}
            for digest, size in layers
        ]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": self.push_blob(name, config),
                "size": len(config),
            },
            "layers": descriptors,
        }
        status, answer, _ = self.request("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest), {"Content-Type": MANIFEST})
        if status != 201:
            raise SystemExit(f"pushing a manifest: {status} {answer.decode()}")
