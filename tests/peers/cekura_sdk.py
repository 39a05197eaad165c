"""Cekura's official Python SDK starts a voice run on a sandbox and reads it back.

Environment: CEKURA_API_URL and CEKURA_API_KEY, which the SDK reads by itself, and LIVEKIT_URL,
LIVEKIT_API_KEY and LIVEKIT_API_SECRET. Needs `pip install 'cekura[sdk]==1.6.7'`; rooms and tokens are made
by the standard library alone. Prints one JSON object of facts; exits with 0 only if every expectation is met.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request
import uuid

from cekura import Cekura
from cekura._exceptions import APIError, AuthenticationError, NotFoundError

SCENARIO = 30
AGENT = "front-desk"
TERMINAL = {"completed", "failed", "timeout", "cancelled"}
LONGEST_WAIT_SECONDS = 60

LIVEKIT_URL = os.environ["LIVEKIT_URL"]
LIVEKIT_HTTP = LIVEKIT_URL.replace("ws://", "http://", 1).replace("wss://", "https://", 1)
LIVEKIT_KEY = os.environ["LIVEKIT_API_KEY"]
LIVEKIT_SECRET = os.environ["LIVEKIT_API_SECRET"]

facts = {"broken": []}


def expect(holds, what):
    """Records an expectation that is not met."""
    if not holds:
        facts["broken"].append(what)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(grants, identity="", seconds=120):
    """An access token for LiveKit: HS256 over header and claims."""
    now = int(time.time())
    claims = {"iss": LIVEKIT_KEY, "nbf": now, "exp": now + seconds, "sub": identity, "video": grants}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    signed = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    signature = hmac.new(LIVEKIT_SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64url(signature)}"


def twirp(method, grants, **body):
    """One call of LiveKit's server API, in JSON."""
    request = urllib.request.Request(
        f"{LIVEKIT_HTTP}/twirp/livekit.{method}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token(grants)}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def wait_for(what, find, seconds):
    """Polls until `find` returns something; None after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.1)
    expect(False, f"waited {seconds} s for {what}")
    return None


def agent_in(room):
    listed = twirp("RoomService/ListParticipants", {"roomAdmin": True, "room": room}, room=room)
    people = listed.get("participants", [])
    return next((person for person in people if person.get("kind") in ("AGENT", 4)), None)


def refusal(call, kind):
    """The text of the exception of this kind that the call raises; None where it raises none."""
    try:
        call()
    except kind as error:
        return str(error)
    return None


def start_and_read_back(client, room):
    entry = {
        "scenario": SCENARIO,
        "livekit_room_url": LIVEKIT_URL,
        "access_token": token({"roomJoin": True, "room": room}, identity="evaluator"),
    }
    started = client.scenarios.run_livekit(scenarios=[entry])
    result, runs = started["id"], started["runs"]
    expect(len(runs) == 1 and runs[0]["scenario"] == SCENARIO, "one run per entry, of its scenario")
    run = runs[0]["id"]
    facts.update(result=result, run=run)

    statuses = []

    def ended():
        (seen,) = client.runs.bulk(run_ids=str(run))
        if seen["status"] not in statuses:
            statuses.append(seen["status"])
        return seen if seen["status"] in TERMINAL else None

    last = wait_for("the run to end", ended, LONGEST_WAIT_SECONDS) or {}
    facts.update(statuses=statuses, duration=last.get("duration"), success=last.get("success"))
    facts["ended_reason"] = last.get("metadata", {}).get("ended_reason")
    expect(last.get("status") == "completed", "the run completes")
    expect(last.get("success") is True, "the run is judged a success")
    expect(last.get("run_as_text") is False, "the run is a voice run")

    waited = client.results.wait(result, poll_interval=1, timeout=10)
    expect(waited["status"] == "completed", "results.wait sees the result completed")
    expect(list(waited["runs"]) == [str(run)], "a result's runs are keyed by their ids")
    expect([one["id"] for one in client.results.get_runs([run])] == [run], "results.get_runs")
    expect(client.runs.get(run)["status"] == "completed", "runs.get")
    listed = client.runs.list(result_id=result)
    expect([one["id"] for one in listed["results"]] == [run], "runs.list by result")
    expect(result in [one["id"] for one in client.results.list()["results"]], "results.list")
    expect(client.results.end_calls(result) == {}, "results.end_calls answers with nothing")
    expect(client.runs.end_call(run) == {}, "runs.end_call answers with nothing")


def refusals(client):
    facts["refused_key"] = refusal(lambda: Cekura(api_key="wrong").billing.info(), AuthenticationError)
    facts["refused_entries"] = refusal(lambda: client.scenarios.run_livekit(scenarios=[]), APIError)
    facts["refused_run"] = refusal(lambda: client.runs.get(1), NotFoundError)
    for name in ("refused_key", "refused_entries", "refused_run"):
        expect(facts[name], name)
    plan = client.billing.info()["subscription_status"]["pack"]
    facts["concurrent_runs"] = plan["max_concurrent_runs_limit"]
    expect(isinstance(facts["concurrent_runs"], int), "billing.info has the limit of concurrent runs")


def main():
    client = Cekura()
    room = f"sdk-{uuid.uuid4().hex[:8]}"
    create, admin = {"roomCreate": True}, {"roomAdmin": True, "room": room}
    twirp("RoomService/CreateRoom", create, name=room, empty_timeout=120)
    try:
        metadata = json.dumps({"scenario_id": SCENARIO})
        twirp("AgentDispatchService/CreateDispatch", admin, room=room, agent_name=AGENT, metadata=metadata)
        agent = wait_for("an agent in the room", lambda: agent_in(room), 10) or {}
        facts["agent"] = agent.get("identity")
        start_and_read_back(client, room)
        refusals(client)
    finally:
        twirp("RoomService/DeleteRoom", create, room=room)
    left = twirp("RoomService/ListRooms", {"roomList": True}, names=[room])
    expect(not left.get("rooms"), "the room is gone")
    print(json.dumps(facts, indent=2))
    return 1 if facts["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
