/**
 * `make test-cluster` prints how many programs fail to start while a Vault cluster changes its leader, while the API server fails to review tokens, and when 500 start
 * at once before a Vault with a rate limit: with this checkout's vault-env, and with another one if BEFORE is the path of
 * its executable. It fails if any fails to start with this one. It takes about 3 minutes.
 */
import { buildVaultEnv, startLeaderChanges, startRateLimit, type Starts } from '../support/leader-changes.ts';
import { startTokenReviews } from '../support/token-reviews.ts';

const STARTS = 50;
const AT_ONCE = 500;
// 500 starts are 2,000 requests: a login, a read, a look-up and a revocation each, and the first limit allows 1,500 in 10 s.
// Vault tells clients to wait for the end of the
// interval in whole seconds, rounded down: of the first limit, 0.
const LIMITS = [
  [150, '1s'],
  [500, '3s'],
] as const;
const REVIEWS = [
  ['once', { times: 1 }],
  ['twice', { times: 2 }],
  ['for 5 s', { forMs: 5_000 }],
] as const;
const before = process.env.BEFORE ?? '';

const vaultEnv = await buildVaultEnv();
const rows = ['| case | before | after |', '| --- | --- | --- |'];
let failed = 0;

async function compare(what: string, play: (executable: string) => Promise<Starts>): Promise<void> {
  const cells = [before === '' ? 'not measured' : cell(await play(before))];
  const now = await play(vaultEnv.executable);
  failed += now.failed;
  rows.push(`| ${what} | ${[...cells, cell(now)].join(' | ')} |`);
  console.log(rows.at(-1));
  if (now.said !== '') console.log(`the first one that failed said: ${now.said}`);
}

function cell({ started, failed: lost, slowestMs, unrevoked }: Starts): string {
  const kept = unrevoked > 0 ? `, ${unrevoked} tokens not revoked` : '';
  return `${lost} of ${started + lost} failed, slowest ${(slowestMs / 1000).toFixed(1)} s${kept}`;
}

try {
  const cluster = await startLeaderChanges();
  try {
    await compare(`leader steps down, ${STARTS} starts`, (executable) => cluster.stepDown(executable, STARTS));
    await compare(`leader killed (kill -9), ${STARTS} starts`, (executable) => cluster.kill(executable, STARTS));
  } finally {
    await cluster.stop();
  }
  const reviews = await startTokenReviews();
  try {
    for (const [what, failing] of REVIEWS)
      await compare(`TokenReview fails ${what}, timeout 10s`, (executable) =>
        reviews.start(executable, failing, '10s'),
      );
  } finally {
    await reviews.stop();
  }
  for (const [rate, interval] of LIMITS) {
    const limited = await startRateLimit(rate, interval);
    try {
      await compare(`${AT_ONCE} starts at once, ${rate} requests in ${interval}, timeout 10s`, (executable) =>
        limited.start(executable, AT_ONCE, '10s'),
      );
    } finally {
      await limited.stop();
    }
  }
} finally {
  vaultEnv.remove();
}
console.log(['', ...rows].join('\n'));
process.exitCode = failed > 0 ? 1 : 0;
