"""Participants beside the one of a job: an avatar, and an agent that only its grant makes one."""

import asyncio
import json
import os

from livekit import api, rtc
from livekit.agents.voice.avatar import (
    AudioSegmentEnd,
    AvatarOptions,
    AvatarRunner,
    DataStreamAudioOutput,
    DataStreamAudioReceiver,
    VideoGenerator,
)

import speech
from framework import IS_SERVER, note

AVATAR = "stand-in-avatar-agent"
ON_BEHALF = "lk.publish_on_behalf"
WIDTH, HEIGHT, FRAMES_A_SECOND = 64, 64, 10
GREETING = "Hello from a plain participant."
# Sound above this level is speech to the plain participant, silence of this length its end.
LOUD, SILENCE_SECONDS = 300, 0.7

held = []


def token(room, identity, grants, *, kind="", attributes=None):
    """A token of the program's own, as frontends and avatar workers sign them."""
    signed = (
        api.AccessToken(os.environ["LIVEKIT_API_KEY"], os.environ["LIVEKIT_API_SECRET"])
        .with_identity(identity)
        .with_grants(api.VideoGrants(room_join=True, room=room, **grants))
        .with_attributes(attributes or {})
    )
    return (signed.with_kind(kind) if kind else signed).to_jwt()


async def wait_for_agent(room):
    """Waits until there is another agent in the room."""
    arrived = asyncio.Event()

    def look(_=None):
        kinds = [person.kind for person in room.remote_participants.values()]
        if rtc.ParticipantKind.PARTICIPANT_KIND_AGENT in kinds:
            arrived.set()

    room.on("participant_connected", look)
    look()
    await arrived.wait()


class StillPicture(VideoGenerator):
    """An avatar that shows one colour while it speaks."""

    def __init__(self):
        self.frames = asyncio.Queue()
        self.picture = rtc.VideoFrame(
            WIDTH, HEIGHT, rtc.VideoBufferType.RGBA, bytes([40, 80, 120, 255]) * (WIDTH * HEIGHT)
        )

    async def push_audio(self, frame):
        await self.frames.put(frame)

    def clear_buffer(self):
        while not self.frames.empty():
            self.frames.get_nowait()

    def __aiter__(self):
        return self._stream()

    async def _stream(self):
        yield self.picture
        since_picture = 0.0
        while True:
            try:
                frame = await asyncio.wait_for(self.frames.get(), 1 / FRAMES_A_SECOND)
            except asyncio.TimeoutError:
                yield self.picture
                continue
            if not isinstance(frame, AudioSegmentEnd):
                since_picture += frame.samples_per_channel / frame.sample_rate
                if since_picture >= 1 / FRAMES_A_SECOND:
                    since_picture = 0.0
                    yield self.picture
            yield frame


async def add_avatar(conversation):
    """A second participant that speaks for the agent; the agent sends it the audio."""
    ctx = conversation.ctx
    agent = ctx.room.local_participant.identity
    room = rtc.Room()
    signed = token(ctx.room.name, AVATAR, {}, kind="agent", attributes={ON_BEHALF: agent})
    await room.connect(os.environ["LIVEKIT_URL"], signed)
    options = AvatarOptions(
        video_width=WIDTH,
        video_height=HEIGHT,
        video_fps=FRAMES_A_SECOND,
        audio_sample_rate=speech.SAMPLE_RATE,
        audio_channels=1,
    )
    runner = AvatarRunner(
        room,
        audio_recv=DataStreamAudioReceiver(room, sender_identity=agent),
        video_gen=StillPicture(),
        options=options,
    )
    await runner.start()
    held.append((room, runner))
    own = {"sample_rate": speech.SAMPLE_RATE} if IS_SERVER else {}
    if IS_SERVER:
        own["wait_remote_track"] = rtc.TrackKind.KIND_VIDEO
    conversation.session.output.audio = DataStreamAudioOutput(
        ctx.room, destination_identity=AVATAR, **own
    )

    async def leave():
        await room.disconnect()

    ctx.add_shutdown_callback(leave)


async def join_as_standard(ctx, options):
    """Joins on its own with the `agent` grant and no kind, as Pipecat's token helper has it, and says back.

    There is no framework in it: sound is answered with speech, a text on lk.chat or a user packet with a
    user packet of RTVI, Pipecat's protocol.
    """
    room = rtc.Room()
    answered = {"turns": 0}
    source = rtc.AudioSource(speech.SAMPLE_RATE, 1)
    tasks = set()

    def spawn(coroutine):
        task = asyncio.ensure_future(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def write(text):
        message = {"label": "rtvi-ai", "type": "bot-transcription", "data": {"text": text}}
        await room.local_participant.publish_data(json.dumps(message), reliable=True)

    async def say(text):
        await write(text)
        if options.text_mode:
            return
        samples = speech.speak(speech.seconds_of(text))
        frame = rtc.AudioFrame(samples, speech.SAMPLE_RATE, 1, len(samples) // 2)
        await source.capture_frame(frame)

    async def listen(track):
        silent_since, speaking = None, False
        loop = asyncio.get_running_loop()
        async for event in rtc.AudioStream(track, sample_rate=speech.SAMPLE_RATE, num_channels=1):
            loud = max(abs(sample) for sample in event.frame.data) > LOUD
            if loud:
                speaking, silent_since = True, None
            elif speaking:
                silent_since = silent_since or loop.time()
                if loop.time() - silent_since > SILENCE_SECONDS:
                    speaking = False
                    answered["turns"] += 1
                    spawn(say(f"echo: spoken turn {answered['turns']}."))

    def subscribed(track, *_):
        if track.kind == rtc.TrackKind.KIND_AUDIO and not options.text_mode:
            spawn(listen(track))

    async def read(reader):
        await say(f"echo: {await reader.read_all()}.")

    room.on("track_subscribed", subscribed)
    room.on("data_received", lambda packet: spawn(say(f"echo: {packet.data.decode()}.")))
    room.on("disconnected", lambda _: ctx.shutdown(reason="left"))
    room.register_text_stream_handler("lk.chat", lambda reader, _: spawn(read(reader)))
    signed = token(ctx.job.room.name, "pipecat-agent", {"agent": True})
    await room.connect(os.environ["LIVEKIT_URL"], signed)
    held.append(room)
    note("started", identity="pipecat-agent")
    if not options.text_mode:
        track = rtc.LocalAudioTrack.create_audio_track("pipecat-audio", source)
        published = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await room.local_participant.publish_track(track, published)
        await publication.wait_for_subscription()
    if options.greeting:
        await say(GREETING)
