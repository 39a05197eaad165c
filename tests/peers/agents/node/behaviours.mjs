// What an agent does, by name: `../behaviours.json`, as for the Python agents.

import { appendFileSync, readFileSync } from 'node:fs';

const known = JSON.parse(readFileSync(new URL('../behaviours.json', import.meta.url), 'utf8'));

/** The object in a text; none where there is something else. */
function objectIn(text) {
  try {
    const read = JSON.parse(text ?? '');
    return typeof read === 'object' && !Array.isArray(read) ? (read ?? {}) : {};
  } catch {
    return {};
  }
}

/** The options of a dispatch, with the environment's beneath them. */
export function chosen(metadata = '') {
  const asked = {
    behaviour: process.env.AGENT_BEHAVIOUR ?? 'plain',
    ...objectIn(process.env.AGENT_OPTIONS),
    ...objectIn(metadata),
  };
  const behaviour = known.behaviours[asked.behaviour];
  if (!behaviour) throw new Error(`no behaviour is named ${asked.behaviour}: see behaviours.json`);
  const own = Object.entries(asked).filter(([key]) => key in known.options);
  return { ...known.options, ...behaviour, ...Object.fromEntries(own) };
}

/** Writes a fact to the log. */
export function note(event, facts = {}) {
  const path = process.env.AGENT_LOG;
  if (path) appendFileSync(path, `${JSON.stringify({ at: Date.now() / 1000, event, ...facts })}\n`);
}

export const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
