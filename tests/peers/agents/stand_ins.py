"""Stand-ins of a fixed delay for the models of an agent, for livekit-agents from 1.0 to 1.8.

The language model says back what it was told, calls the tool that a behaviour names and answers with what
the tool gave; recognition numbers what it hears, and synthesis makes sounds as long as the text would take.
"""

import asyncio
import json

from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, llm, stt, tts

import speech

STT_SECONDS = 0.03
TTS_SECONDS = 0.02
PIECE_SECONDS = 0.2
# The piece of a voice that is slower than real time, and the hole after it.
CHOPPY_PIECE_SECONDS, CHOPPY_HOLE_SECONDS = 0.4, 0.25


class StandInStream(llm.LLMStream):
    """One answer of the model."""

    async def _run(self):
        brain = self._llm
        await asyncio.sleep(brain.seconds)
        items = self._chat_ctx.items
        users = [item for item in items if getattr(item, "role", "") == "user"]
        last = items[-1] if items else None
        if getattr(last, "type", "") == "function_call_output":
            await self._say(brain.after_tool(last.name, last.output))
            return
        # A greeting: nobody said anything yet.
        if not users or self._asked_for_words():
            await self._say(brain.greeting)
            return
        brain.turns += 1
        told = users[-1].text_content
        call = brain.call(brain.turns)
        if call is None:
            await self._say(brain.answer(told))
            return
        words, name, arguments = call
        if words:
            await self._say(words)
        # A call's name would repeat the turn's number for an agent that was handed over to.
        call = llm.FunctionToolCall(
            name=name, arguments=json.dumps(arguments), call_id=f"{id(brain)}-{brain.turns}"
        )
        delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
        self._event_ch.send_nowait(llm.ChatChunk(id="stand-in", delta=delta))

    def _asked_for_words(self):
        """Whether `generate_reply` was given instructions: they come last, as the system's."""
        last = self._chat_ctx.items[-1]
        return getattr(last, "role", "") in ("system", "developer")

    async def _say(self, text):
        for word in text.split(" "):
            delta = llm.ChoiceDelta(role="assistant", content=f"{word} ")
            self._event_ch.send_nowait(llm.ChatChunk(id="stand-in", delta=delta))
            if self._llm.word_seconds:
                await asyncio.sleep(self._llm.word_seconds)


class StandInLLM(llm.LLM):
    """A language model that says back; `call` gives (words before, tool, arguments) for a turn, or None."""

    def __init__(self, *, greeting, answer, call=lambda _: None, after_tool=None, options):
        super().__init__()
        self.greeting, self.answer, self.call = greeting, answer, call
        self.after_tool = after_tool or (lambda _, output: output)
        self.seconds, self.word_seconds = options.llm_seconds, options.word_seconds
        self.turns = 0

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return StandInStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class StandInSTT(stt.STT):
    """Hears numbered words in everything, and none while it is `deaf`."""

    def __init__(self):
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self.heard = 0
        self.deaf = False

    async def _recognize_impl(self, buffer, *, language=None, conn_options=None):
        await asyncio.sleep(STT_SECONDS)
        text = ""
        if not self.deaf:
            self.heard += 1
            text = f"spoken turn {self.heard}"
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            alternatives=[stt.SpeechData(language="en", text=text, confidence=1.0)],
        )


class VoiceStream(tts.ChunkedStream):
    """Speaks a text, all at once or slower than real time."""

    async def _run(self, output_emitter=None):
        await asyncio.sleep(TTS_SECONDS)
        samples = await asyncio.to_thread(speech.speak, speech.seconds_of(self._input_text))
        choppy = self._tts.choppy
        if output_emitter is None:
            self._push = self._push_event
        else:
            output_emitter.initialize(
                request_id="voice",
                sample_rate=speech.SAMPLE_RATE,
                num_channels=1,
                mime_type="audio/pcm",
            )
            self._push = output_emitter.push
        step = 2 * int(speech.SAMPLE_RATE * (CHOPPY_PIECE_SECONDS if choppy else PIECE_SECONDS))
        for start in range(0, len(samples), step):
            self._push(samples[start : start + step])
            if choppy:
                await asyncio.sleep(CHOPPY_PIECE_SECONDS + CHOPPY_HOLE_SECONDS)
        if output_emitter is not None:
            output_emitter.flush()

    def _push_event(self, samples):
        """livekit-agents 1.0 takes frames on the stream's own channel."""
        frame = rtc.AudioFrame(samples, speech.SAMPLE_RATE, 1, len(samples) // 2)
        self._event_ch.send_nowait(tts.SynthesizedAudio(frame=frame, request_id="voice"))


class StandInTTS(tts.TTS):
    """A synthesiser of sounds."""

    def __init__(self, *, choppy=False):
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=speech.SAMPLE_RATE,
            num_channels=1,
        )
        self.choppy = choppy

    def synthesize(self, text, *, conn_options=None):
        return VoiceStream(tts=self, input_text=text, conn_options=conn_options)
