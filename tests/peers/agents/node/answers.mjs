// Answers in other forms than the framework's stream, as in ../answers.py.

import { randomUUID } from 'node:crypto';

import { sleep } from './behaviours.mjs';

const GROWS_EVERY_SECONDS = 0.1;

/** Writes every answer in the form that the behaviour names; the framework's own need nothing. */
export function writeAnswers({ options, session, ctx }) {
  const local = () => ctx.room.localParticipant;
  const forms = {
    chat: (text) => local().sendText(text, { topic: 'lk.chat' }),
    chat_message: (text) => local().sendChatMessage(text),
    packet: (text) => {
      const message = { id: randomUUID(), timestamp: Date.now(), message: text };
      const bytes = new TextEncoder().encode(JSON.stringify(message));
      return local().publishData(bytes, { reliable: true, topic: 'lk-chat-topic' });
    },
    growing: (text) => grow(local(), text),
  };
  const write = forms[options.text];
  if (!write) return;
  session.on('conversation_item_added', ({ item }) => {
    if (item.role === 'assistant') void write(item.textContent);
  });
}

/** The whole text again with every word, as transcripts of a user are written. */
async function grow(participant, text) {
  const segment = `SG_${randomUUID().slice(0, 12)}`;
  const words = text.split(' ');
  for (let count = 1; count <= words.length; count++) {
    await participant.sendText(words.slice(0, count).join(' '), {
      topic: 'lk.transcription',
      attributes: {
        'lk.segment_id': segment,
        'lk.transcription_final': String(count === words.length),
      },
    });
    await sleep(GROWS_EVERY_SECONDS);
  }
}
