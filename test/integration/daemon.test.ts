import { expect } from 'chai';

import { BUILDING_MS } from '../support/building.ts';
import { eventually } from '../support/operator.ts';
import type { DatabaseUser } from '../support/postgres.ts';
import { createDatabaseRole } from '../support/vault-engines.ts';
import { startEngines, type Engines, type Running } from '../support/wrapped.ts';

const LEASES_MS = 45_000; // the leases of these tests end after seconds, and Vault takes some more to act on it

// Prints whom it may log in as, and the signals that it gets.
const PROGRAM = `
  trap 'echo told; exit 7' TERM
  trap 'echo asked' USR1
  echo "$PGUSER $PGPASSWORD"
  while :; do sleep 0.1; done`;

describe('daemon mode, with credentials of a real database', function () {
  this.timeout(90_000);
  let engines: Engines;

  before(async function () {
    this.timeout(BUILDING_MS);
    engines = await startEngines('1h');
  });
  after(async () => {
    // before() may have failed
    await (engines as Engines | undefined)?.stop();
  });

  /** Starts the program with the credentials of a new role; resolves with them once it has them. */
  async function start(
    role: string,
    { ttl, maxTtl, process = {} }: { ttl: string; maxTtl: string; process?: object },
  ): Promise<Running & { readonly user: DatabaseUser }> {
    await createDatabaseRole(engines.vault, role, ttl, maxTtl);
    const spec = { process: { mode: 'Daemon', ...process } };
    const running = engines.start(['sh', '-c', PROGRAM], engines.asUserOf(role), spec);
    const [, username = '', password = ''] = await eventually('the program to have started', () => {
      return /^(\S+) (\S+)$/m.exec(running.stdout()) ?? undefined;
    });
    return { ...running, user: { username, password } };
  }

  const gone = (user: DatabaseUser): Promise<true> =>
    eventually(
      `${user.username} to be gone`,
      async () => ((await engines.isUser(user.username)) ? undefined : true),
      LEASES_MS,
    );

  interface Lease {
    readonly issue_time: string;
    readonly last_renewal: string | null;
    readonly expire_time: string;
  }

  /** The one lease of a role. */
  async function leaseOf(role: string): Promise<Lease> {
    const [id = ''] = await engines.list(`sys/leases/lookup/database/creds/${role}`);
    const { data } = await engines.vault.api('PUT', 'sys/leases/lookup', { lease_id: `database/creds/${role}/${id}` });
    return data as Lease;
  }

  it('keeps a user alive beyond its lease, and revokes it when the program has ended', async () => {
    const { child, ended, user } = await start('renewed', { ttl: '5s', maxTtl: '1h' });
    const lease = await eventually(
      'the lease to have outlived itself',
      async () => {
        const found = await leaseOf('renewed');
        return Date.now() > Date.parse(found.issue_time) + 11_000 && found.last_renewal !== null ? found : undefined;
      },
      LEASES_MS,
    );
    expect(Date.parse(lease.expire_time)).to.be.above(Date.parse(lease.issue_time) + 11_000);
    expect(await engines.postgres.query('select current_user', user)).to.deep.equal([user.username]);
    child.kill('SIGTERM');
    const { status, stdout, stderr } = await ended;
    expect(status).to.equal(7);
    expect(stderr).not.to.contain('warn');
    expect(stdout).to.match(/told\n$/);
    await gone(user);
  });

  it('forwards signals, and says which one ended the program', async () => {
    const { child, ended, stdout } = await start('signalled', { ttl: '1h', maxTtl: '2h' });
    child.kill('SIGUSR1');
    await eventually('the program to be asked', () => (stdout().includes('asked') ? true : undefined));
    child.kill('SIGHUP');
    expect((await ended).status).to.equal(129);
  });

  it('ends the program when Vault no longer renews, so that it is restarted with a new user', async () => {
    const first = await start('restarted', { ttl: '3s', maxTtl: '6s' });
    const { status, stdout, stderr } = await first.ended;
    expect(status).to.equal(7);
    expect(stdout).to.match(/told\n$/);
    expect(stderr).to.match(/warn: the lease of "database\/creds\/restarted" .* SIGTERM/);
    expect(stderr).not.to.contain(first.user.password);
    await gone(first.user);
    const second = await start('restarted', { ttl: '1h', maxTtl: '2h' });
    expect(second.user.username).not.to.equal(first.user.username);
    second.child.kill('SIGTERM');
    await second.ended;
  });

  it('kills a program that ignores the signal beyond its grace period', async () => {
    const process = { leaseEnd: { signal: 'SIGUSR1', gracePeriod: '1s' } };
    const { ended } = await start('killed', { ttl: '2s', maxTtl: '4s', process });
    const { status, stdout } = await ended;
    expect(stdout).to.match(/asked\n$/);
    expect(status).to.equal(137);
  });

  it('leaves the program alone if the policy says so', async () => {
    const process = { leaseEnd: { action: 'Keep' } };
    const { child, ended, stderr, user } = await start('kept', { ttl: '2s', maxTtl: '4s', process });
    await gone(user);
    await eventually('a line about it', () => (stderr().includes('database/creds/kept') ? true : undefined));
    expect(child.exitCode).to.equal(null);
    child.kill('SIGTERM');
    expect((await ended).status).to.equal(7);
  });
});
