// Agents as people run them, on @livekit/agents 1.9, without a cloud model; ../README.md says what they do.
//
// Needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET; the rest of the environment and of a dispatch's
// metadata is as for ../python_agent.py. Run with `node agent.mjs start`.

import { fileURLToPath } from 'node:url';

import { ServerOptions, WorkerPermissions, beta, cli, defineAgent, llm, version, voice } from '@livekit/agents';
import { AgentDispatchClient } from 'livekit-server-sdk';

import { writeAnswers } from './answers.mjs';
import { chosen, note, sleep } from './behaviours.mjs';
import { addAvatar, joinAsStandard, waitForAgent } from './participants.mjs';
import { StandInLLM, StandInSTT, StandInTTS } from './stand_ins.mjs';

const NAME = process.env.AGENT_NAME ?? 'agent';
const GREETING = 'Welcome, how can I help you today?';
const SECOND_GREETING = 'You are with billing now, go ahead.';
const GOODBYE = 'Goodbye and thank you.';
const LOOKED_UP = 'The answer is forty two.';
const SENTENCE = 'And there is more to say about that, as always.';
const KILLED_AFTER_SECONDS = 1.0;

const seconds = () => performance.now() / 1000;

/** One job: its session, and what its behaviour makes of the turns. */
class Conversation {
  constructor(ctx, options) {
    this.ctx = ctx;
    this.options = options;
    this.stt = new StandInSTT();
    this.llm = this.model(GREETING, '', (turn) => this.#call(turn));
    this.session = new voice.AgentSession(this.#sessionOptions());
    this.ended = false;
  }

  #sessionOptions() {
    const { options } = this;
    const turnHandling = { interruption: { enabled: options.interruptible, mode: 'vad' } };
    if (options.text_mode) return { llm: this.llm, turnHandling };
    return {
      stt: this.stt,
      llm: this.llm,
      tts: new StandInTTS({ choppy: options.choppy }),
      turnHandling: { ...turnHandling, turnDetection: 'vad' },
      userAwayTimeout: options.away_seconds,
    };
  }

  model(greeting, prefix, call) {
    const more = Array(this.options.sentences - 1).fill(SENTENCE);
    return new StandInLLM({
      greeting: [greeting, ...more].join(' '),
      answer: (told) => [`echo: ${this.#told(prefix + told)}.`, ...more].join(' '),
      call,
      afterTool: (name, output) => (name === 'end_call' ? GOODBYE : output),
      options: this.options,
    });
  }

  #told(told) {
    if (this.options.answer !== 'attributes') return told;
    const { name, metadata, attributes, kind } = this.#caller();
    note('caller', { kind, attributes });
    return `name=${name} metadata=${metadata} attributes=${JSON.stringify(attributes)}`;
  }

  #caller() {
    return this.ctx.room.remoteParticipants.values().next().value;
  }

  /** What the model calls at this turn. */
  #call(turn) {
    const { options } = this;
    const now = turn === options.at_turn;
    if (now && options.end === 'end_call') return { name: 'end_call' };
    if (now && options.hand_off === 'agent') return { name: 'hand_over' };
    if (options.tool) return { name: options.tool, words: options.filler };
  }

  /** The functions that the model can call. */
  tools() {
    const of = (name, description, execute) => llm.tool({ name, description, execute });
    const found = [
      of('look_up', 'Takes its time.', async () => {
        await sleep(this.options.tool_seconds);
        return LOOKED_UP;
      }),
      of('locate', 'Asks the caller where it is, as agents ask a frontend.', () => this.#askCaller()),
      of('hand_over', 'Hands over to another agent in the same session.', async () =>
        llm.handoff({ agent: new Billing(this), returns: 'Handing over.' }),
      ),
    ];
    if (this.options.end === 'end_call') found.push(beta.createEndCallTool());
    return found;
  }

  async #askCaller() {
    const begun = seconds();
    let told;
    try {
      const answer = await this.ctx.room.localParticipant.performRpc({
        destinationIdentity: this.#caller().identity,
        method: 'get_user_location',
        payload: JSON.stringify({ accuracy: 'city' }),
      });
      told = `location ${answer}`;
    } catch (error) {
      told = `no location, code ${error.code ?? error.name}`;
    }
    note('rpc', { told, seconds: seconds() - begun });
    return told;
  }

  async run() {
    const { options, session, ctx } = this;
    session.on('agent_state_changed', (event) => this.#stateChanged(event));
    session.on('user_state_changed', (event) => this.#userStateChanged(event));
    session.on('close', () => note('closed'));
    writeAnswers(this);
    if (options.dtmf) this.#collectDigits();
    if (options.avatar) await addAvatar(this);
    await sleep(options.start_seconds);
    const written = ['stream', 'json'].includes(options.text);
    await session.start({
      agent: new Greeter(this),
      room: ctx.room,
      inputOptions: { audioEnabled: !options.text_mode },
      outputOptions: {
        audioEnabled: !options.text_mode && !options.avatar,
        transcriptionEnabled: written,
        jsonFormat: options.text === 'json',
      },
      record: false,
    });
    note('started');
    if (options.ambience || options.thinking_sound) await this.#playBackground();
    if (options.second) await this.#dispatch({ behaviour: 'plain', text_mode: options.text_mode });
    if (options.greeting === 'say') {
      await sleep(options.greeting_seconds);
      this.greet();
    }
  }

  greet() {
    if (this.options.greeting === 'say' && !this.options.text_mode) {
      this.session.say(this.llm.greeting);
    } else {
      this.session.generateReply({ instructions: 'Greet.' });
    }
  }

  async #playBackground() {
    const { options } = this;
    const clip = (source, volume) => ({ source, volume });
    this.background = new voice.BackgroundAudioPlayer({
      ...(options.ambience && {
        ambientSound: clip(voice.BuiltinAudioClip.OFFICE_AMBIENCE, options.ambience),
      }),
      ...(options.thinking_sound && {
        thinkingSound: clip(voice.BuiltinAudioClip.KEYBOARD_TYPING, 0.8),
      }),
    });
    await this.background.start({ room: this.ctx.room, agentSession: this.session });
  }

  /** One more job of this worker in the same room. */
  async #dispatch(metadata) {
    const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET } = process.env;
    const url = LIVEKIT_URL.replace(/^ws/, 'http');
    const client = new AgentDispatchClient(url, LIVEKIT_API_KEY, LIVEKIT_API_SECRET);
    await client.createDispatch(this.ctx.room.name, NAME, { metadata: JSON.stringify(metadata) });
  }

  #collectDigits() {
    const digits = [];
    this.ctx.room.on('dtmfReceived', (_code, digit) => {
      digits.push(digit);
      note('digit', { digit });
      if (digit === '#') {
        this.session.generateReply({ userInput: `digits ${digits.splice(0).join(' ')}` });
      }
    });
  }

  #userStateChanged({ newState }) {
    note('user_state', { state: newState });
    if (newState === 'speaking') {
      const speaks = this.session.agentState === 'speaking';
      this.stt.deaf = this.options.deaf_while_speaking && speaks;
    }
    if (newState === 'away' && this.options.end === 'away') this.ctx.shutdown('silence');
  }

  #stateChanged({ oldState, newState }) {
    note('state', { state: newState });
    const { options } = this;
    if (this.ended || this.llm.turns < options.at_turn) return;
    const killedIn = { kill: 'speaking', kill_thinking: 'thinking' }[options.end];
    if (newState === killedIn) {
      this.ended = true;
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1000 * KILLED_AFTER_SECONDS);
    }
    const spoken = newState === 'listening' && oldState === 'speaking';
    if (spoken && !killedIn && (options.end || options.hand_off === 'job')) {
      this.ended = true;
      this.#end();
    }
  }

  async #end() {
    const { options, ctx } = this;
    note('ends', { how: options.end || options.hand_off });
    if (options.end === 'close') await this.session.close();
    if (options.end === 'hang_up') ctx.shutdown('hang up');
    if (options.end === 'delete_room') await ctx.deleteRoom();
    if (options.hand_off === 'job') {
      await this.#dispatch({ behaviour: 'greeting-reply', text_mode: options.text_mode });
      await waitForAgent(ctx.room);
      ctx.shutdown('handed over');
    }
  }
}

/** The agent that begins. */
class Greeter extends voice.Agent {
  constructor(conversation) {
    super({ instructions: 'Say back what is said.', tools: conversation.tools() });
    this.conversation = conversation;
  }

  async onEnter() {
    if (this.conversation.options.greeting === 'reply') this.conversation.greet();
  }
}

/** The agent that it hands over to; it speaks without having been spoken to. */
class Billing extends voice.Agent {
  constructor(conversation) {
    const model = conversation.model(SECOND_GREETING, 'billing, ', () => undefined);
    super({ instructions: 'Say back what is said, as billing.', llm: model });
  }

  async onEnter() {
    this.session.generateReply({ instructions: 'Greet.' });
  }
}

export default defineAgent({
  entry: async (ctx) => {
    const options = chosen(ctx.job.metadata);
    const { behaviour } = options;
    const { room, metadata } = ctx.job;
    note('job', { room: room.name, version, behaviour, metadata, room_metadata: room.metadata });
    if (options.participant === 'standard') return joinAsStandard(ctx, options);
    if (options.end === 'crash_at_once') {
      throw new Error('this agent dies before it joins');
    }
    const sharedKey = new TextEncoder().encode('a key that the caller does not have');
    await ctx.connect(options.encrypted ? { keyProviderOptions: { sharedKey } } : undefined);
    if (options.end === 'crash') {
      await sleep(options.start_seconds);
      throw new Error('this agent dies on joining');
    }
    await new Conversation(ctx, options).run();
  },
});

// The jobs' own processes import this file too.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { may_update: mayUpdate, hidden } = chosen();
  cli.runApp(
    new ServerOptions({
      agent: fileURLToPath(import.meta.url),
      agentName: NAME,
      host: '127.0.0.1',
      port: Number(process.env.AGENT_PORT ?? 8081),
      numIdleProcesses: 1,
      loadFunc: async () => 0,
      permissions: new WorkerPermissions(true, true, true, mayUpdate, [], hidden),
    }),
  );
}
