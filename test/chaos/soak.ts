/**
 * Two replicas of the operator as it is shipped, on a real API server, while policies and workloads change all the time,
 * the API server restarts, watches are cut, certificates are renewed and the leader changes: nothing is stored without
 * its injection under Fail, nothing grows, and everything is right in the end.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ApiClient } from '../../kube/api-client.ts';
import { loadKubeConfig } from '../../kube/kube-config.ts';
import { leasesIn } from '../../kube/lease.ts';
import type { Lease } from '../../kube/lease.ts';
import { Api } from '../bench/api.ts';
import { startControlPlane } from '../support/control-plane.ts';
import { installPrerequisites } from '../support/operator.ts';
import type { SoakOptions } from './soak-pace.ts';
import { SoakRecord } from './soak-record.ts';
import type { Sample } from './soak-record.ts';
import { SoakReplicas } from './soak-replicas.ts';
import { Story } from './soak-story.ts';

export interface SoakResult {
  readonly record: SoakRecord;
  /** What was wrong after the quiet time. */
  readonly faults: readonly string[];
  /** Seconds of the quiet time after which all was right. */
  readonly rightAfter: number;
  /** Replicas that lived through the whole second half, and what they took then. */
  readonly halves: readonly Half[];
  readonly restarts: Readonly<Record<'apiServer' | 'replica' | 'cut' | 'isolation' | 'renewal', number>>;
  readonly leaderChanges: number;
  readonly seconds: number;
  /** Where samples and logs are. */
  readonly folder: string;
}

export interface Half {
  readonly replica: string;
  readonly samples: readonly Sample[];
}

const SYSTEM = 'vault-injection-system';
const LEADER_LEASE = 'vault-injection-operator-leader';

/** Plays the story; rejects only if it cannot be played. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const record = new SoakRecord(options.tell);
  const folder = mkdtempSync(join(tmpdir(), 'vault-injection-soak-'));
  mkdirSync(join(folder, 'logs'));
  record.tell(`samples and logs are in ${folder}`);
  const plane = await startControlPlane({ log: options.tell });
  const kubeConfig = loadKubeConfig({ file: plane.kubeconfig, context: '' });
  const client = new ApiClient({ kubeConfig, userAgent: 'soak/1', timeoutMs: 15_000 });
  const { pace, dist } = options;
  const replicas = new SoakReplicas({
    plane,
    record,
    dist,
    certificateWait: pace.certificateWait,
    logs: join(folder, 'logs'),
  });
  try {
    await installPrerequisites(plane);
    await replicas.start(options.replicas);
    const story = new Story({ ...options, plane, client, set: replicas, record, api: new Api(plane.kubeconfig) });
    await story.prepare();
    await story.run(() => writeSamples(folder, record));
    const { faults, rightAfter } = await story.quiet();
    const { seconds } = story;
    const lease = await client.get<Lease>(leasesIn(SYSTEM), LEADER_LEASE);
    return {
      record,
      faults,
      rightAfter,
      halves: halvesOf(record.samples, story.halfTime),
      restarts: story.restarts,
      leaderChanges: lease?.spec?.leaseTransitions ?? 0,
      seconds,
      folder,
    };
  } finally {
    writeSamples(folder, record);
    await replicas.stop();
    await kubeConfig.close();
    await plane.stop();
  }
}

function halvesOf(samples: readonly Sample[], halfTime: number): Half[] {
  const later = samples.filter(({ at }) => at >= halfTime);
  const pids = new Map(later.map(({ pid, replica }) => [pid, replica]));
  const last = Math.max(...later.map(({ at }) => at));
  const ages = [...pids].map(([pid, replica]) => ({ replica, samples: later.filter((one) => one.pid === pid) }));
  const most = Math.max(...ages.map((one) => one.samples.length));
  return ages.filter((one) => one.samples.length >= most - 3 && (one.samples.at(-1)?.at ?? 0) > last - 5);
}

function writeSamples(folder: string, { samples, violations, counts, failures }: SoakRecord): void {
  const content = { samples, violations, counts: Object.fromEntries(counts), failures: Object.fromEntries(failures) };
  writeFileSync(join(folder, 'samples.json'), JSON.stringify(content));
}
