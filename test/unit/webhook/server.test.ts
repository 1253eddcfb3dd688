import { once } from 'node:events';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { createAdmission } from '../../../webhook/admission.ts';
import type { Admission } from '../../../webhook/admission.ts';
import { createAuthority } from '../../../webhook/certificates/authority.ts';
import { issueLeaf } from '../../../webhook/certificates/leaf.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import type { Limits, WebhookServer } from '../../../webhook/server.ts';
import { testLog } from '../../support/test-log.ts';
import { becomes, POST, review, WebhookScene } from '../../support/webhook-scene.ts';
import type { Reply } from '../../support/webhook-scene.ts';

const MIB = 2 ** 20;

describe('the webhook server', () => {
  let scene: WebhookScene;
  let server: WebhookServer;

  async function start(limits: Partial<Limits> = {}, admission?: Admission): Promise<void> {
    scene = await WebhookScene.create(limits, admission);
    ({ server } = scene);
    await scene.start();
  }
  afterEach(() => scene.stop());

  const post = (...what: Parameters<WebhookScene['post']>): Promise<Reply> => scene.post(...what);
  const raw = (head: string): Promise<TLSSocket> => scene.raw(head);

  it('answers a review over a connection that stays open', async () => {
    await start();
    const replies = [await post(review()), await post(review())];
    expect(replies.map(({ status }) => status)).to.deep.equal([200, 200]);
    expect(JSON.parse(replies[1]?.text ?? '')).to.have.nested.property('response.uid', 'uid-1');
    expect(replies[1]?.headers).to.include({ 'content-type': 'application/json' });
    expect(replies[1]?.headers.connection).to.equal('keep-alive');
    const page = await scene.page();
    expect(page).to.contain('entry="ignore",operation="CREATE",outcome="NoPolicy"} 2');
    expect(page).to.contain('vault_injection_tls_handshakes_total 1\n');
  });

  it('answers the review of the probe on its path', async () => {
    await start();
    const { status, text } = await post(review({ metadata: { name: 'probe' } }), { path: '/mutate/probe?timeout=5s' });
    const { response } = JSON.parse(text) as { response: { allowed: boolean; patch: string } };
    expect([status, response.allowed]).to.deep.equal([200, true]);
    expect(Buffer.from(response.patch, 'base64').toString()).to.include('replica-1');
  });

  it('accepts a review in chunks, and one near the limit', async () => {
    await start();
    const body = review({ metadata: { annotations: { note: 'x'.repeat(6.9 * MIB) } } });
    expect((await post([body.subarray(0, 10), body.subarray(10)])).status).to.equal(200);
    expect((await post(body)).status).to.equal(200);
  });

  const refused: readonly [string, () => Promise<Reply>, number][] = [
    ['another path', () => post(review(), { path: '/' }), 404],
    ['the path without an entry', () => post(review(), { path: '/mutate' }), 404],
    ['the path with another token', () => post(review(), { path: `/mutate/${'a'.repeat(40)}/ignore` }), 503],
    ['a GET', () => post(Buffer.alloc(0), { method: 'GET' }), 405],
    ['a PUT', () => post(review(), { method: 'PUT' }), 405],
    ['YAML', () => post(review(), { headers: { 'Content-Type': 'application/yaml' } }), 415],
    ['JSON of another kind', () => post(review(), { headers: { 'Content-Type': 'application/json-patch+json' } }), 415],
    ['a compressed body', () => post(review(), { headers: { 'Content-Encoding': 'gzip' } }), 415],
    ['half a review', () => post(review().subarray(0, 60)), 400],
    ['another object', () => post(Buffer.from('{"apiVersion":"v1","kind":"Pod"}')), 400],
    ['a body that nests for ever', () => post(Buffer.from('['.repeat(MIB))), 400],
    ['8 MiB, announced', () => post(Buffer.alloc(8 * MIB, 32)), 413],
    ['8 MiB in chunks', () => post(Array.from({ length: 128 }, () => Buffer.alloc(65_536, 32))), 413],
  ];
  for (const [what, ask, status] of refused) {
    it(`answers ${status} to ${what}, with a line of text, and goes on`, async () => {
      await start();
      const reply = await ask();
      expect(reply.status).to.equal(status);
      expect(reply.headers['content-type']).to.equal('text/plain; charset=utf-8');
      expect(reply.text).to.match(/^[^\n]{5,120}\n$/);
      expect((await post(review())).status).to.equal(200);
    });
  }

  it('drops a review with another token, but lets it be sent, or API servers would lose the answer', async () => {
    await start();
    const path = `/mutate/${'a'.repeat(40)}/fail`;
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
    const answerTo = async (length: number): Promise<{ socket: TLSSocket; answer: () => string }> => {
      const socket = await scene.raw(`${head}Content-Length: ${length}\r\n\r\n{`);
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString()));
      return { socket, answer: () => text };
    };
    const one = await answerTo(100_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(one.answer()).to.equal('');
    one.socket.write(Buffer.alloc(99_999, 32));
    await becomes(() => one.answer().startsWith('HTTP/1.1 503 '));
    expect(one.answer()).to.contain('Retry-After: 1').and.contain('Connection: close');
    const large = await answerTo(6 * MIB);
    await becomes(() => large.answer().startsWith('HTTP/1.1 503 '));
  });

  it('names the method that is allowed', async () => {
    await start();
    expect((await post(review(), { method: 'PUT' })).headers.allow).to.equal('POST');
  });

  it('accepts a content type with parameters', async () => {
    await start();
    expect((await post(review(), { headers: { 'Content-Type': 'Application/JSON; charset=utf-8' } })).status).to.equal(
      200,
    );
  });

  it('rejects an announced terabyte without waiting for it, and ends the connection', async () => {
    await start({ lingerMs: 10 });
    const socket = await raw(`${POST}Content-Length: 1000000000000\r\n\r\n{`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).to.match(/^HTTP\/1\.1 413 [\s\S]*Connection: close/);
    await once(socket, 'close');
  });

  it('answers 503 if too many are in progress, and accepts more when they are done', async () => {
    await start({ inFlight: 2 });
    const unfinished = [
      await raw(`${POST}Content-Length: 1000\r\n\r\n{`),
      await raw(`${POST}Content-Length: 1000\r\n\r\n{`),
    ];
    await becomes(async () => (await scene.page()).includes('requests_in_flight 2'));
    const reply = await post(review());
    expect([reply.status, reply.headers['retry-after']]).to.deep.equal([503, '0']);
    for (const socket of unfinished) socket.destroy();
    await becomes(async () => (await scene.page()).includes('requests_in_flight 0'));
    expect((await post(review())).status).to.equal(200);
  });

  it('answers 503 if unfinished bodies fill the memory for them, and releases it', async () => {
    await start({ bufferedBytes: MIB });
    const hog = await raw(`${POST}Content-Length: ${MIB}\r\n\r\n`);
    hog.write(Buffer.alloc(MIB - 1000, 32));
    await becomes(async () => (await post(review({ note: 'x'.repeat(2000) }))).status === 503);
    hog.destroy();
    await becomes(async () => (await post(review({ note: 'x'.repeat(2000) }))).status === 200);
  });

  it('survives clients that disconnect, talk nonsense or speak no TLS', async () => {
    await start();
    for (const head of [
      `${POST}Content-Length: 100\r\n\r\n{"a`,
      'HELO example.com\r\n\r\n',
      `${POST}Content-Length: x\r\n\r\n`,
      '',
    ]) {
      (await raw(head)).destroy();
    }
    const plain = connect(scene.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write('GET / HTTP/1.0\r\n\r\n');
    await once(plain, 'close');
    expect((await post(review())).status).to.equal(200);
  });

  it('answers 500 to a bug and goes on', async () => {
    const { logger } = testLog();
    const mutate = (): never => {
      throw new Error('defect');
    };
    const rules = { version: 1, rulesFor: () => [], unusableFor: () => [] };
    await start({}, createAdmission({ rules: () => rules, mutate, metrics: createWebhookMetrics(), logger }));
    expect((await post(review())).status).to.equal(500);
    expect((await post(review())).status).to.equal(500);
  });

  describe('with responses that take their time', () => {
    const LATE = { status: 200, contentType: 'application/json', body: '{"late":true}' } as const;
    let waiting: (() => void)[];
    const waits = (): Promise<typeof LATE> => new Promise((resolve) => waiting.push(() => resolve(LATE)));
    /** Waits until a review is waiting, and then answers it. */
    const give = async (): Promise<void> => {
      await becomes(() => Promise.resolve(waiting.length > 0));
      waiting.shift()?.();
    };
    beforeEach(() => (waiting = []));

    it('sends them when they are ready, and accepts other reviews meanwhile', async () => {
      const quick = { ...LATE, body: '{"quick":true}' };
      await start({}, (entry) => (entry === 'fail' ? waits() : quick));
      const late = post(review(), { path: '/mutate/fail' });
      expect((await post(review())).text).to.equal(quick.body);
      await give();
      expect((await late).text).to.equal(LATE.body);
    });

    it('drops the response to a client that has disconnected, and goes on', async () => {
      await start({}, waits);
      const body = review();
      const socket = await raw(`${POST}Content-Length: ${body.length}\r\n\r\n`);
      socket.write(body);
      await becomes(() => Promise.resolve(waiting.length > 0));
      socket.destroy();
      await once(socket, 'close');
      // the other end learns of it a little later; another exchange takes longer
      (await raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n')).destroy();
      await give();
      const next = post(body);
      await give();
      expect((await next).text).to.equal(LATE.body);
    });

    it('sends them while it drains, and closes their connections', async () => {
      await start({}, waits);
      const late = post(review());
      await becomes(() => Promise.resolve(waiting.length > 0));
      const drained = server.drain({ answerMs: 0, refuseMs: 0, cutMs: 5000 });
      await give();
      expect((await late).headers.connection).to.equal('close');
      await drained;
    });
  });

  it('swaps its certificate under load, between authorities, without a failed request', async function () {
    this.timeout(30_000);
    await start();
    const { pair, authority, port } = scene;
    const second = await createAuthority(Date.now());
    const pairs = [pair, await issueLeaf(second, ['127.0.0.1'], Date.now())];
    const bundle = authority.certificate + second.certificate;
    let swaps = 0;
    const seen = new Set<string>();
    let stop = false;
    let requests = 0;
    // half of the clients keep their connection, as API servers do, half open a new one each time
    const clients = Array.from({ length: 8 }, async (_, index) => {
      const own = new Agent({ keepAlive: index % 2 === 0, ca: bundle });
      try {
        while (!stop) {
          const status = await new Promise<number>((resolve, reject) => {
            const outgoing = httpsRequest(
              {
                host: '127.0.0.1',
                port,
                path: '/mutate/ignore',
                method: 'POST',
                agent: own,
                headers: { 'Content-Type': 'application/json' },
              },
              (incoming) => {
                // a resumed session shows no certificate
                const shown =
                  incoming.socket instanceof TLSSocket ? incoming.socket.getPeerX509Certificate() : undefined;
                if (shown !== undefined) seen.add(shown.fingerprint256);
                incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0));
              },
            );
            outgoing.on('error', reject);
            outgoing.end(review());
          });
          expect(status).to.equal(200);
          requests += 1;
        }
      } finally {
        own.destroy();
      }
    });
    while (swaps < 20) {
      server.setCertificate(pairs[++swaps % 2] ?? pair);
      const until = requests + 10;
      await Promise.race([becomes(() => Promise.resolve(requests >= until)), ...clients]);
    }
    stop = true;
    await Promise.all(clients);
    expect(seen.size).to.equal(2);
    expect(requests).to.be.at.least(200);
  });

  it('drains: it goes on answering and closes each connection, then stops listening', async () => {
    await start();
    const idle = await raw(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
    await once(idle, 'data');
    const drained = server.drain({ answerMs: 200, refuseMs: 0, cutMs: 5000 });
    expect(server.problem).to.equal('draining');
    const reply = await post(review());
    expect([reply.status, reply.headers.connection]).to.deep.equal([200, 'close']);
    await Promise.all([drained, once(idle, 'close')]);
    const error = await post(review()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.have.property('code', 'ECONNREFUSED');
  });

  it('asks for reviews to be sent again while it drains, over old and new connections, before it stops listening', async () => {
    await start();
    const idle = await raw(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
    await once(idle, 'data');
    const drained = server.drain({ answerMs: 0, refuseMs: 300, cutMs: 5000 });
    await Promise.resolve();
    const reply = await post(review());
    expect(reply.status).to.equal(503);
    expect(reply.headers).to.include({ 'retry-after': '0', connection: 'close' });
    expect(reply.text).to.equal('this replica is stopping\n');
    idle.write(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
    const [answer] = (await once(idle, 'data')) as [Buffer];
    expect(answer.toString())
      .to.match(/^HTTP\/1\.1 503 /)
      .and.match(/retry-after: 0/i);
    await Promise.all([drained, once(idle, 'close')]);
  });

  it('answers a review that has arrived, but has not been read yet, when the drain ends', async () => {
    await start();
    const idle = await raw(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
    await once(idle, 'data');
    const drained = server.drain({ answerMs: 0, refuseMs: 20, cutMs: 5000 });
    await Promise.resolve();
    idle.write(`${POST}Content-Length: ${review().length}\r\n\r\n${review().toString()}`);
    const answered = Promise.race([once(idle, 'data'), once(idle, 'close').then(() => ['closed'])]);
    // the process gets no processor until the end of the drain is due
    const until = performance.now() + 100;
    while (performance.now() < until);
    const [answer] = (await answered) as [Buffer | string];
    expect(answer.toString()).to.match(/^HTTP\/1\.1 503 /);
    await drained;
  });

  it('drains by its deadline although a client never finishes', async () => {
    await start();
    const stuck = await raw(`${POST}Content-Length: 1000\r\n\r\n{`);
    await becomes(async () => (await scene.page()).includes('requests_in_flight 1'));
    await Promise.all([server.drain({ answerMs: 0, refuseMs: 0, cutMs: 50 }), once(stuck, 'close')]);
  });
});
