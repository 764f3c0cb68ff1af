"""Mirroring 100 tags into an empty store, and once more when nothing changed."""

import hashlib
import os
import random
import shutil
import statistics
import subprocess
import time

from servers import DockerRegistry, Entrepot

NAME = "bench/app"
LAYERS = 5
MIB = 1024 * 1024


def fill(registry, tags):
    """Each image has five layers of 1 to 4 MiB of random bytes; a third of all layers is shared."""
    chance = random.Random(20)
    shared = []
    for _ in range(20):
        content = chance.randbytes(chance.randint(MIB, 4 * MIB))
        shared.append((registry.push_blob(NAME, content), len(content)))
    for tag in range(tags):
        layers = []
        for layer in range(LAYERS):
            if (tag * LAYERS + layer) % 3 == 0:
                layers.append(chance.choice(shared))
            else:
                content = chance.randbytes(chance.randint(MIB, 4 * MIB))
                layers.append((registry.push_blob(NAME, content), len(content)))
        registry.push_image(NAME, f"v{tag}", layers)


def copy(source, target):
    """What any mirror has to do at least: read, hash, write, sync to disk."""
    files = [path for path in source.rglob("data") if path.is_file()]
    target.mkdir()
    started = time.perf_counter()
    total = 0
    for number, path in enumerate(files):
        digest = hashlib.sha256()
        with open(path, "rb") as reading, open(target / str(number), "wb") as writing:
            while block := reading.read(MIB):
                digest.update(block)
                writing.write(block)
                total += len(block)
            writing.flush()
            os.fsync(writing.fileno())
    return time.perf_counter() - started, total


def skopeo(registry, target):
    target.mkdir()
    command = ["skopeo", "sync", "--src", "docker", "--dest", "dir", "--src-tls-verify=false"]
    started = time.perf_counter()
    subprocess.run([*command, f"127.0.0.1:{registry.port}/{NAME}", str(target)], check=True, capture_output=True)
    return time.perf_counter() - started


def requests(registry):
    """Requests that the registry's access log shows so far."""
    return sum(b'" 200 ' in line or b'" 304 ' in line for line in registry.log_path.read_bytes().splitlines())


def run(binary, folder, rounds, tags, parts):
    with DockerRegistry(folder / "upstream") as registry:
        print(f"filling docker-registry with {tags} tags of {LAYERS} layers …", flush=True)
        fill(registry, tags)
        times = {"entrepot": [], "skopeo sync": [], "copy+sha256+fsync": []}
        again, counts = [], []
        for number in range(rounds):
            seconds, total = copy(folder / "upstream" / "data", folder / "copy")
            times["copy+sha256+fsync"].append(seconds)
            times["skopeo sync"].append(skopeo(registry, folder / "skopeo"))
            with Entrepot(binary, folder / "entrepot", folder / f"entrepot-{number}.log") as entrepot:
                repository, remote = entrepot.prepare(registry.url, NAME)
                times["entrepot"].append(entrepot.sync(repository, remote))
                before = requests(registry)
                again.append(entrepot.sync(repository, remote))
                counts.append(requests(registry) - before)
            for used in ("copy", "skopeo", "entrepot"):
                shutil.rmtree(folder / used)
        report(times, again, counts, total, tags, parts)


def report(times, again, counts, total, tags, parts):
    median = {name: statistics.median(values) for name, values in times.items()}
    ours = median["entrepot"]
    if "mirror" in parts:
        print(f"\nmirror: {tags} tags, {total / MIB:.0f} MiB, into an empty store (median of {len(again)})")
        for name, values in times.items():
            spread = ", ".join(f"{value:.2f}" for value in values)
            print(f"  {name:20} {median[name]:7.2f} s   entrepot takes {ours / median[name]:5.2f} × that   ({spread})")
        print("  aims: at most 0.33 × skopeo sync, 1.5 × copying")
    if "resync" in parts:
        once_more = statistics.median(again)
        print("\nresync: nothing changed")
        print(f"  {once_more:.3f} s, {100 * once_more / ours:.1f} % of the first time (aim: under 5 %)")
        print(f"  {statistics.median(counts) / tags:.2f} requests a tag (aim: at most 2)")
