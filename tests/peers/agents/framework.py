"""What differs between livekit-agents 1.0 and 1.8: how a worker is served, a session made and started.

Environment: AGENT_NAME is the name to be dispatched by, AGENT_PORT the worker's own HTTP port, and
AGENT_LOG the file for what happened, one JSON object a line.
"""

import json
import os
import time

import livekit.agents
from livekit import rtc
from livekit.agents import AgentSession, JobExecutorType, WorkerPermissions, cli

VERSION = livekit.agents.__version__
# From 1.3 on a worker is an `AgentServer`, and a room has one set of options.
IS_SERVER = hasattr(livekit.agents, "AgentServer")
NAME = os.environ.get("AGENT_NAME", "agent")

if not IS_SERVER:
    # A plugin registers itself, which must happen on the main thread.
    from livekit.plugins import silero


def note(event, **facts):
    """Writes a fact to the log."""
    path = os.environ.get("AGENT_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(json.dumps({"at": time.time(), "event": event, **facts}) + "\n")


def serve(entrypoint, options):
    """Runs the worker, as `cli` does for everybody."""
    permissions = WorkerPermissions(can_update_metadata=options.may_update, hidden=options.hidden)
    port = int(os.environ.get("AGENT_PORT", "8081"))
    shared = {
        "job_executor_type": JobExecutorType.THREAD,
        "num_idle_processes": 1,
        "load_fnc": lambda: 0.0,
        "permissions": permissions,
        "host": "127.0.0.1",
        "port": port,
    }
    if IS_SERVER:
        server = livekit.agents.AgentServer(**shared)
        server.rtc_session(entrypoint, agent_name=NAME)
        cli.run_app(server)
    else:
        shared["entrypoint_fnc"] = entrypoint
        cli.run_app(livekit.agents.WorkerOptions(agent_name=NAME, **shared))


def session(options, *, llm, stt, tts):
    """A session of voice, or of text alone."""
    models = {"llm": llm}
    if not options.text_mode:
        models.update(stt=stt, tts=tts)
    if IS_SERVER:
        turns = {"interruption": {"enabled": options.interruptible, "mode": "vad"}}
        if not options.text_mode:
            turns["turn_detection"] = "vad"
        away = options.away_seconds
        return AgentSession(turn_handling=turns, user_away_timeout=away, **models)
    if not options.text_mode:
        models.update(vad=silero.VAD.load(), turn_detection="vad")
    return AgentSession(allow_interruptions=options.interruptible, **models)


async def start(session, agent, room, options):
    """Starts it in a room, with or without audio and text."""
    audio_in = not options.text_mode
    audio_out = audio_in and not options.avatar
    written = options.text in ("stream", "json")
    if IS_SERVER:
        from livekit.agents.voice.room_io import RoomOptions, TextOutputOptions

        text_out = TextOutputOptions(json_format=options.text == "json") if written else False
        # True would be taken for options that were not given.
        own = {} if audio_out else {"audio_output": False}
        room_options = RoomOptions(audio_input=audio_in, text_output=text_out, **own)
        await session.start(agent=agent, room=room, room_options=room_options)
        return
    if options.text == "json":
        raise NotImplementedError(f"livekit-agents {VERSION} writes no lines of JSON")
    from livekit.agents import RoomInputOptions, RoomOutputOptions

    await session.start(
        agent=agent,
        room=room,
        room_input_options=RoomInputOptions(audio_enabled=audio_in),
        room_output_options=RoomOutputOptions(
            audio_enabled=audio_out, transcription_enabled=written
        ),
    )


async def connect(ctx, options):
    """Joins the room, encrypted where the behaviour says so."""
    encryption = None
    if options.encrypted:
        keys = rtc.KeyProviderOptions(shared_key=b"a key that the caller does not have")
        encryption = rtc.E2EEOptions(key_provider_options=keys)
    await ctx.connect(**{"encryption" if IS_SERVER else "e2ee": encryption})
