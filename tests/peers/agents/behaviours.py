"""What an agent does, by name: one worker serves all behaviours, and the metadata of a dispatch chooses.

The metadata is a JSON object with `behaviour` and any option below; what else is in it is left alone, and
without it AGENT_BEHAVIOUR and AGENT_OPTIONS (such an object) of the environment hold. The Node agents read
the same names.
"""

import dataclasses
import json
import os


@dataclasses.dataclass
class Options:
    """One agent; the defaults are a plain one, which says every turn back."""

    behaviour: str = "plain"
    # No audio in or out, as Cekura's tracer does in chat runs.
    text_mode: bool = False
    # "" is none, "say" is `session.say` after the start, "reply" is `generate_reply` in `on_enter`.
    greeting: str = ""
    greeting_seconds: float = 0.0
    # The session starts so long after the participant joined.
    start_seconds: float = 0.0
    # The volume of an office in the background; 0 is none.
    ambience: float = 0.0
    thinking_sound: bool = False
    llm_seconds: float = 0.05
    # Between two words of an answer, where the model writes slowly.
    word_seconds: float = 0.0
    # A tool that is called on every turn: "look_up" takes `tool_seconds`, "locate" calls the caller by RPC.
    tool: str = ""
    tool_seconds: float = 3.0
    filler: str = ""
    # How many sentences an answer has.
    sentences: int = 1
    interruptible: bool = True
    # Speech of the caller while the agent speaks has no words, as a cough has none.
    deaf_while_speaking: bool = False
    # Pushed by the synthesiser in pieces with holes between them.
    choppy: bool = False
    # How answers are written: "stream" is the framework's own, "json" its lines of JSON, "none" not at all;
    # "chat" streams on lk.chat, "packet" user packets, "chat_message" legacy chat, "growing" whole texts
    # that grow under one segment id.
    text: str = "stream"
    # What an answer is: "echo", or "attributes" of the caller.
    answer: str = "echo"
    dtmf: bool = False
    # At this turn the agent hands over ("agent" in the session, "job" to a second job) or ends.
    at_turn: int = 2
    hand_off: str = ""
    # "end_call" says goodbye, leaves and deletes the room; after its answer "hang_up" leaves, "delete_room"
    # deletes the room with itself in it, "close" closes the session and stays; "kill" dies in mid-sentence;
    # "away" leaves when the caller was silent for `away_seconds`; "crash" dies on joining.
    end: str = ""
    away_seconds: float = 15.0
    avatar: bool = False
    # A second agent is dispatched to the room.
    second: bool = False
    encrypted: bool = False
    # "job" joins with the job's token; "standard" with one of its own that has only the `agent` grant.
    participant: str = "job"
    # Of the worker, not of a dispatch: what the server lets its agents do.
    hidden: bool = False
    may_update: bool = True


LONG = {"sentences": 12}
FILLER = "One moment please."

BEHAVIOURS = {
    "plain": {},
    "greeting-say": {"greeting": "say"},
    "greeting-reply": {"greeting": "reply", "llm_seconds": 0.5},
    "greeting-late": {"greeting": "say", "greeting_seconds": 4.0},
    "background": {"ambience": 0.8},
    "background-loud": {"ambience": 8.0},
    "thinking-sound": {"thinking_sound": True, "llm_seconds": 2.0},
    "filler": {"tool": "look_up", "filler": FILLER},
    "tool": {"tool": "look_up"},
    "interruptible": LONG,
    "false-interruption": {**LONG, "deaf_while_speaking": True},
    "uninterruptible": {**LONG, "interruptible": False},
    "choppy": {"sentences": 3, "choppy": True},
    "hand-off": {"hand_off": "agent"},
    "job-hand-off": {"hand_off": "job"},
    "avatar": {"avatar": True},
    "end-call": {"end": "end_call"},
    "hang-up": {"end": "hang_up"},
    "hang-up-after-silence": {"end": "away", "away_seconds": 4.0},
    "delete-room": {"end": "delete_room"},
    "close-session": {"end": "close"},
    "killed": {**LONG, "end": "kill", "word_seconds": 0.2},
    "crash": {"end": "crash"},
    "no-state": {"may_update": False},
    "no-transcripts": {"text": "none"},
    "rpc": {"tool": "locate"},
    "attributes": {"answer": "attributes"},
    "dtmf": {"dtmf": True},
    "slow-start": {"start_seconds": 6.0, "greeting": "say"},
    "two-agents": {"second": True},
    "hidden": {"hidden": True, "greeting": "say"},
    "standard": {"participant": "standard", "greeting": "say"},
    "encrypted": {"encrypted": True, "greeting": "say", "sentences": 3},
    "chat-answers": {"text": "chat"},
    "packet-answers": {"text": "packet"},
    "legacy-chat": {"text": "chat_message"},
    "growing-text": {"text": "growing"},
    "json-lines": {"text": "json"},
}


def _from_object(text):
    """The object in a text; none where there is something else."""
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def chosen(metadata=""):
    """The options of a dispatch, with the environment's beneath them."""
    asked = {
        "behaviour": os.environ.get("AGENT_BEHAVIOUR", "plain"),
        **_from_object(os.environ.get("AGENT_OPTIONS", "")),
        **_from_object(metadata),
    }
    behaviour = asked["behaviour"]
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"no behaviour is named {behaviour!r}; there are {', '.join(BEHAVIOURS)}")
    fields = {field.name for field in dataclasses.fields(Options)}
    own = {key: value for key, value in asked.items() if key in fields}
    return Options(**{**BEHAVIOURS[behaviour], **own})
