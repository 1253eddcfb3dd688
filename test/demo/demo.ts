/**
 * `make demo` and `make demo-clean`. A cluster that is for trying is used if there is one: kind, minikube, or the context that
 * was named. Else everything is started on this machine, with tools that are built for it.
 *
 *     node test/demo/demo.ts [--context NAME] [--here] [--once] [--clean]
 *
 * IMAGE_LOADER is a command that loads an archive onto the nodes of another cluster, IMAGE_PREFIX the registry that its nodes
 * pull from.
 */
import { parseArgs } from 'node:util';

import { findTool } from '../../build/tools/tools.ts';
import { chooseCluster, type Choice } from './choose-cluster.ts';
import { findClusters } from './find-clusters.ts';
import { playHere, STEPS as STEPS_HERE } from './here.ts';
import { NotHere, playInCluster, STEPS as STEPS_IN_CLUSTER } from './in-cluster.ts';
import { run } from './programs.ts';
import { removeDemo, SYSTEM } from './remove.ts';
import { Steps } from './steps.ts';
import { TrialCluster } from './trial-cluster.ts';

const { values: options } = parseArgs({
  options: {
    context: { type: 'string' },
    here: { type: 'boolean', default: false },
    once: { type: 'boolean', default: false },
    clean: { type: 'boolean', default: false },
  },
});
const { once } = options;
const say = (text: string): void => console.log(text);
/** As on the command line; a kubectl of the tools will do. */
const onPath = await run('kubectl', ['version', '--client']);
const kubectl = onPath.code === undefined ? (findTool('kubectl')?.path ?? 'kubectl') : 'kubectl';

if (options.context === undefined && process.env.CONTEXT !== undefined)
  say(
    `The environment has CONTEXT=${process.env.CONTEXT}, which is not used. To use it: make demo CONTEXT=${process.env.CONTEXT}`,
  );

/** @returns the exit status */
async function main(): Promise<number> {
  const choice: Choice = options.here
    ? { where: 'here', notes: [] }
    : chooseCluster(await findClusters(run, kubectl), options.context);
  if (choice.where === 'nowhere') return refuse(choice.message);
  if (options.clean) return clean(choice);
  if (choice.where === 'cluster') return inCluster(choice);
  say('No cluster for trying was found, so one is started on this machine.');
  for (const note of choice.notes) say(`- ${note}`);
  await playHere(new Steps(STEPS_HERE), { once });
  return 0;
}

function refuse(message: string): number {
  console.error(message);
  return 2;
}

async function clean(choice: Exclude<Choice, { where: 'nowhere' }>): Promise<number> {
  if (choice.where === 'here')
    return refuse('No cluster for trying was found. To remove the demo from another: make demo-clean CONTEXT=NAME');
  const cluster = new TrialCluster(run, kubectl, choice.context);
  say(`Removing from the cluster of context ${choice.context} what the demo has made:`);
  await removeDemo(cluster, say);
  say('Nothing of the demo is left there.');
  return 0;
}

async function inCluster(choice: Extract<Choice, { where: 'cluster' }>): Promise<number> {
  const cluster = new TrialCluster(run, kubectl, choice.context);
  const { IMAGE_LOADER: loader, IMAGE_PREFIX: prefix = '' } = process.env;
  const images = { origin: choice.origin, loader, prefix };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => cluster.interrupt());
  try {
    const steps = new Steps(STEPS_IN_CLUSTER);
    await playInCluster({ cluster, images, steps, isCurrent: choice.isCurrent, once });
    if (once) await takeAway(cluster);
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof NotHere) return refuse(reason);
    if (!cluster.interrupted) console.error(`${reason}\n${await state(cluster)}`);
    if (cluster.interrupted || once) await takeAway(cluster);
    else console.error('What was made is still there, to look at. `make demo-clean` removes it.');
    return 1;
  }
}

/** What helps to see why something did not get ready. */
async function state(cluster: TrialCluster): Promise<string> {
  const seen = await Promise.all(
    ['vault', SYSTEM, 'shop'].map((namespace) =>
      cluster.kubectl('get', 'pods,events', '-n', namespace, '--request-timeout=15s').catch(() => ''),
    ),
  );
  return seen.join('');
}

async function takeAway(cluster: TrialCluster): Promise<void> {
  cluster.resume();
  say('\nRemoving what the demo has made:');
  await removeDemo(cluster, say);
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  return 1;
});
