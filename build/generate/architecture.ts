/** The graph in docs/architecture.md: the actual imports between rooms. The rest of the page is written by hand. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { arrows, type RoomName } from '../rooms.ts';
import { formatted } from './format.ts';

export const ARCHITECTURE_FILE = 'docs/architecture.md';

const root = join(import.meta.dirname, '../..');
const BEGIN = '<!-- imports between rooms: begin (make generate) -->';
const END = '<!-- imports between rooms: end -->';

/** Resolves with the page with the current graph between the markers. */
export async function architecturePage(): Promise<string> {
  const page = readFileSync(join(root, ARCHITECTURE_FILE), 'utf8');
  const [before, between] = page.split(BEGIN);
  const after = between?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${ARCHITECTURE_FILE} has lost its markers`);
  return formatted(ARCHITECTURE_FILE, `${before}${BEGIN}\n\n${await graph()}\n\n${END}${after}`);
}

async function graph(): Promise<string> {
  const all = await arrows(root);
  const rooms = new Set(all.flatMap(({ from, to }) => [from, to]));
  const boxes = Array.from(rooms, (room) => `  ${idOf(room)}[${room}]`);
  const lines = all.map(({ from, to, imports }) => `  ${idOf(from)} -->|${imports}| ${idOf(to)}`);
  return ['```mermaid', 'flowchart TD', ...boxes, ...lines, '```'].join('\n');
}

/** Returns the ID of a room in mermaid: it must not contain a slash or a space. */
function idOf(room: RoomName): string {
  return room.replaceAll(/\W/g, '-');
}
