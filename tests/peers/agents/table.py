"""Every behaviour on every framework, in chat and voice, with Rushhour's own callers: a row each, beside what is
expected of it (`expected.json`). Exits with 1 where a row is not as expected.

    target/peers/venv/bin/python tests/peers/agents/table.py            # all, about half an hour on two cores
    target/peers/venv/bin/python tests/peers/agents/table.py filler avatar --framework node --mode voice
    target/peers/venv/bin/python tests/peers/agents/table.py --subset   # what the integration tests run

It starts a livekit-server of its own on loopback and a worker for each framework, and needs the binary
(`cargo build`) and what `./tests/all` installs under target/peers.
"""

import argparse
import concurrent.futures
import csv
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PEERS = ROOT / "target/peers"
CLIP = ROOT / "profiles/scripts/clips/name-is-smith.opus"
KEY, SECRET = "key-of-the-table", "secret-of-the-table-with-enough-characters"
FRAMEWORKS = {
    "python": [PEERS / "venv/bin/python", HERE / "python_agent.py"],
    "oldest-python": [PEERS / "venv-oldest/bin/python", HERE / "python_agent.py"],
    "node": ["node", HERE / "node/agent.mjs"],
}
# What livekit-rtc 1.1.10 logs where it loses a race as it connects: that agent never joins, whoever calls, and its worker
# takes no more jobs.
FFI_PANIC = "FFI Panic:"
NO_AGENT = ["agent_never_joined", "dispatch_unassigned"]
MODES = ["chat", "voice"]
TURNS = ["one", "two", "three"]
LETTERS = {"answered": "A", "unexpected": "U", "early": "E", "timed_out": "T", "broken_off": "B"}
# Of a conversation's summary, what is compared beside how it ended.
NOTED = ["hand_offs", "hidden", "unheard_turns", "ignored_interruptions"]
REGISTERED_WITHIN_SECONDS = 60
RUN_WITHIN_SECONDS = 180
# What the integration tests run: (behaviour, case, framework, mode).
SUBSET = [
    ("background-loud", "", "node", "voice"),
    ("filler", "", "node", "chat"),
    ("filler", "", "oldest-python", "voice"),
    ("hand-off", "", "oldest-python", "chat"),
    ("avatar", "", "node", "voice"),
    ("greeting-reply", "not told", "node", "voice"),
    ("end-call", "at the end", "node", "chat"),
    ("no-transcripts", "", "oldest-python", "voice"),
    ("killed-thinking", "", "node", "chat"),
    ("close-session", "", "node", "voice"),
    ("delete-room", "early", "oldest-python", "voice"),
    ("hidden", "waits", "node", "chat"),
]


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(what, holds, seconds=REGISTERED_WITHIN_SECONDS):
    begun = time.monotonic()
    while not holds():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Peers:
    """A server, and workers by framework and behaviour, all of which stop with this."""

    def __init__(self, folder):
        self.folder, self.processes, self.workers = folder, [], {}
        self.lock = threading.Lock()
        port, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        config = folder / "livekit.yaml"
        config.write_text(
            f"port: {port}\nbind_addresses: [127.0.0.1]\nkeys: {{{KEY}: {SECRET}}}\n"
            f"rtc: {{tcp_port: 0, udp_port: {udp}, node_ip: 127.0.0.1, use_external_ip: false, "
            "enable_loopback_candidate: true, interfaces: {includes: [lo]}}\n"
            "room: {empty_timeout: 60}\n"
        )
        self.url = f"ws://127.0.0.1:{port}"
        self.start([PEERS / "bin/server", "--config", config], "livekit", {})

        def answers():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        wait_until("livekit-server", answers)

    def start(self, words, name, environment):
        log = (self.folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            [str(word) for word in words],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def leave_workers(self, framework):
        """New ones are started where they are needed next; conversations with the old ones go on."""
        with self.lock:
            for name in [name for name in self.workers if name.startswith(framework)]:
                del self.workers[name]

    def panics(self, framework):
        """How many of its processes lost that race so far."""
        logs = self.folder.glob(f"{framework}*.log")
        return sum(log.read_text(errors="replace").count(FFI_PANIC) for log in logs)

    def worker(self, framework, behaviour, mode):
        """The name of a registered worker's agents; the worker is shared, or there for a behaviour and mode alone."""
        with self.lock:
            name = f"{framework}-{behaviour}-{mode}" if behaviour else framework
            if name not in self.workers:
                environment = {
                    "LIVEKIT_URL": self.url,
                    "LIVEKIT_API_KEY": KEY,
                    "LIVEKIT_API_SECRET": SECRET,
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "AGENT_NAME": name,
                    "AGENT_BEHAVIOUR": behaviour or "plain",
                    "AGENT_LOG": str(self.folder / f"{name}.jsonl"),
                    "AGENT_PORT": str(free_port(socket.SOCK_STREAM)),
                }
                log = name
                while (self.folder / f"{log}.log").exists():
                    log += "-again"
                process = self.start([*FRAMEWORKS[framework], "start"], log, environment)
                output = self.folder / f"{log}.log"
                wait_until(name, lambda: "registered worker" in output.read_text(errors="replace"))
                self.workers[name] = process
        return name

    def end_worker(self, name):
        with self.lock:
            kill(self.workers.pop(name))

    def stop(self):
        for process in self.processes:
            kill(process)


def kill(process):
    # The group is there until its leader is waited for.
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def script(row, mode):
    own = row.get("script", {})
    lines = ['[greeting]\nwithin = "10s"\n'] if row.get("greeting") else []
    for index, word in enumerate(TURNS[: own.get("turns", 3)]):
        lines += ["[[turn]]", f'say = "turn {word}"', 'within = "8s"']
        lines.append(f'dtmf = "{own["dtmf"]}"' if "dtmf" in own else f'play = "{CLIP.name}"')
        if "expect" in own:
            lines.append(f'expect = "{own["expect"]}"')
        if index == 1 and "interrupt" in own:
            lines.append(f'interrupt = "{own["interrupt"]}"')
        if index == 1 and "pause" in own:
            lines.append(f'pause = "{own["pause"]}"')
    return "\n".join(lines) + "\n"


def profile(row, mode, url, agent):
    metadata = {"behaviour": row["behaviour"], **row.get("options", {})}
    metadata = ", ".join(f"{key} = {json.dumps(value)}" for key, value in metadata.items())
    settings = "\n".join(f'{key} = "{value}"' for key, value in row.get("settings", {}).items())
    return f"""name = "row"
mode = "{mode}"
[livekit]
url = "{url}"
agent = "{agent}"
agent_within = "20s"
give_up_after = "20s"
metadata = {{ {metadata} }}
[evaluator]
kind = "native"
{settings}
[[scenario]]
id = 1
copies = 1
script = "script.toml"
lasts = "20s"
[[stage]]
rate = "1/s"
[limits]
run_timeout = "90s"
"""


def found(value, key):
    """All values of a key, however deep."""
    if isinstance(value, dict):
        for name, inside in value.items():
            if name == key:
                yield inside
            else:
                yield from found(inside, key)


def read(folder):
    """What a session says of its only run."""
    with (folder / "runs.csv").open(newline="") as file:
        run = next(csv.DictReader(file))
    journal = [json.loads(line) for line in (folder / "journal.jsonl").open()]
    events = lambda key: [one for line in journal for one in found(line, key)]
    turns = [event["turn"] for event in events("turn") if isinstance(event, dict)]
    summaries = [event["summary"] for event in events("conversation") if "summary" in event]
    summary = summaries[-1] if summaries else {}
    seconds = lambda turn, key: round((turn[key] - turn["said"]) / 1e6, 2) if key in turn else None
    return {
        "outcome": run["failure_class"] or run["outcome"],
        "turns": "".join(LETTERS[turn["ending"]] for turn in turns),
        "ended": summary.get("ended", "caller"),
        "greeted": bool(events("greeted")),
        "noted": {key: summary[key] for key in NOTED if key in summary},
        "first": [seconds(turn, "first") for turn in turns],
        "done": [seconds(turn, "done") for turn in turns],
        "yielded": [round(turn["yielded"] / 1e6, 2) for turn in turns if "yielded" in turn],
        "detail": run["detail"],
    }


def complaints(row, expected, seen):
    """What is not as expected."""
    wrong = []
    for key, wanted in expected.items():
        if key == "said":
            if wanted not in seen["detail"]:
                wrong.append(f"it does not say {wanted!r}")
        elif seen[key] not in (wanted if isinstance(wanted, list) else [wanted]):
            wrong.append(f"{key} is {seen[key]!r}, not {wanted!r}")
    # The agents' own delays: a figure below them is somebody else's answer.
    for key in ["first", "done"]:
        answered = [at for at, letter in zip(seen[key], seen["turns"]) if letter == "A" and at]
        if key in row and any(at < row[key] for at in answered):
            wrong.append(f"{key} before {row[key]} s")
    if row.get("yields") and not seen["yielded"]:
        wrong.append("it did not yield")
    return wrong


def run(row, framework, mode, peers, binary):
    own = row["behaviour"] if row.get("own") else ""
    agent = peers.worker(framework, own, mode)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{row['behaviour']}-{mode}-", dir=peers.folder))
    shutil.copy(CLIP, folder)
    (folder / "script.toml").write_text(script(row, mode))
    (folder / "row.toml").write_text(profile(row, mode, peers.url, agent))
    keys = {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    own_settings = {key: text for key, text in os.environ.items() if key.startswith("RUSHHOUR_")}
    done = subprocess.run(
        [str(binary), "run", "row.toml", "--out", "out"],
        cwd=folder,
        env={**keys, **own_settings},
        capture_output=True,
        text=True,
        timeout=RUN_WITHIN_SECONDS,
    )
    if row["behaviour"].startswith("killed"):
        peers.end_worker(agent)
    sessions = list((folder / "out").glob("*/runs.csv"))
    if len(sessions) != 1:
        raise RuntimeError(f"no session: {done.stdout}{done.stderr}")
    return read(sessions[0].parent)


def rows(arguments):
    known = json.loads((HERE / "expected.json").read_text())
    for row in known["rows"]:
        case = row.get("case", "")
        for framework in row.get("frameworks", FRAMEWORKS):
            for mode in row.get("modes", MODES):
                if arguments.subset and (row["behaviour"], case, framework, mode) not in SUBSET:
                    continue
                if arguments.behaviours and row["behaviour"] not in arguments.behaviours:
                    continue
                if arguments.framework and framework not in arguments.framework:
                    continue
                if arguments.mode and mode != arguments.mode:
                    continue
                but = row.get("but", {}).get(f"{framework} {mode}", {})
                yield row, framework, mode, {**known["usual"], **row.get("expected", {}), **but}


def one_line(row, framework, mode, expected, seen, wrong):
    name = f"{row['behaviour']} {row.get('case', '')}".strip()
    figures = f"first {seen['first']} done {seen['done']}"
    if seen["yielded"]:
        figures += f" yielded {seen['yielded']}"
    said = [str(seen[key]) for key in ["outcome", "turns", "ended"]]
    said.append("greeted" if seen["greeted"] else "")
    said += [f"{key}={value}" for key, value in seen["noted"].items()]
    text = f"{'ok   ' if not wrong else 'WRONG'} {name:28} {framework:13} {mode:5} {' '.join(filter(None, said)):42} {figures}"
    if wrong:
        text += f"\n      {'; '.join(wrong)}\n      {seen['detail']}"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("behaviours", nargs="*", help="all where none is named")
    parser.add_argument("--framework", action="append", choices=FRAMEWORKS)
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--subset", action="store_true", help="what the integration tests run")
    parser.add_argument("--at-once", type=int, default=3, help="conversations at a time")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/debug/rushhour")
    parser.add_argument("--keep", type=pathlib.Path, help="keep logs and sessions in this new folder")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments.keep:
        arguments.keep.mkdir(parents=True)
    folder = arguments.keep or pathlib.Path(tempfile.mkdtemp(prefix="table-"))
    peers, failed, count = Peers(folder), 0, 0

    def one(job):
        row, framework, mode, expected = job
        try:
            panics = peers.panics(framework)
            seen = run(row, framework, mode, peers, arguments.binary)
            if seen["outcome"] in NO_AGENT and peers.panics(framework) > panics:
                print(f"again {row['behaviour']} {framework} {mode}: {FFI_PANIC}", flush=True)
                peers.leave_workers(framework)
                seen = run(row, framework, mode, peers, arguments.binary)
        except Exception as error:
            return job, None, [f"{type(error).__name__}: {error}"]
        return job, seen, complaints(row, expected, seen)

    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as pool:
            for job, seen, wrong in pool.map(one, list(rows(arguments))):
                row, framework, mode, expected = job
                count, failed = count + 1, failed + bool(wrong)
                if seen:
                    print(one_line(row, framework, mode, expected, seen, wrong), flush=True)
                else:
                    print(f"WRONG {row['behaviour']} {framework} {mode}: {wrong[0]}", flush=True)
    finally:
        peers.stop()
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{count} rows, {failed} not as expected")
    sys.exit(1 if failed or not count else 0)


if __name__ == "__main__":
    main()
