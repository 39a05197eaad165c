"""Agents as people run them, on livekit-agents 1.0 to 1.8, without a cloud model.

Needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; `framework` and `behaviours` say what else the
environment and the metadata of a dispatch choose. Run with `python python_agent.py start`.
"""

import asyncio
import json
import os
import signal

from livekit import api
from livekit.agents import (
    Agent,
    AudioConfig,
    BackgroundAudioPlayer,
    BuiltinAudioClip,
    RunContext,
    function_tool,
)

import answers
import behaviours
import framework
import participants
from framework import note
from stand_ins import StandInLLM, StandInSTT, StandInTTS

GREETING = "Welcome, how can I help you today?"
SECOND_GREETING = "You are with billing now, go ahead."
GOODBYE = "Goodbye and thank you."
LOOKED_UP = "The answer is forty two."
SENTENCE = "And there is more to say about that, as always."
KILLED_AFTER_SECONDS = 1.0

# Tasks that nobody awaits must be held, or they may be collected.
tasks = set()


def spawn(coroutine):
    task = asyncio.ensure_future(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


class Conversation:
    """One job: its session, and what its behaviour makes of the turns."""

    def __init__(self, ctx, options):
        self.ctx, self.options = ctx, options
        self.stt = StandInSTT()
        self.says_goodbye_first = False
        self.llm = self._model(GREETING, "")
        self.session = framework.session(
            options, llm=self.llm, stt=self.stt, tts=StandInTTS(choppy=options.choppy)
        )
        # livekit-agents 1.0 has no `session.agent_state`.
        self.state = ""
        self.ended = False

    def _model(self, greeting, prefix):
        return StandInLLM(
            greeting=" ".join([greeting] + [SENTENCE] * (self.options.sentences - 1)),
            answer=lambda told: self._answer(f"{prefix}{told}"),
            call=self._call,
            options=self.options,
        )

    def _answer(self, told):
        if self.options.answer == "attributes":
            caller = self._caller()
            note("caller", kind=int(caller.kind), attributes=dict(caller.attributes))
            told = f"name={caller.name} metadata={caller.metadata} attributes={json.dumps(caller.attributes)}"
        return " ".join([f"echo: {told}."] + [SENTENCE] * (self.options.sentences - 1))

    def _call(self, turn):
        """What the model calls at this turn: words before it, the tool, its arguments."""
        options = self.options
        if turn == options.at_turn and options.end == "end_call":
            return GOODBYE if self.says_goodbye_first else "", "end_call", {}
        if turn == options.at_turn and options.hand_off == "agent":
            return "", "hand_over", {}
        if options.tool:
            return options.filler, options.tool, {}
        return None

    def _caller(self):
        return next(iter(self.ctx.room.remote_participants.values()))

    def tools(self):
        """The functions that the model can call."""
        conversation = self

        @function_tool
        async def look_up(context: RunContext) -> str:
            """Takes its time."""
            await asyncio.sleep(conversation.options.tool_seconds)
            return LOOKED_UP

        @function_tool
        async def locate(context: RunContext) -> str:
            """Asks the caller where it is, as agents ask a frontend."""
            return await conversation.ask_caller()

        @function_tool
        async def hand_over(context: RunContext):
            """Hands over to another agent in the same session."""
            return Billing(conversation), "Handing over."

        found = [look_up, locate, hand_over]
        if self.options.end == "end_call":
            found += self._end_call()
        return found

    def _end_call(self):
        """The framework's own tool, or what people wrote before there was one."""
        try:
            from livekit.agents.beta.tools import EndCallTool
        except ImportError:
            EndCallTool = None
        if EndCallTool is not None:
            return [EndCallTool()]
        conversation = self

        @function_tool
        async def end_call(context: RunContext) -> None:
            """Ends the call, once the goodbye before it was heard."""
            spawn(conversation.leave_and_delete_room(context.speech_handle))

        self.says_goodbye_first = True
        return [end_call]

    async def leave_and_delete_room(self, goodbye):
        async def delete_room():
            await self.delete_room()

        await goodbye.wait_for_playout()
        self.ctx.add_shutdown_callback(delete_room)
        await self.session.aclose()
        self.ctx.shutdown(reason="end call")

    async def delete_room(self):
        await self.ctx.api.room.delete_room(api.DeleteRoomRequest(room=self.ctx.room.name))

    async def ask_caller(self):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            answer = await self.ctx.room.local_participant.perform_rpc(
                destination_identity=self._caller().identity,
                method="get_user_location",
                payload=json.dumps({"accuracy": "city"}),
            )
            told = f"location {answer}"
        except Exception as error:  # an RpcError has a code, others do not
            told = f"no location, code {getattr(error, 'code', type(error).__name__)}"
        note("rpc", told=told, seconds=loop.time() - begun)
        return told

    def after_tool(self, name, output):
        """What the model says once a tool has answered."""
        return GOODBYE if name == "end_call" else output

    async def run(self):
        options, session = self.options, self.session
        self.llm.after_tool = self.after_tool
        session.on("agent_state_changed", self._state_changed)
        session.on("user_state_changed", self._user_state_changed)
        session.on("close", lambda _: note("closed"))
        answers.write(self)
        if options.dtmf:
            self._collect_digits()
        if options.avatar:
            await participants.add_avatar(self)
        await asyncio.sleep(options.start_seconds)
        await framework.start(session, Greeter(self), self.ctx.room, options)
        note("started")
        if options.ambience or options.thinking_sound:
            await self._play_background()
        if options.second or options.hand_off == "job":
            await self._dispatch_another()
        if options.greeting == "say":
            await asyncio.sleep(options.greeting_seconds)
            self.greet()

    def greet(self):
        if self.options.greeting == "say" and not self.options.text_mode:
            self.session.say(self.llm.greeting)
        else:
            self.session.generate_reply(instructions="Greet.")

    async def _play_background(self):
        options = self.options
        ambience = AudioConfig(BuiltinAudioClip.OFFICE_AMBIENCE, volume=options.ambience)
        typing = AudioConfig(BuiltinAudioClip.KEYBOARD_TYPING, volume=0.8)
        self.background = BackgroundAudioPlayer(
            ambient_sound=ambience if options.ambience else None,
            thinking_sound=typing if options.thinking_sound else None,
        )
        await self.background.start(room=self.ctx.room, agent_session=self.session)

    async def _dispatch_another(self):
        """One more job of this worker in the same room; at a hand-over only when its turn has come."""
        if self.options.hand_off == "job":
            return
        await self._dispatch({"behaviour": "plain", "text_mode": self.options.text_mode})

    async def _dispatch(self, metadata):
        await self.ctx.api.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                agent_name=framework.NAME, room=self.ctx.room.name, metadata=json.dumps(metadata)
            )
        )

    def _collect_digits(self):
        digits = []

        def pressed(event):
            digits.append(event.digit)
            note("digit", digit=event.digit)
            if event.digit == "#":
                self.session.generate_reply(user_input="digits " + " ".join(digits))
                digits.clear()

        self.ctx.room.on("sip_dtmf_received", pressed)

    def _user_state_changed(self, event):
        note("user_state", state=event.new_state)
        if event.new_state == "speaking":
            self.stt.deaf = self.options.deaf_while_speaking and self.state == "speaking"
        if event.new_state == "away" and self.options.end == "away":
            self.ctx.shutdown(reason="silence")

    def _state_changed(self, event):
        note("state", state=event.new_state)
        self.state = event.new_state
        options = self.options
        if self.ended or self.llm.turns < options.at_turn:
            return
        killed_in = {"kill": "speaking", "kill_thinking": "thinking"}.get(options.end)
        if event.new_state == killed_in:
            self.ended = True
            loop = asyncio.get_running_loop()
            loop.call_later(KILLED_AFTER_SECONDS, os.kill, os.getpid(), signal.SIGKILL)
        spoken = event.new_state == "listening" and event.old_state == "speaking"
        if spoken and not killed_in and (options.end or options.hand_off == "job"):
            self.ended = True
            spawn(self._end())

    async def _end(self):
        options = self.options
        note("ends", how=options.end or options.hand_off)
        if options.end == "close":
            await self.session.aclose()
        elif options.end == "hang_up":
            self.ctx.shutdown(reason="hang up")
        elif options.end == "delete_room":
            await self.delete_room()
        elif options.hand_off == "job":
            successor = {"behaviour": "greeting-reply", "text_mode": options.text_mode}
            await self._dispatch(successor)
            await participants.wait_for_agent(self.ctx.room)
            self.ctx.shutdown(reason="handed over")


class Greeter(Agent):
    """The agent that begins."""

    def __init__(self, conversation):
        super().__init__(instructions="Say back what is said.", tools=conversation.tools())
        self.conversation = conversation

    async def on_enter(self):
        if self.conversation.options.greeting == "reply":
            self.conversation.greet()


class Billing(Agent):
    """The agent that it hands over to; it speaks without having been spoken to."""

    def __init__(self, conversation):
        model = conversation._model(SECOND_GREETING, "billing, ")
        model.call = lambda _: None
        super().__init__(instructions="Say back what is said, as billing.", llm=model)

    async def on_enter(self):
        self.session.generate_reply(instructions="Greet.")


async def entrypoint(ctx):
    options = behaviours.chosen(ctx.job.metadata)
    room, version = ctx.job.room.name, framework.VERSION
    metadata = {"metadata": ctx.job.metadata, "room_metadata": ctx.job.room.metadata}
    note("job", room=room, version=version, behaviour=options.behaviour, **metadata)
    if options.participant == "standard":
        await participants.join_as_standard(ctx, options)
        return
    if options.end == "crash_at_once":
        raise RuntimeError("this agent dies before it joins")
    await framework.connect(ctx, options)
    if options.end == "crash":
        await asyncio.sleep(options.start_seconds)
        raise RuntimeError("this agent dies on joining")
    await Conversation(ctx, options).run()


if __name__ == "__main__":
    framework.serve(entrypoint, behaviours.chosen())
