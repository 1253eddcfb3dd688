/**
 * `make test-hold` prints how many pods a rolling update loses when something goes wrong: with
 * `inject.startupProbe: false`, as it was before there was a startup probe, and as it is by default; and what kubectl says
 * about it. It fails if any is lost by default. It needs what the tests in this folder need, and takes about 15 minutes.
 */
import { CAUSES, HoldScene, REPLICAS, SHAPES, SIX_CAUSES, type Mode } from './hold-scene.ts';

// Longer than the progress deadline of the Deployments, so that `rollout status` tells of it.
const WATCHED_MS = 20_000;
const MODES: readonly Mode[] = ['bare', 'held'];

const scene = await HoldScene.start(WATCHED_MS);
const rows = ['| what goes wrong | the container | pods lost before | pods lost now |', '| --- | --- | --- | --- |'];
const said: string[] = [];
let [outcomesSeen, lostNow] = [0, 0];
try {
  for (const cause of CAUSES) {
    const [bare, held] = [await scene.play(cause, 'bare'), await scene.play(cause, 'held')];
    for (const shape of Object.keys(SHAPES)) {
      const lost = [bare, held].map((outcomes) => `${REPLICAS - (outcomes.get(shape)?.least ?? 0)} of ${REPLICAS}`);
      rows.push(`| ${[cause.what, shape, ...lost].join(' | ')} |`);
      count(REPLICAS - (held.get(shape)?.least ?? 0));
      for (const [index, outcomes] of [bare, held].entries())
        said.push(`${cause.what}, ${shape}, ${MODES[index] ?? ''}:`, ...indented(outcomes.get(shape)?.told ?? []));
    }
  }
  for (const cause of SIX_CAUSES) {
    const lost: string[] = [];
    for (const mode of MODES) {
      const { least, begun, told } = await scene.playSix(cause, mode);
      const all = least.reduce((sum, pods) => sum + REPLICAS - pods, 0);
      lost.push(`${all} of ${least.length * REPLICAS}, ${begun} of ${least.length} begun`);
      if (mode === 'held') count(all);
      said.push(`six, ${cause.what}, ${mode}:`, ...indented(told));
    }
    rows.push(`| ${cause.what}, six Deployments | without probes | ${lost.join(' | ')} |`);
  }
} finally {
  await scene.stage.stop();
}
console.log([...rows, '', ...said].join('\n'));
console.log(`${outcomesSeen - lostNow} passed, ${lostNow} failed`);
process.exitCode = lostNow > 0 ? 1 : 0;

function count(podsLost: number): void {
  outcomesSeen += 1;
  if (podsLost > 0) lostNow += 1;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
