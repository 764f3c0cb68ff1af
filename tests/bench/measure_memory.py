"""How long a start takes, and how much memory: idle, and during the sync of a very large layer."""

import hashlib
import random
import shutil
import statistics
import time

from servers import DockerRegistry, Entrepot

MIB = 1024 * 1024


def start(binary, folder):
    fresh, warm, idle = [], [], []
    for number in range(5):
        data = folder / f"start-{number}"
        with Entrepot(binary, data, folder / "start.log") as entrepot:
            fresh.append(entrepot.start_seconds)
        with Entrepot(binary, data, folder / "start.log") as entrepot:
            warm.append(entrepot.start_seconds)
            # Let the first heartbeats pass, so that everything that stays has been allocated.
            time.sleep(3)
            idle.append(entrepot.status_kib("VmRSS") / 1024)
        shutil.rmtree(data)
    print("\nstart to first answer (median of 5)")
    print(f"  {statistics.median(fresh) * 1000:.0f} ms with an empty folder, {statistics.median(warm) * 1000:.0f} ms after that (aim: under 1 s)")
    print(f"  idle: {statistics.median(idle):.0f} MiB resident (aim: under 60)")


def push_large(registry, name, size_bytes):
    """Streams a layer of blocks that all differ."""
    block = bytearray(random.Random(4).randbytes(MIB))
    digest = hashlib.sha256()
    blocks = size_bytes // MIB

    def content():
        for number in range(blocks):
            block[:8] = number.to_bytes(8, "big")
            piece = bytes(block)
            digest.update(piece)
            yield piece

    location = registry.begin_upload(name)
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blocks * MIB)}
    _, _, answer = registry.request("PATCH", location, content(), headers)
    name_of = "sha256:" + digest.hexdigest()
    registry.finish_upload(answer["Location"].removeprefix(registry.url), name_of, b"")
    return name_of, blocks * MIB


def large_layer(binary, folder, gib):
    with DockerRegistry(folder / "large") as registry:
        print(f"\npushing a layer of {gib:g} GiB …", flush=True)
        layer = push_large(registry, "bench/large", int(gib * 1024) * MIB)
        registry.push_image("bench/large", "latest", [layer])
        with Entrepot(binary, folder / "large-data", folder / "large.log") as entrepot:
            repository, remote = entrepot.prepare(registry.url, "bench/large")
            seconds = entrepot.sync(repository, remote)
            peak = entrepot.status_kib("VmHWM") / 1024
        print(f"sync of one layer of {gib:g} GiB: {seconds:.1f} s, {gib * 1024 / seconds:.0f} MiB/s")
        print(f"  peak: {peak:.0f} MiB resident (aim: under 150)")
    shutil.rmtree(folder / "large")
    shutil.rmtree(folder / "large-data")
