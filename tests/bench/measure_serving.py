"""Manifests by tag and a 64 MiB blob under load, beside docker-registry."""

import random
import re
import subprocess

from servers import MANIFEST, DockerRegistry, Entrepot

NAME = "bench/app"
MIB = 1024 * 1024


def load(server, path, connections, seconds):
    """Requests, bytes and CPU seconds of one run of wrk."""
    # docker-registry gives OCI manifests only to those who ask for them.
    command = ["wrk", f"-t{min(connections, 2)}", f"-c{connections}", f"-d{seconds}s", "-H", f"Accept: {MANIFEST}"]
    before = server.cpu_seconds()
    answer = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}{path}"], check=True, capture_output=True, text=True
    ).stdout
    used = server.cpu_seconds() - before
    if "Non-2xx" in answer:
        raise SystemExit(f"{path} did not answer 200:\n{answer}")
    count, spent, amount, unit = re.search(r"(\d+) requests in ([\d.]+)s, ([\d.]+)(\w+) read", answer).groups()
    scale = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}[unit]
    return int(count), float(amount) * scale, used, float(spent)


def run(binary, folder, seconds):
    with DockerRegistry(folder / "peer") as registry:
        content = random.Random(64).randbytes(64 * MIB)
        blob = registry.push_blob(NAME, content)
        registry.push_image(NAME, "latest", [(blob, len(content))])
        with Entrepot(binary, folder / "serving", folder / "serving.log") as entrepot:
            repository, remote = entrepot.prepare(registry.url, NAME)
            entrepot.sync(repository, remote)
            entrepot.distribute(repository)
            servers = [("entrepot", entrepot), ("docker-registry", registry)]
            print("\nGET /v2/<name>/manifests/<tag> (aim: under 80 µs of CPU)")
            for connections in (1, 8, 64):
                for name, server in servers:
                    count, _, used, spent = load(server, f"/v2/{NAME}/manifests/latest", connections, seconds)
                    line = f"{count / spent:9.0f} requests/s   {1e6 * used / count:6.1f} µs CPU a request"
                    print(f"  {connections:3} connections  {name:16} {line}")
            print("\nGET of a 64 MiB blob (aim: under 400 ms of CPU a GiB)")
            for connections in (1, 8, 64):
                for name, server in servers:
                    _, amount, used, spent = load(server, f"/v2/{NAME}/blobs/{blob}", connections, seconds)
                    line = f"{amount / spent / MIB:9.0f} MiB/s        {1000 * used / (amount / 2**30):6.0f} ms CPU a GiB"
                    print(f"  {connections:3} connections  {name:16} {line}")
            print(f"  entrepot after the load: {entrepot.status_kib('VmRSS') / 1024:.0f} MiB resident")
