/**
 * `make chaos`: the long versions of the stories that tests play in short, one after the other, each with a table of
 * what it found. `node test/chaos/run.ts NAME…` plays some of them, and `node test/chaos/run.ts list` names them. The
 * exit status is 1 if an aim was missed or a story could not be played.
 */
import { describeMachine } from '../bench/machine.ts';
import { STORIES } from './stories.ts';
import { isMet, markdownOf } from './table.ts';

const wanted = process.argv.slice(2);
const names = Object.keys(STORIES);

if (wanted.includes('list')) {
  for (const [name, { about, minutes }] of Object.entries(STORIES)) {
    console.log(`${name.padEnd(16)} ${about} (${minutes} min)`);
  }
} else {
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`no story "${unknown}": write ${names.join(', ')}, or list`);
  await playAll(names.filter((name) => wanted.length === 0 || wanted.includes(name)));
}

async function playAll(chosen: readonly string[]): Promise<void> {
  const missed: string[] = [];
  console.log(describeMachine());
  for (const name of chosen) if (!(await isPlayedWell(name))) missed.push(name);
  console.log(
    missed.length === 0
      ? `\n${chosen.length} of ${chosen.length} stories reached their aims`
      : `\n${missed.length} of ${chosen.length} stories missed an aim: ${missed.join(', ')}`,
  );
  process.exitCode = missed.length === 0 ? 0 : 1;
}

/** Plays one and prints what it found; false if an aim is missed. */
async function isPlayedWell(name: string): Promise<boolean> {
  const story = STORIES[name];
  if (story === undefined) return false;
  const begun = Date.now();
  tell(`${name}: about ${story.minutes} min`);
  try {
    const reports = await story.play(tell);
    for (const report of reports) console.log(`\n${markdownOf(report)}`);
    console.log(`\n${name} took ${((Date.now() - begun) / 60_000).toFixed(1)} min`);
    return reports.every(isMet);
  } catch (error) {
    console.log(`\n## ${name}\n\n**could not be played**: ${(error as Error).stack ?? (error as Error).message}`);
    return false;
  }
}

function tell(line: string): void {
  process.stderr.write(`chaos: ${line}\n`);
}
