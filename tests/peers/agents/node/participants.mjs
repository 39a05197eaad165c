// Participants beside the one of a job, as in ../participants.py: an avatar, and an agent that only its
// grant makes one. The framework has no runner for avatars: this one plays what the agent streams to it.

import { voice } from '@livekit/agents';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  ParticipantKind,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';

import { note } from './behaviours.mjs';
import { SAMPLE_RATE, secondsOf, speak } from './speech.mjs';

const AVATAR = 'stand-in-avatar-agent';
const GREETING = 'Hello from a plain participant.';
// Sound above this level is speech to the plain participant, silence of this length its end.
const LOUD = 300;
const SILENCE_SECONDS = 0.7;

/** A token of the program's own, as frontends and avatar workers sign them. */
function token(room, identity, grants, { kind, attributes } = {}) {
  const { LIVEKIT_API_KEY, LIVEKIT_API_SECRET } = process.env;
  const signed = new AccessToken(LIVEKIT_API_KEY, LIVEKIT_API_SECRET, { identity, attributes });
  signed.addGrant({ roomJoin: true, room, ...grants });
  if (kind) signed.kind = kind;
  return signed.toJwt();
}

/** Waits until there is another agent in the room. */
export function waitForAgent(room) {
  return new Promise((done) => {
    const look = () => {
      const people = [...room.remoteParticipants.values()];
      if (people.some((person) => person.info.kind === ParticipantKind.AGENT)) done();
    };
    room.on(RoomEvent.ParticipantConnected, look);
    look();
  });
}

async function publish(room, source, name) {
  const track = LocalAudioTrack.createAudioTrack(name, source);
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
  const publication = await room.localParticipant.publishTrack(track, options);
  await publication.waitForSubscription();
}

/** A second participant that speaks for the agent; the agent sends it the audio. */
export async function addAvatar({ ctx, session }) {
  const agent = ctx.room.localParticipant.identity;
  const room = new Room();
  const attributes = { 'lk.publish_on_behalf': agent };
  const signed = await token(ctx.room.name, AVATAR, {}, { kind: 'agent', attributes });
  await room.connect(process.env.LIVEKIT_URL, signed, { autoSubscribe: true, dynacast: false });
  const source = new AudioSource(SAMPLE_RATE, 1);
  void publish(room, source, 'avatar_audio');
  const tell = (method, payload) =>
    room.localParticipant.performRpc({ destinationIdentity: agent, method, payload });

  let interrupted = false;
  room.localParticipant.registerRpcMethod('lk.clear_buffer', async () => {
    interrupted = true;
    source.clearQueue();
    return 'ok';
  });
  room.registerByteStreamHandler('lk.audio_stream', async (reader) => {
    interrupted = false;
    let [position, rest] = [0, Buffer.alloc(0)];
    for await (const chunk of reader) {
      if (interrupted) break;
      const bytes = Buffer.concat([rest, chunk]);
      const whole = bytes.length - (bytes.length % 2);
      rest = bytes.subarray(whole);
      const samples = new Int16Array(new Uint8Array(bytes.subarray(0, whole)).buffer);
      if (samples.length === 0) continue;
      if (position === 0) void tell('lk.playback_started', '');
      position += samples.length / SAMPLE_RATE;
      await source.captureFrame(new AudioFrame(samples, SAMPLE_RATE, 1, samples.length));
    }
    if (!interrupted) await source.waitForPlayout();
    const finished = { playback_position: position, interrupted };
    await tell('lk.playback_finished', JSON.stringify(finished));
  });
  session.output.audio = new voice.DataStreamAudioOutput({
    room: ctx.room,
    destinationIdentity: AVATAR,
    sampleRate: SAMPLE_RATE,
    waitRemoteTrack: TrackKind.KIND_AUDIO,
  });
  ctx.addShutdownCallback(() => room.disconnect());
}

/**
 * Joins on its own with the `agent` grant and no kind, as Pipecat's token helper has it, and says back.
 *
 * There is no framework in it: sound is answered with speech, a text on lk.chat or a user packet with a
 * user packet of RTVI, Pipecat's protocol.
 */
export async function joinAsStandard(ctx, options) {
  const room = new Room();
  const source = new AudioSource(SAMPLE_RATE, 1);
  let turns = 0;

  const say = async (text) => {
    const message = { label: 'rtvi-ai', type: 'bot-transcription', data: { text } };
    const bytes = new TextEncoder().encode(JSON.stringify(message));
    await room.localParticipant.publishData(bytes, { reliable: true });
    if (options.text_mode) return;
    const samples = speak(secondsOf(text));
    await source.captureFrame(new AudioFrame(samples, SAMPLE_RATE, 1, samples.length));
  };
  const listen = async (track) => {
    let [speaking, silentSince] = [false, null];
    for await (const frame of new AudioStream(track, SAMPLE_RATE, 1)) {
      const now = performance.now() / 1000;
      if (frame.data.some((sample) => Math.abs(sample) > LOUD)) {
        [speaking, silentSince] = [true, null];
      } else if (speaking) {
        silentSince ??= now;
        if (now - silentSince > SILENCE_SECONDS) {
          speaking = false;
          turns += 1;
          void say(`echo: spoken turn ${turns}.`);
        }
      }
    }
  };

  room.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === TrackKind.KIND_AUDIO && !options.text_mode) void listen(track);
  });
  room.on(RoomEvent.DataReceived, (bytes) => void say(`echo: ${Buffer.from(bytes)}.`));
  room.on(RoomEvent.Disconnected, () => ctx.shutdown('left'));
  room.registerTextStreamHandler('lk.chat', async (reader) => say(`echo: ${await reader.readAll()}.`));
  const signed = await token(ctx.job.room.name, 'pipecat-agent', { agent: true });
  await room.connect(process.env.LIVEKIT_URL, signed, { autoSubscribe: true, dynacast: false });
  note('started', { identity: 'pipecat-agent' });
  if (!options.text_mode) await publish(room, source, 'pipecat-audio');
  if (options.greeting) await say(GREETING);
}
