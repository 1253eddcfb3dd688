/** Two replicas as they are shipped are rolled, overloaded and killed, with 200 updates of workloads per second. */
import { startControlPlane } from '../support/control-plane.ts';
import { kill, leaveAlone, loadAlone, loadTable, overload, prepareScene, roll } from './rolling.ts';
import type { LoadResult, Scene } from './rolling.ts';
import { setting } from './setting.ts';
import { atLeast, never } from './table.ts';
import type { Report } from './table.ts';

const RATE = setting('CHAOS_RATE', 200);
const SECONDS = setting('CHAOS_SECONDS', 60);
const KILL_EVERY_MS = 5_000;
/** Replicas, API server and clients reach a third less in their first seconds. */
const WARM_UP_SECONDS = 20;
/** So much of the rate has to be reached, else it says nothing about the rate. */
const REACHED = 0.9;
const MOST_TOLD = 3;

export async function playRolling(tell: (line: string) => void): Promise<Report[]> {
  const plane = await startControlPlane({ controllers: false });
  const results: LoadResult[] = [];
  const play = async (what: string, lagMs: number, acts: (scene: Scene) => Promise<LoadResult>): Promise<void> => {
    tell(`rolling: ${what}`);
    // the drain is the default of the operator, and endpoints lag as long as that
    const scene = await prepareScene({ plane, rate: RATE, drain: '15s', lagMs, bundled: true });
    try {
      await leaveAlone(scene, WARM_UP_SECONDS);
      results.push(await acts(scene));
    } finally {
      await scene.close();
    }
  };
  try {
    tell('rolling: nothing, no webhook');
    results.push(await loadAlone({ plane, rate: RATE }, SECONDS / 2));
    await play('nothing', 0, (scene) => leaveAlone(scene, SECONDS / 2));
    await play('rolled three times', 15_000, (scene) => roll(scene, { rolls: 3, seconds: SECONDS }));
    await play('overloaded', 0, (scene) => overload(scene, SECONDS / 2));
    const kills = Math.max(1, Math.floor((SECONDS * 1000) / KILL_EVERY_MS));
    await play('killed', 1_000, (scene) => kill(scene, { kills, everyMs: KILL_EVERY_MS }));
  } finally {
    await plane.stop();
  }
  return [reportOf(results)];
}

function reportOf(results: readonly LoadResult[]): Report {
  const [, alone, ...disturbed] = results;
  const graceful = disturbed.slice(0, -1).flatMap(({ failures }) => failures);
  const killed = disturbed.slice(-1).flatMap(({ failures }) => failures);
  const others = killed.filter(({ cause }) => cause === 'Other');
  const told = [...graceful, ...others].slice(0, MOST_TOLD).map(({ message }) => `- ${message}`);
  const reached = alone === undefined ? 0 : alone.updates / alone.seconds;
  return {
    title: 'Two replicas are rolled, overloaded and killed under load',
    details: [loadTable(results), ...told].join('\n'),
    aims: [
      never(
        'stored without their injection',
        results.reduce((sum, { bare }) => sum + bare, 0),
      ),
      never('failed while replicas were rolled three times, or one was overloaded', graceful.length),
      never('failed after a kill that were not under way, nor before the balancer knew', others.length),
      atLeast(Math.floor(RATE * REACHED), 'updates per second, undisturbed', reached),
    ],
  };
}
