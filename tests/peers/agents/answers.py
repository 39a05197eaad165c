"""Answers in other forms than the framework's stream: what agents with a frontend of their own write."""

import asyncio
import json
import time
import uuid

from livekit.agents import utils

TRANSCRIPTION = "lk.transcription"
CHAT = "lk.chat"
# The topic of the user packets that LiveKit's own chat box reads and writes.
LEGACY_CHAT = "lk-chat-topic"
GROWS_EVERY_SECONDS = 0.1


def write(conversation):
    """Writes every answer in the form that the behaviour names; the framework's own need nothing."""
    form = conversation.options.text
    if form in ("stream", "json", "none"):
        return
    if form == "chat_message":
        raise NotImplementedError("the Python SDK sends no chat messages of the legacy form")
    send = {"chat": _chat, "packet": _packet, "growing": _growing}[form]
    sending = set()

    def added(event):
        if getattr(event.item, "role", "") != "assistant":
            return
        task = asyncio.ensure_future(send(conversation.ctx.room, event.item.text_content))
        sending.add(task)
        task.add_done_callback(sending.discard)

    conversation.session.on("conversation_item_added", added)


async def _chat(room, text):
    await room.local_participant.send_text(text, topic=CHAT)


async def _packet(room, text):
    message = {"id": str(uuid.uuid4()), "timestamp": int(time.time() * 1000), "message": text}
    await room.local_participant.publish_data(json.dumps(message), reliable=True, topic=LEGACY_CHAT)


async def _growing(room, text):
    """The whole text again with every word, as transcripts of a user are written."""
    segment, words = utils.shortuuid("SG_"), text.split(" ")
    for count in range(1, len(words) + 1):
        attributes = {
            "lk.segment_id": segment,
            "lk.transcription_final": "true" if count == len(words) else "false",
        }
        written = " ".join(words[:count])
        await room.local_participant.send_text(written, topic=TRANSCRIPTION, attributes=attributes)
        await asyncio.sleep(GROWS_EVERY_SECONDS)
