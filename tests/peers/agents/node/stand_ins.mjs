// Stand-ins of a fixed delay for the models of an agent, as in ../stand_ins.py.

import { llm, stt, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';

import { sleep } from './behaviours.mjs';
import { SAMPLE_RATE, secondsOf, speak } from './speech.mjs';

const STT_SECONDS = 0.03;
const TTS_SECONDS = 0.02;
const PIECE_SECONDS = 0.2;
// The piece of a voice that is slower than real time, and the hole after it.
const [CHOPPY_PIECE_SECONDS, CHOPPY_HOLE_SECONDS] = [0.4, 0.25];

class StandInStream extends llm.LLMStream {
  label = 'stand-in';
  #brain;

  constructor(brain, options) {
    super(brain, options);
    this.#brain = brain;
  }

  async run() {
    const brain = this.#brain;
    await sleep(brain.seconds);
    const items = this.chatCtx.items;
    const users = items.filter((item) => item.role === 'user');
    const last = items.at(-1);
    if (last?.type === 'function_call_output') {
      return this.#say(brain.afterTool(last.name, JSON.parse(last.output)));
    }
    // A greeting: nobody said anything yet, or `generateReply` was given instructions.
    if (users.length === 0 || last.role === 'system' || last.role === 'developer') {
      return this.#say(brain.greeting);
    }
    brain.turns += 1;
    const called = brain.call(brain.turns);
    if (!called) return this.#say(brain.answer(users.at(-1).textContent));
    if (called.words) await this.#say(called.words);
    const callId = `${called.name}-${brain.turns}`;
    const call = llm.FunctionCall.create({ callId, name: called.name, args: '{}' });
    this.queue.put({ id: 'stand-in', delta: { role: 'assistant', toolCalls: [call] } });
  }

  async #say(text) {
    for (const word of text.split(' ')) {
      this.queue.put({ id: 'stand-in', delta: { role: 'assistant', content: `${word} ` } });
      if (this.#brain.wordSeconds) await sleep(this.#brain.wordSeconds);
    }
  }
}

/** A language model that says back; `call` gives the words before, and the tool of a turn, if it calls one. */
export class StandInLLM extends llm.LLM {
  constructor({ greeting, answer, call, afterTool, options }) {
    super();
    Object.assign(this, { greeting, answer, call, afterTool });
    this.seconds = options.llm_seconds;
    this.wordSeconds = options.word_seconds;
    this.turns = 0;
  }

  label() {
    return 'stand-in';
  }

  chat({ chatCtx, toolCtx, connOptions }) {
    return new StandInStream(this, { chatCtx, toolCtx, connOptions });
  }
}

/** Hears numbered words in everything, and none while it is `deaf`. */
export class StandInSTT extends stt.STT {
  label = 'stand-in';
  heard = 0;
  deaf = false;

  constructor() {
    super({ streaming: false, interimResults: false });
  }

  async _recognize() {
    await sleep(STT_SECONDS);
    if (!this.deaf) this.heard += 1;
    const text = this.deaf ? '' : `spoken turn ${this.heard}`;
    const alternative = { language: 'en', text, startTime: 0, endTime: 0, confidence: 1 };
    return { type: stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives: [alternative] };
  }

  stream() {
    throw new Error('it recognises what is whole; the framework makes a stream of it');
  }
}

class VoiceStream extends tts.ChunkedStream {
  label = 'stand-in';
  #choppy;

  constructor(text, owner, connOptions, abortSignal) {
    super(text, owner, connOptions, abortSignal);
    this.#choppy = owner.choppy;
  }

  async run() {
    await sleep(TTS_SECONDS);
    const samples = speak(secondsOf(this.inputText));
    const step = SAMPLE_RATE * (this.#choppy ? CHOPPY_PIECE_SECONDS : PIECE_SECONDS);
    for (let start = 0; start < samples.length && !this.abortSignal.aborted; start += step) {
      const piece = samples.slice(start, start + step);
      const frame = new AudioFrame(piece, SAMPLE_RATE, 1, piece.length);
      const final = start + step >= samples.length;
      this.queue.put({ requestId: 'voice', segmentId: 'voice', frame, final });
      if (this.#choppy) await sleep(CHOPPY_PIECE_SECONDS + CHOPPY_HOLE_SECONDS);
    }
    this.queue.close();
  }
}

/** A synthesiser of sounds. */
export class StandInTTS extends tts.TTS {
  label = 'stand-in';

  constructor({ choppy }) {
    super(SAMPLE_RATE, 1, { streaming: false });
    this.choppy = choppy;
  }

  synthesize(text, connOptions, abortSignal) {
    return new VoiceStream(text, this, connOptions, abortSignal);
  }

  stream() {
    throw new Error('it speaks what is whole; the framework makes a stream of it');
  }
}
