"""Tasks a second and their latency, on SQLite in one process and on PostgreSQL with a server and two workers; once more
with a million tasks in the table that have ended; and what an idle service costs."""

import datetime
import http.client
import json
import shutil
import sqlite3
import statistics
import subprocess
import threading
import time

from servers import AUTHORIZATION, Entrepot, Postgres

REPOSITORIES = 64
OLD_TASKS = 1_000_000

# What a task leaves behind that ended a day ago, as both databases spell it.
COLUMNS = (
    "id, name, state, work, logging_cid, dispatch_no, attempt, failures, not_before, progress, created, updated, "
    "unblocked_at, started_at, finished_at"
)
VALUES = (
    "'pulpcore.app.tasks.base.general_update', 'completed', '{{\"job\": \"unknown\"}}', 'bench', 1, 1, 0, "
    "{now} - 86400000000 - n, '[]', {now} - 86400000000 - n, {now} - 86400000000 - n, {now} - 86400000000 - n, "
    "{now} - 86400000000 - n, {now} - 86400000000 - n"
)


class Client:
    """One connection that stays open."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}

    def ask(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {content.decode()}")
        return json.loads(content)


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def submit(port, hrefs, count):
    """Starts `count` trivial tasks, one after the other: their hrefs."""
    client = Client(port)
    tasks = []
    for number in range(count):
        change = {"description": f"{number} {time.time()}"}
        tasks.append(client.ask("PATCH", hrefs[number % len(hrefs)], change)["task"])
    return tasks


def rate(port, hrefs, connections, count):
    """Tasks a second, from the first request to the last completed task."""
    started = time.time()
    threads = []
    for number in range(connections):
        mine = hrefs[number::connections]
        threads.append(threading.Thread(target=submit, args=(port, mine, count // connections)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    accepted = time.time()
    client = Client(port)
    while client.ask("GET", "/pulp/api/v3/tasks/?state__in=waiting,running&limit=1&fields=name")["count"]:
        time.sleep(0.02)
    last = client.ask("GET", "/pulp/api/v3/tasks/?ordering=-finished_at&limit=1")["results"][0]
    return count / (moment(last["finished_at"]) - started), count / (accepted - started)


def latencies(port, hrefs, count=200, pause=0.02):
    """Milliseconds from a request to its completed task, when tasks come one at a time."""
    client = Client(port)
    sent, tasks = [], []
    for number in range(count):
        sent.append(time.time())
        tasks.append(client.ask("PATCH", hrefs[number % len(hrefs)], {"description": f"{number} {sent[-1]}"})["task"])
        time.sleep(pause)
    ended = []
    for task in tasks:
        while (found := client.ask("GET", task))["finished_at"] is None:
            time.sleep(0.01)
        ended.append(moment(found["finished_at"]))
    return sorted((end - start) * 1000 for start, end in zip(sent, ended))


def repositories(port):
    client = Client(port)
    path = "/pulp/api/v3/repositories/container/container/"
    return [client.ask("POST", path, {"name": f"r{number}"})["pulp_href"] for number in range(REPOSITORIES)]


def measure(label, port, hrefs, tasks, rounds):
    submit(port, hrefs, 64)
    one = statistics.median(rate(port, hrefs, 1, tasks // 2)[0] for _ in range(rounds))
    eight = statistics.median(rate(port, hrefs, 8, tasks)[0] for _ in range(rounds))
    spent = latencies(port, hrefs)
    median, late = statistics.median(spent), spent[int(len(spent) * 0.99)]
    print(f"  {label:<42} {one:>6.0f} {eight:>10.0f} {median:>12.1f} {late:>8.1f}")
    return one, eight, median


def compare(before, after):
    slower = [before[0] / after[0], before[1] / after[1], after[2] / before[2]]
    print(f"  {'':<42} {slower[0]:>5.2f}× {slower[1]:>9.2f}× {slower[2]:>11.2f}× slower")


def idle(processes, seconds=10):
    before = sum(process.cpu_seconds() for process in processes)
    time.sleep(seconds)
    return (sum(process.cpu_seconds() for process in processes) - before) / seconds * 100


def fill_sqlite(file):
    database = sqlite3.connect(file, timeout=60, isolation_level=None)
    now = int(time.time() * 1_000_000)
    database.execute("BEGIN IMMEDIATE")
    database.execute(
        f"INSERT INTO task ({COLUMNS}) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {OLD_TASKS}) "
        f"SELECT randomblob(16), {VALUES.format(now=now)} FROM c"
    )
    database.execute("COMMIT")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def fill_postgres(url):
    now = int(time.time() * 1_000_000)
    values = VALUES.format(now=now)
    sql = f"INSERT INTO task ({COLUMNS}) SELECT gen_random_uuid(), {values} FROM generate_series(1, {OLD_TASKS}) n"
    subprocess.run(["psql", url, "-qc", sql], check=True)
    subprocess.run(["psql", url, "-qc", "VACUUM ANALYZE task"], check=True)


def run(binary, folder, rounds, tasks):
    print("\ntrivial tasks                                1 client  8 clients  median ms   99 % ms")
    data = folder / "tasks-sqlite"
    with Entrepot(binary, data, folder / "tasks.log") as entrepot:
        hrefs = repositories(entrepot.port)
        print(f"  idle: {idle([entrepot]):.2f} % of a core (aim: under 1)")
        before = measure("SQLite, one process (aim: 500/s, 10 ms)", entrepot.port, hrefs, tasks, rounds)
        fill_sqlite(data / "entrepot.sqlite")
        compare(before, measure("the same beside a million ended ones", entrepot.port, hrefs, tasks, rounds))
    shutil.rmtree(data)
    data = folder / "tasks-postgres"
    with Postgres() as postgres:
        env = {"ENTREPOT_DATABASE_URL": postgres.url}
        with Entrepot(binary, data, folder / "server.log", "server", env) as server:
            with Entrepot(binary, data, folder / "w1.log", "worker", env) as one, Entrepot(
                binary, data, folder / "w2.log", "worker", env
            ) as two:
                hrefs = repositories(server.port)
                print(f"  idle: {idle([server, one, two]):.2f} % of a core for a server and two workers")
                label = "PostgreSQL, two workers (aim: 1000/s, 20 ms)"
                before = measure(label, server.port, hrefs, tasks, rounds)
                fill_postgres(postgres.url)
                compare(before, measure("the same beside a million ended ones", server.port, hrefs, tasks, rounds))
