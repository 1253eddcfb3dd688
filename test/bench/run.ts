/**
 * `make bench`: what admission and vault-env cost, each beside the least it could cost, in the same run, in turns;
 * what the revocation of tokens costs and whether it arrives; how long pods take to start, and what a big cluster costs
 * the operator. Prints Markdown; `node test/bench/run.ts scale`
 * runs that part alone. Everything stays on loopback.
 */
import { describeMachine } from './machine.ts';
import { benchAdmission } from './admission.ts';
import { benchPodStart } from './pod-start.ts';
import { benchRevocation } from './revocation.ts';
import { benchScale } from './scale.ts';
import { benchVaultEnv } from './vault-env.ts';

const PARTS: Readonly<Record<string, () => Promise<string>>> = {
  admission: benchAdmission,
  'vault-env': benchVaultEnv,
  revocation: benchRevocation,
  'pod-start': benchPodStart,
  scale: benchScale,
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in PARTS));
if (unknown !== undefined) throw new Error(`no benchmark "${unknown}": write ${Object.keys(PARTS).join(' or ')}`);

console.log(describeMachine());
for (const [name, run] of Object.entries(PARTS)) {
  if (wanted.length === 0 || wanted.includes(name)) console.log(await run());
}
