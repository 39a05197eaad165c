"""A caller that converses with an agent and writes down what is on the wire, one JSON object a line.

Needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET. Makes a room, joins it, dispatches the agent and
takes its turns when the agent is silent and does not think or speak; `--help` lists what else it can do.
Every line has `at`, the seconds since it joined, and `event`.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import time
import uuid

import numpy
from livekit import api, rtc
from livekit.protocol.agent_pb import agent_session

import speech

LOUD_DBFS, FAINT_DBFS = -50.0, -70.0
HANGOVER_SECONDS = 0.3
LOOK_SECONDS = 0.5
FRAME_SECONDS = 0.02
SESSION_TOPIC = "lk.agent.session"
BUSY = ("thinking", "speaking", "initializing")


def name_of(enumeration, value, prefix):
    return enumeration.Name(value).removeprefix(prefix).lower()


def read_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("chat", "voice"), default="chat")
    parser.add_argument("--agent", default="", help="dispatch the agent of this name")
    parser.add_argument("--metadata", default="", help="of the dispatch")
    parser.add_argument("--room", default="")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--turn-seconds", type=float, default=1.2, help="length of a spoken turn")
    parser.add_argument("--ready", type=float, default=8.0, help="wait so long for an agent that listens")
    parser.add_argument("--greets", action="store_true", help="wait for a greeting before the first turn")
    parser.add_argument("--quiet", type=float, default=1.0, help="silence that ends an answer")
    parser.add_argument("--within", type=float, default=15.0, help="wait so long for an answer")
    parser.add_argument("--barge-in", type=float, default=0.0, help="speak so long after its first sound")
    parser.add_argument("--linger", type=float, default=1.0, help="stay so long after the last answer")
    parser.add_argument("--seconds", type=float, default=90.0, help="leave after this time at the latest")
    parser.add_argument("--identity", default="caller")
    parser.add_argument("--name", default="")
    parser.add_argument("--caller-metadata", default="")
    parser.add_argument("--attributes", default="{}")
    parser.add_argument("--dtmf", default="", help="digits in place of the first turn")
    parser.add_argument("--rpc", default="", help="what get_user_location is answered with")
    return parser.parse_args()


class Observer:
    """One caller in one room."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.begun = time.monotonic()
        self.room = rtc.Room()
        self.name = arguments.room or f"observed-{uuid.uuid4().hex[:8]}"
        self.tasks = set()
        self.sounding = {}
        self.background = set()
        self.heard = {}
        self.state = None
        self.last_news = 0.0
        self.first_news = None
        self.listed = {}
        self.gone = asyncio.Event()

    def now(self):
        return time.monotonic() - self.begun

    def tell(self, event, **facts):
        print(json.dumps({"at": round(self.now(), 3), "event": event, **facts}), flush=True)

    def news(self):
        """The agent said something."""
        self.last_news = self.now()
        if self.first_news is None:
            self.first_news = self.last_news

    def spawn(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # --- what arrives ----------------------------------------------------------------------------

    def listen_to_room(self):
        room = self.room
        room.on("participant_connected", self.met)
        room.on("participant_disconnected", self.parted)
        room.on("participant_attributes_changed", self.attributes)
        room.on("track_published", lambda track, person: self.track("track", track, person))
        room.on("track_unpublished", lambda track, person: self.track("no_track", track, person))
        room.on("track_muted", lambda person, track: self.track("muted", track, person))
        room.on("track_subscribed", self.subscribed)
        room.on("track_unsubscribed", lambda _, track, person: self.sounding.pop(track.sid, None))
        room.on("data_received", self.packet)
        room.on("transcription_received", self.transcription)
        room.on("sip_dtmf_received", lambda digit: self.tell("digit", digit=digit.digit))
        room.on("disconnected", self.disconnected)
        room.on("room_metadata_changed", lambda _, new: self.tell("room_metadata", metadata=new))
        for topic in ("lk.transcription", "lk.chat"):
            handler = lambda reader, sender, topic=topic: self.spawn(self.text(topic, reader, sender))
            room.register_text_stream_handler(topic, handler)
        handler = lambda reader, sender: self.spawn(self.session_event(reader, sender))
        room.register_byte_stream_handler(SESSION_TOPIC, handler)
        self.see_chat_messages()

    def see_chat_messages(self):
        """The SDK knows packets of the legacy chat and gives no event for them."""
        known = self.room._on_room_event

        def look(event):
            if event.WhichOneof("message") == "chat_message":
                message = event.chat_message
                self.tell("chat_message", sender=message.participant_identity, text=message.message.message)
                self.news()
            known(event)

        self.room._on_room_event = look

    def met(self, person):
        kind = name_of(rtc.ParticipantKind, person.kind, "PARTICIPANT_KIND_")
        self.tell("participant", identity=person.identity, kind=kind, attributes=dict(person.attributes))
        self.attributes(dict(person.attributes), person)

    def parted(self, person):
        reason = person.disconnect_reason
        reason = name_of(rtc.DisconnectReason, reason, "") if reason is not None else None
        self.tell("left", identity=person.identity, reason=reason)

    def attributes(self, changed, person):
        if "lk.agent.state" in changed:
            self.state = changed["lk.agent.state"]
            self.tell("state", identity=person.identity, state=self.state)
        other = {key: value for key, value in changed.items() if key != "lk.agent.state"}
        if other:
            self.tell("attributes", identity=person.identity, attributes=other)

    def track(self, event, track, person):
        source = name_of(rtc.TrackSource, track.source, "SOURCE_")
        kind = name_of(rtc.TrackKind, track.kind, "KIND_")
        self.tell(
            event,
            identity=person.identity,
            name=track.name,
            kind=kind,
            source=source,
            encryption=int(track.encryption_type),
        )
        if kind == "audio" and source != "microphone":
            self.background.add(track.sid)

    def subscribed(self, track, publication, person):
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.spawn(self.hear(track, publication, person))

    async def hear(self, track, publication, person):
        name, samples = publication.name, int(48_000 * FRAME_SECONDS)
        heard = self.heard.setdefault(name, {"loud": 0.0, "sounding": 0.0, "power": 0.0})
        loud_until = None
        stream = rtc.AudioStream(track, sample_rate=48_000, num_channels=1, frame_size_ms=20)
        async for event in stream:
            wave = numpy.frombuffer(event.frame.data, dtype="<i2")[:samples] / 32_768
            power = float(numpy.mean(wave**2))
            loud = power > 0 and 10 * math.log10(power) > LOUD_DBFS
            if power > 0 and 10 * math.log10(power) > FAINT_DBFS:
                heard["sounding"] += FRAME_SECONDS
                heard["power"] += power
            if loud:
                heard["loud"] += FRAME_SECONDS
                if loud_until is None:
                    self.tell("sound", identity=person.identity, track=name)
                    if publication.sid not in self.background:
                        self.sounding[publication.sid] = True
                        self.news()
                loud_until = self.now()
            elif loud_until is not None and self.now() - loud_until > HANGOVER_SECONDS:
                self.sounding.pop(publication.sid, None)
                self.tell("silence", identity=person.identity, track=name, since=round(loud_until, 3))
                if publication.sid not in self.background:
                    self.last_news = loud_until
                loud_until = None

    async def text(self, topic, reader, sender):
        info = reader.info
        facts = {"topic": topic, "stream": info.stream_id[-6:], "sender": sender}
        self.tell("text", **facts, attributes=dict(info.attributes))
        words, chunks, first = "", 0, None
        with contextlib.suppress(rtc.StreamError):  # we leave while it is open
            async for chunk in reader:
                words += chunk
                chunks += 1
                first = first if first is not None else round(self.now(), 3)
                if sender != self.arguments.identity:
                    self.news()
        # The reader's own attributes have the trailer's as soon as there is one.
        self.tell("text_end", **facts, first=first, chunks=chunks, text=words, attributes=dict(info.attributes))

    async def session_event(self, reader, sender):
        parts = [part async for part in reader]
        message = agent_session.AgentSessionMessage()
        try:
            message.ParseFromString(b"".join(parts))
            event = message.event.WhichOneof("event") or message.WhichOneof("message")
        except Exception as error:  # what is not protobuf is told as it is
            event = f"unreadable: {type(error).__name__}"
        self.tell("session", sender=sender, what=event)

    def packet(self, packet):
        sender = packet.participant.identity if packet.participant else ""
        text = packet.data.decode(errors="replace")
        self.tell("packet", sender=sender, topic=packet.topic, text=text[:300])
        self.news()

    def transcription(self, segments, person, publication):
        parts = [{"id": part.id[-6:], "text": part.text, "final": part.final} for part in segments]
        self.tell("transcription", sender=person.identity if person else "", segments=parts)

    def disconnected(self, reason):
        self.tell("disconnected", reason=name_of(rtc.DisconnectReason, reason, ""))
        self.gone.set()

    async def look(self, lkapi):
        """What the server lists: permissions, hidden participants and jobs are not on the caller's wire."""
        with contextlib.suppress(api.TwirpError):
            request = api.ListParticipantsRequest(room=self.name)
            for person in (await lkapi.room.list_participants(request)).participants:
                seen = {
                    "kind": api.ParticipantInfo.Kind.Name(person.kind).lower(),
                    "agent": person.permission.agent,
                    "hidden": person.permission.hidden,
                }
                if person.identity != self.arguments.identity and self.listed.get(person.identity) != seen:
                    self.listed[person.identity] = seen
                    self.tell("listed", identity=person.identity, **seen)

    # --- what it does ------------------------------------------------------------------------------

    async def run(self):
        arguments = self.arguments
        async with api.LiveKitAPI() as lkapi:
            await lkapi.room.create_room(api.CreateRoomRequest(name=self.name, empty_timeout=60))
            try:
                await self.join()
                if arguments.agent:
                    await lkapi.agent_dispatch.create_dispatch(
                        api.CreateAgentDispatchRequest(
                            agent_name=arguments.agent, room=self.name, metadata=arguments.metadata
                        )
                    )
                looking = asyncio.ensure_future(self.look_on(lkapi))
                talking = asyncio.ensure_future(self.converse())
                gone = asyncio.ensure_future(self.gone.wait())
                done, _ = await asyncio.wait(
                    {talking, gone}, timeout=arguments.seconds, return_when=asyncio.FIRST_COMPLETED
                )
                looking.cancel()
                if talking in done:
                    talking.result()
                if not self.gone.is_set():
                    await self.look(lkapi)
                    await self.room.disconnect()
                self.sum_up()
            finally:
                with contextlib.suppress(api.TwirpError):
                    await lkapi.room.delete_room(api.DeleteRoomRequest(room=self.name))

    def sum_up(self):
        """How long each track was loud, how long it was more than silence, and its level then."""
        for track, heard in self.heard.items():
            frames = heard["sounding"] / FRAME_SECONDS
            dbfs = round(10 * math.log10(heard["power"] / frames), 1) if frames else None
            seconds = {key: round(heard[key], 2) for key in ("loud", "sounding")}
            self.tell("heard", track=track, **seconds, dbfs=dbfs)

    async def join(self):
        arguments = self.arguments
        token = (
            api.AccessToken(os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"])
            .with_identity(arguments.identity)
            .with_name(arguments.name)
            .with_metadata(arguments.caller_metadata)
            .with_attributes(json.loads(arguments.attributes))
            .with_grants(api.VideoGrants(room_join=True, room=self.name))
        )
        self.listen_to_room()
        await self.room.connect(os.environ["LIVEKIT_URL"], token.to_jwt())
        self.begun = time.monotonic()
        self.tell("joined", room=self.name)
        if arguments.rpc:
            local = self.room.local_participant
            local.register_rpc_method("get_user_location", self.called)
        for person in self.room.remote_participants.values():
            self.met(person)
            for track in person.track_publications.values():
                self.track("track", track, person)
        if arguments.mode == "voice":
            self.source = rtc.AudioSource(speech.SAMPLE_RATE, 1)
            microphone = rtc.LocalAudioTrack.create_audio_track("microphone", self.source)
            options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
            await self.room.local_participant.publish_track(microphone, options)

    async def called(self, call):
        self.tell("rpc", caller=call.caller_identity, method=call.method, payload=call.payload)
        return self.arguments.rpc

    async def look_on(self, lkapi):
        while True:
            await self.look(lkapi)
            await asyncio.sleep(LOOK_SECONDS)

    async def until(self, holds, seconds):
        """Waits until it holds, at most so long."""
        until = self.now() + seconds
        while not holds() and self.now() < until:
            await asyncio.sleep(0.02)
        return holds()

    def is_silent(self):
        quiet = self.now() - self.last_news > self.arguments.quiet
        return quiet and not self.sounding and self.state not in BUSY

    async def converse(self):
        arguments = self.arguments
        await self.until(lambda: self.state == "listening", arguments.ready)
        if arguments.greets:
            await self.until(lambda: self.first_news is not None, arguments.within)
        self.last_news = max(self.last_news, self.now())
        await self.until(self.is_silent, arguments.within)
        for turn in range(1, arguments.turns + 1):
            self.first_news = None
            await self.take_turn(turn)
            answered = await self.until(lambda: self.first_news is not None, arguments.within)
            if answered and arguments.barge_in:
                await asyncio.sleep(arguments.barge_in)
                self.tell("barge_in", turn=turn)
                await self.speak(arguments.turn_seconds)
                self.tell("barged_in", turn=turn)
                self.first_news = None
                await self.until(lambda: self.first_news is not None, arguments.within / 2)
            if not answered:
                self.tell("no_answer", turn=turn)
            await self.until(self.is_silent, 4 * arguments.within)
        await asyncio.sleep(arguments.linger)

    async def take_turn(self, turn):
        if turn == 1 and self.arguments.dtmf:
            for digit in self.arguments.dtmf:
                code = "0123456789*#".index(digit)
                await self.room.local_participant.publish_dtmf(code=code, digit=digit)
        elif self.arguments.mode == "chat":
            await self.room.local_participant.send_text(f"turn {turn}", topic="lk.chat")
        else:
            await self.speak(self.arguments.turn_seconds)
        self.tell("turn", turn=turn)

    async def speak(self, seconds):
        samples = speech.speak(seconds)
        frame = rtc.AudioFrame(samples, speech.SAMPLE_RATE, 1, len(samples) // 2)
        await self.source.capture_frame(frame)
        await self.source.wait_for_playout()


async def main():
    # A room keeps the event loop in which it is made.
    await Observer(read_arguments()).run()


if __name__ == "__main__":
    asyncio.run(main())
