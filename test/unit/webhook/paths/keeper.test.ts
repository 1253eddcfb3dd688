import { expect } from 'chai';

import { isPathToken } from '../../../../core/path-token.ts';
import type { CertificateKeeper } from '../../../../webhook/certificates/keeper.ts';
import { decodeSet, SECRET_NAME } from '../../../../webhook/certificates/secret.ts';
import { UNGUARDED } from '../../../../webhook/paths/path.ts';
import type { PathsOptions } from '../../../../webhook/paths/keeper.ts';
import { TOKEN_LIFE_MS } from '../../../../webhook/paths/rotation.ts';
import type { PathSet } from '../../../../webhook/paths/rotation.ts';
import { CertificateWorld, SECRETS, settle, WAIT_MS } from '../../../support/certificate-world.ts';

const OWN = 'abcde'.repeat(8);

describe('the tokens in the paths, in the Secret of the certificates', () => {
  let world: CertificateWorld;
  /** The token in the cluster's configuration, and since when. */
  let published: string | undefined;
  let since: number;
  let exposed: boolean;

  beforeEach(() => {
    world = new CertificateWorld();
    published = undefined;
    exposed = false;
  });

  function keeper(isLeader = true, options: Partial<PathsOptions> = {}): CertificateKeeper {
    const paths = world.paths({
      published: () => (published === undefined ? [] : [published]),
      publishedSince: (token) => (token === published ? since : undefined),
      isExposed: () => exposed,
      onRotated: () => (exposed = false),
      ...options,
    });
    return world.replica({ isLeader: () => isLeader, paths });
  }
  async function stored(): Promise<PathSet> {
    const { path } = decodeSet(await world.secret());
    if (path === undefined) throw new Error('the Secret has no token');
    return path;
  }
  const publish = (token: string): void => {
    published = token;
    since = world.clock.elapsed();
  };

  it('are created at first, with the path that API servers of an earlier version call, and followed by the others', async () => {
    await settle(keeper());
    const { current, previous } = await stored();
    expect([isPathToken(current), previous]).to.deep.equal([true, [UNGUARDED]]);
    const follower = keeper(false);
    await settle(follower);
    expect(follower.pathSet()).to.deep.equal(await stored());
  });

  it('are retired when the next one has been published for long enough, by whichever replica leads then', async () => {
    const first = keeper();
    await settle(first);
    const { current } = await stored();
    publish(current);
    await world.clock.advance(WAIT_MS - 1);
    await settle(keeper());
    expect((await stored()).previous).to.deep.equal([UNGUARDED]);
    await world.clock.advance(1);
    await settle(keeper());
    expect((await stored()).previous).to.deep.equal([]);
  });

  it('stay as long as a replica does not accept the current one', async () => {
    const lacking = keeper(true, { peers: () => ({ known: true, areOlder: false, lacks: () => true }) });
    await settle(lacking);
    publish((await stored()).current);
    await world.clock.advance(WAIT_MS * 10);
    await settle(lacking);
    expect((await stored()).previous).to.deep.equal([UNGUARDED]);
  });

  it('are replaced once for each request, and when people have seen them', async () => {
    const leader = keeper();
    const steady = async (): Promise<string> => {
      await settle(leader);
      publish((await stored()).current);
      await world.clock.advance(WAIT_MS);
      await settle(leader);
      return (await stored()).current;
    };
    const first = await steady();
    world.ask('today');
    await settle(leader);
    expect((await stored()).previous).to.deep.equal([first]);
    const second = await steady();
    expect(second).to.not.equal(first);
    expect(await steady()).to.equal(second);
    exposed = true;
    expect(await steady()).to.not.equal(second);
    expect(exposed).to.equal(false);
  });

  it('wait for the installer where that one publishes them, and are replaced only if somebody asks', async () => {
    const leader = keeper(true, { publishes: false });
    publish(UNGUARDED);
    await settle(leader);
    exposed = true;
    await world.clock.advance(2 * TOKEN_LIFE_MS);
    await settle(leader);
    const { current, previous } = await stored();
    expect(previous, 'what the installer publishes').to.deep.equal([UNGUARDED]);
    world.ask('today');
    await settle(leader);
    const asked = await stored();
    expect(asked.current).to.not.equal(current);
    expect(asked.previous, 'also the one that the installer may be copying').to.deep.equal([UNGUARDED, current]);
    publish(asked.current);
    await world.clock.advance(WAIT_MS);
    await settle(leader);
    expect((await stored()).previous).to.deep.equal([]);
    publish(OWN);
    await settle(leader);
    expect((await stored()).previous, 'one of its own').to.deep.equal([OWN]);
  });

  it('outlive a Secret that is damaged, and one that an earlier version has written', async () => {
    const leader = keeper();
    await settle(leader);
    const before = await stored();
    world.corrupt('path-token');
    expect(decodeSet(await world.secret()).damaged).to.include('path-token');
    await settle(leader);
    expect(await stored()).to.deep.equal(before);
    world.api.edit(SECRETS, SECRET_NAME, 'kubectl-edit', (secret) => {
      secret.data = Object.fromEntries(
        Object.entries(secret.data as object).filter(([key]) => !key.includes('path-token')),
      );
    });
    const follower = keeper(false);
    await settle(follower);
    expect(follower.pathSet()).to.equal(undefined);
    publish(before.current);
    await settle(leader);
    expect((await stored()).previous).to.deep.equal([before.current]);
  });

  it('never get into the log', async () => {
    const leader = keeper();
    await settle(leader);
    world.ask('today');
    publish((await stored()).current);
    await world.clock.advance(WAIT_MS);
    await settle(leader);
    await settle(leader);
    const { current, previous } = await stored();
    const log = JSON.stringify(world.log.lines);
    expect(log).to.contain('Rotate');
    for (const token of [current, ...previous]) expect(log).to.not.contain(token);
  });
});
