"""A LiveKit agent worker that needs nothing but LiveKit and echoes every turn.

Built with livekit-agents 1.8.9, as users build theirs; speech recognition, language model and synthesis are
fakes with a fixed delay. With `text_mode: true` in its dispatch metadata it is a chat agent without audio, as
with Cekura's tracer. Every job is written to the file ECHO_AGENT_LOG, one JSON object a line. Run with
`python echo_agent.py start` and LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET; ECHO_AGENT_PORT is its own
HTTP port.
"""

import asyncio
import json
import math
import os
import struct
import time

from livekit.agents import (
    Agent,
    AgentServer,
    AgentSession,
    JobContext,
    JobExecutorType,
    cli,
    llm,
    stt,
    tts,
)
from livekit.agents.voice.room_io import RoomOptions

LLM_SECONDS = 0.05
STT_SECONDS = 0.03
TTS_SECONDS = 0.02
SAMPLE_RATE = 24_000
GREETING = os.environ.get("ECHO_AGENT_GREETING", "")


class EchoStream(llm.LLMStream):
    """Answers with the user's last message."""

    async def _run(self):
        await asyncio.sleep(LLM_SECONDS)
        said = [item for item in self._chat_ctx.items if getattr(item, "role", "") == "user"]
        text = said[-1].text_content if said else "nothing"
        for word in f"echo: {text}".split(" "):
            delta = llm.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(llm.ChatChunk(id="echo", delta=delta))


class EchoLLM(llm.LLM):
    """A language model that repeats the user."""

    def chat(self, *, chat_ctx, tools=None, conn_options=None, **_):
        return EchoStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class FakeSTT(stt.STT):
    """Recognises the same words in any audio."""

    def __init__(self):
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))

    async def _recognize_impl(self, buffer, *, language=None, conn_options=None):
        await asyncio.sleep(STT_SECONDS)
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language="en", text="a spoken turn", confidence=1.0)],
        )


class ToneStream(tts.ChunkedStream):
    """Plays a tone for as long as the text would take, at about 15 characters per second."""

    async def _run(self, output_emitter):
        await asyncio.sleep(TTS_SECONDS)
        output_emitter.initialize(
            request_id="tone", sample_rate=SAMPLE_RATE, num_channels=1, mime_type="audio/pcm"
        )
        samples = int(SAMPLE_RATE * max(0.4, len(self._input_text) / 15))
        wave = (int(8000 * math.sin(2 * math.pi * 220 * n / SAMPLE_RATE)) for n in range(samples))
        output_emitter.push(b"".join(struct.pack("<h", value) for value in wave))
        output_emitter.flush()


class ToneTTS(tts.TTS):
    """Speech synthesis that plays tones."""

    def __init__(self):
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=SAMPLE_RATE, num_channels=1)

    def synthesize(self, text, *, conn_options=None):
        return ToneStream(tts=self, input_text=text, conn_options=conn_options)


def note(fact):
    """Writes a fact to the log."""
    path = os.environ.get("ECHO_AGENT_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as log:
            log.write(json.dumps(fact) + "\n")


server = AgentServer(
    job_executor_type=JobExecutorType.THREAD,
    num_idle_processes=1,
    load_fnc=lambda: 0.0,
    host="127.0.0.1",
    port=int(os.environ.get("ECHO_AGENT_PORT", "8081")),
)


@server.rtc_session(agent_name="echo")
async def entrypoint(ctx: JobContext):
    metadata = json.loads(ctx.job.metadata or "{}")
    text_mode = metadata.get("text_mode", False)
    note(
        {
            "room": ctx.room.name or ctx.job.room.name,
            "at": time.time(),
            "metadata": metadata,
            "text_mode_type": type(text_mode).__name__,
        }
    )
    session = AgentSession(
        stt=None if text_mode else FakeSTT(),
        llm=EchoLLM(),
        tts=None if text_mode else ToneTTS(),
        turn_detection=None if text_mode else "vad",
    )
    options = RoomOptions(audio_input=False, audio_output=False) if text_mode else RoomOptions()
    await session.start(
        agent=Agent(instructions="Repeat what is said."), room=ctx.room, room_options=options
    )
    if GREETING:
        session.say(GREETING) if not text_mode else await session.generate_reply(user_input=GREETING)


if __name__ == "__main__":
    cli.run_app(server)
