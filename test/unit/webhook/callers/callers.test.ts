import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';

import { Callers } from '../../../../webhook/callers/callers.ts';
import type { CallersOptions } from '../../../../webhook/callers/callers.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import type { Authority, KeyPair } from '../../../support/pki.ts';
import { createAuthority } from '../../../support/pki.ts';
import { testLog } from '../../../support/test-log.ts';
import { becomes, POST, review, WebhookScene } from '../../../support/webhook-scene.ts';

const HANDSHAKE_MS = 1_000;
const [ONE, TWO] = ['1'.repeat(64), '2'.repeat(64)];
const bearer = (token: string): { Authorization: string } => ({ Authorization: `Bearer ${token}` });

describe('the webhook server, where API servers authenticate', () => {
  let dir: string;
  let clock: ManualClock;
  let log: ReturnType<typeof testLog>;
  let authority: Authority;
  let other: Authority;
  let scene: WebhookScene;
  let callers: Callers;
  const agents: Agent[] = [];

  before(async () => {
    authority = await createAuthority('first');
    other = await createAuthority('second');
  });
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'callers-'));
    clock = new ManualClock(Date.now());
    log = testLog();
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.destroy();
    await callers.stop();
    await scene.stop();
    rmSync(dir, { recursive: true });
  });

  /** Replaces a file as the kubelet does: by another target of a symbolic link. */
  function write(name: string, text: string): string {
    const target = join(dir, `${name}-${Math.random()}`);
    writeFileSync(target, text);
    symlinkSync(target, `${target}.link`);
    renameSync(`${target}.link`, join(dir, name));
    return join(dir, name);
  }
  function create(options: Partial<CallersOptions>): Callers {
    return (callers = new Callers({
      ...{ clock, random: () => 0, logger: log.logger, handshakeMs: HANDSHAKE_MS },
      ...{ webhookClientCa: '', webhookTokenFile: '', names: [], ...options },
    }));
  }
  async function start(options: Partial<CallersOptions>): Promise<void> {
    create(options);
    scene = await WebhookScene.create({}, undefined, callers);
    await callers.start();
    await scene.start();
  }
  function agentWith(pair?: KeyPair): Agent {
    const credentials = pair === undefined ? {} : { cert: pair.certificate, key: pair.key };
    const agent = new Agent({ keepAlive: true, ca: scene.authority.certificate, ...credentials });
    agents.push(agent);
    return agent;
  }
  const statusOf = async (request: Parameters<WebhookScene['post']>[1]): Promise<number> =>
    (await scene.post(review(), request)).status;
  const reads = async (text: string): Promise<void> => {
    const before = log.lines.length;
    // the last reading is over
    await becomes(() => clock.sleeping.length > 0);
    await clock.advance(5_000);
    await becomes(() => log.lines.slice(before).some(({ message }) => message.includes(text)));
  };

  it('answers who sends one of the tokens, and nobody else, whatever the path is', async () => {
    await start({ webhookTokenFile: write('tokens', `${ONE}\n${TWO}\n`) });
    for (const token of [ONE, TWO, ONE]) expect(await statusOf({ headers: bearer(token) })).to.equal(200);
    for (const path of ['/mutate/ignore', '/mutate/fail', '/mutate/probe', '/other']) {
      const { status, headers, text } = await scene.post(review(), { path, headers: bearer('3'.repeat(64)) });
      expect([status, headers['www-authenticate'], headers.connection]).to.deep.equal([401, 'Bearer', 'close']);
      expect(text).to.contain('--webhook-token-file');
    }
    expect(await statusOf({})).to.equal(401);
    expect(scene.turnedAway).to.deep.equal(Array.from({ length: 5 }, () => 'token 127.0.0.1'));
    expect(JSON.stringify([scene.log.lines, log.lines])).to.not.contain(ONE);
  });

  it('answers before the body is there, and reads none of it', async () => {
    await start({ webhookTokenFile: write('tokens', ONE) });
    const socket = await scene.raw(`${POST}Content-Length: 7000000\r\n\r\n{`);
    let text = '';
    socket.on('data', (part: Buffer) => (text += part.toString()));
    await becomes(() => socket.closed || socket.readableEnded);
    expect(text).to.match(/^HTTP\/1\.1 401 /);
  });

  it('follows the file of tokens, also on connections that are open', async () => {
    await start({ webhookTokenFile: write('tokens', ONE) });
    expect(await statusOf({ headers: bearer(ONE) })).to.equal(200);
    write('tokens', `${ONE}\n${TWO}`);
    await reads('tokens of API servers read');
    expect([await statusOf({ headers: bearer(ONE) }), await statusOf({ headers: bearer(TWO) })]).to.deep.equal([
      200, 200,
    ]);
    write('tokens', TWO);
    await reads('tokens of API servers read');
    expect([await statusOf({ headers: bearer(ONE) }), await statusOf({ headers: bearer(TWO) })]).to.deep.equal([
      401, 200,
    ]);
  });

  it('keeps what it knows while a file cannot be used, and says so', async () => {
    await start({ webhookTokenFile: write('tokens', ONE) });
    write('tokens', 'short');
    await reads('reading the files');
    expect(await statusOf({ headers: bearer(ONE) })).to.equal(200);
    expect(JSON.stringify(log.lines)).to.contain('line 1 is shorter').and.not.contain('"short"');
  });

  it('answers who shows a certificate of the authorities, and nobody else', async () => {
    await start({ webhookClientCa: write('ca', authority.certificate) });
    const known = agentWith(await authority.client('kube-apiserver'));
    expect(await statusOf({ agent: known })).to.equal(200);
    expect(await statusOf({ agent: agentWith() })).to.equal(401);
    expect(await statusOf({ agent: agentWith(await other.client('kube-apiserver')) })).to.equal(401);
    const server = agentWith(await authority.server('kube-apiserver', ['kube-apiserver']));
    expect(await statusOf({ agent: server }), 'a certificate for servers').to.equal(401);
    expect(scene.turnedAway).to.deep.equal(Array.from({ length: 3 }, () => 'certificate 127.0.0.1'));
  });

  it('answers only those that were named, where some are', async () => {
    await start({ webhookClientCa: write('ca', authority.certificate), names: ['one', 'system:two'] });
    for (const [user, status] of [
      ['one', 200],
      ['system:two', 200],
      ['three', 403],
      ['one.example', 403],
    ] as const)
      expect(await statusOf({ agent: agentWith(await authority.client(user)) }), user).to.equal(status);
    expect(scene.turnedAway).to.deep.equal(['name 127.0.0.1', 'name 127.0.0.1']);
  });

  it('needs both where both are asked for', async () => {
    await start({ webhookClientCa: write('ca', authority.certificate), webhookTokenFile: write('tokens', ONE) });
    const agent = agentWith(await authority.client('one'));
    expect(await statusOf({ agent })).to.equal(401);
    expect(await statusOf({ agent: agentWith(), headers: bearer(ONE) })).to.equal(401);
    expect(await statusOf({ agent, headers: bearer(ONE) })).to.equal(200);
  });

  it('has connections that other authorities have verified made again, and trusts the new ones alone', async () => {
    await start({ webhookClientCa: write('ca', authority.certificate) });
    const [first, second] = [agentWith(await authority.client('one')), agentWith(await other.client('one'))];
    expect([await statusOf({ agent: first }), await statusOf({ agent: second })]).to.deep.equal([200, 401]);
    write('ca', authority.certificate + other.certificate);
    await reads('authorities of API servers read');
    const again = await scene.post(review(), { agent: first });
    expect([again.status, again.headers['retry-after'], again.headers.connection]).to.deep.equal([503, '0', 'close']);
    expect([await statusOf({ agent: first }), await statusOf({ agent: second })]).to.deep.equal([200, 200]);
    // a handshake of now may have begun before
    await clock.advance(HANDSHAKE_MS);
    expect(await statusOf({ agent: first })).to.equal(503);
    expect(await statusOf({ agent: first })).to.equal(200);
    await clock.advance(HANDSHAKE_MS);
    expect(await statusOf({ agent: first })).to.equal(200);
    write('ca', other.certificate);
    await reads('authorities of API servers read');
    expect(await statusOf({ agent: first })).to.equal(503);
    expect([await statusOf({ agent: first }), await statusOf({ agent: first })], 'also resumed').to.deep.equal([
      401, 401,
    ]);
  });

  it('has connections made again whose certificate has expired', async () => {
    await start({ webhookClientCa: write('ca', authority.certificate) });
    const agent = agentWith(await authority.client('one'));
    expect(await statusOf({ agent })).to.equal(200);
    await clock.advance(11 * 86_400_000);
    expect(await statusOf({ agent })).to.equal(503);
  });

  for (const [what, options, says] of [
    ['no certificate', () => ({ webhookClientCa: write('ca', 'x') }), /--webhook-client-ca, .*contains no certificate/],
    ['no token', () => ({ webhookTokenFile: write('tokens', '') }), /--webhook-token-file, .*contains no token/],
    ['nothing', () => ({ webhookTokenFile: join(dir, 'missing') }), /ENOENT/],
  ] as const)
    it(`does not start with a file of ${what}`, async () => {
      scene = await WebhookScene.create();
      const said = await create(options())
        .start()
        .catch((error: unknown) => String(error));
      expect(said).to.match(says);
    });
});
