import { expect } from 'chai';

import { Cluster } from '../integration/cluster.ts';
import { policy } from '../integration/manifests.ts';
import { skipWithoutNode } from '../support/node.ts';
import { eventually } from '../support/operator.ts';
import { startPostgres, type Postgres } from '../support/postgres.ts';
import { startStage, type Stage } from '../support/stage.ts';
import {
  createDatabaseRole,
  enableDatabase,
  enableTransit,
  POSTGRES_PLUGIN,
  writePolicy,
} from '../support/vault-engines.ts';
import { createRole } from '../support/vault.ts';
import { Pods, workload, type Program } from './pods.ts';

const NAMESPACE = 'shop';
// The kubelet turns $$$$ into $$ in any command.
const SCRIPT = `
  trap 'echo got SIGTERM; exit 7' TERM
  echo "user=$PGUSER text=$TEXT pid=$$$$"
  while true; do sleep 0.2; done`;
const PROGRAM: Program = { image: 'localhost/busybox:1', command: ['sh', '-c', SCRIPT] };

describe('pods on a real kubelet, with Vault engines that lease and decrypt', function () {
  this.timeout(240_000);
  let stage: Stage;
  let postgres: Postgres;
  let cluster: Cluster;
  let pods: Pods;
  let encrypt: (text: string) => Promise<string>;

  before(async function () {
    skipWithoutNode(this);
    postgres = await startPostgres();
    stage = await startStage({ withNode: true, plugins: [POSTGRES_PLUGIN] }, { username: 'shop', password: 'unused' });
    cluster = new Cluster(stage.plane);
    pods = new Pods(cluster, stage.node, NAMESPACE);
    await enableDatabase(stage.vault, postgres);
    await createDatabaseRole(stage.vault, 'app', '6s', '1h');
    encrypt = await enableTransit(stage.vault, 'shop');
    await writePolicy(stage.vault, 'engines', [
      'path "database/creds/app" { capabilities = ["read"] }',
      'path "transit/decrypt/shop" { capabilities = ["update"] }',
    ]);
    await createRole(stage.vault, 'engines', { namespaces: [NAMESPACE], policies: ['engines'], audience: 'vault' });
    await cluster.namespace(NAMESPACE);
    await cluster.kubectl('create', 'serviceaccount', 'shop', '-n', NAMESPACE);
    await enginesPolicy('daemon', { process: { mode: 'Daemon' } });
    await enginesPolicy('transit', { environment: { transit: { keyID: 'shop' } } });
  });
  after(async () => {
    // before() may have skipped
    await (stage as Stage | undefined)?.stop();
    await (postgres as Postgres | undefined)?.stop();
  });

  async function enginesPolicy(name: string, spec: Record<string, unknown>): Promise<void> {
    const tls = { caBundle: stage.vault.caPem };
    const vault = { address: stage.vault.tlsAddress, tls, auth: { role: 'engines' } };
    const selector = { matchLabels: { policy: name } };
    const injector = { imagePullPolicy: 'Never' };
    await cluster.policy(policy(NAMESPACE, name, { vault, selector, injector, ...spec }));
  }

  const isUser = async (name: string): Promise<boolean> =>
    (await postgres.query(`select 1 from pg_roles where rolname = '${name}'`)).length > 0;

  it('keep dynamic credentials in daemon mode until they end by the signal that the kubelet sends', async () => {
    const env = { PGUSER: 'vault:database/creds/app#username' };
    await cluster.apply(workload(NAMESPACE, 'lent', 'daemon', PROGRAM, env));
    const pod = await pods.thatSays('lent', 'user=v-kubernet', ' pid=');
    const [, user = '', pid = ''] = /user=(\S+) text= pid=(\d+)/.exec(pods.log(pod)) ?? [];
    expect(Number(pid), 'vault-env is process 1').to.be.above(1);
    const since = Date.now();
    // a user without a renewed lease is gone after 6 s
    await eventually(
      'its lease to have outlived itself',
      () => (Date.now() > since + 13_000 ? true : undefined),
      20_000,
    );
    expect(await isUser(user)).to.equal(true);
    await pods.scale('lent', 0);
    await pods.lastSays(pod, /got SIGTERM\n$/);
    await eventually('the user to be gone', async () => ((await isUser(user)) ? undefined : true), 30_000);
  });

  it('end with the exit status of the program in daemon mode as well', async () => {
    const program = { image: 'localhost/probe:1', command: ['/probe', '-exit', '7'] };
    const env = { PGUSER: 'vault:database/creds/app#username' };
    await cluster.apply(workload(NAMESPACE, 'exits', 'daemon', program, env));
    expect(await pods.exitStatus('exits')).to.equal(7);
  });

  it('get ciphertexts of their manifest decrypted', async () => {
    const ciphertext = await encrypt('plain text');
    await cluster.apply(workload(NAMESPACE, 'decrypted', 'transit', PROGRAM, { TEXT: `<\${${ciphertext}}>` }));
    const pod = await pods.thatSays('decrypted', 'text=<plain text>', ' pid=');
    expect(pods.log(pod)).to.match(/\bpid=1\b/);
  });

  it('do not start with a ciphertext if the policy names no key, as the API server warns', async () => {
    const ciphertext = await encrypt('plain text');
    const said = await cluster.apply(workload(NAMESPACE, 'keyless', 'daemon', PROGRAM, { TEXT: ciphertext }));
    expect(said).to.contain('set environment.transit.keyID in policy daemon');
    expect(await pods.exitStatus('keyless')).to.be.above(0);
  });
});
