import { setImmediate } from 'node:timers/promises';
import { expect } from 'chai';
import type { RuleSnapshot } from '../../../core/policy/rule.ts';
import { createAdmission } from '../../../webhook/admission.ts';
import type { AdmissionOptions, Answer, Reviewed } from '../../../webhook/admission.ts';
import type { ImageAnswer, ImageNeeds, KnownImages } from '../../../core/injection/images.ts';
import type { MutationInput } from '../../../core/injection/mutate.ts';
import type { MutationResult } from '../../../core/injection/outcome.ts';
import type { KnownSources, SourceNeeds } from '../../../core/injection/sources.ts';
import type { LookUp, LookUps } from '../../../webhook/look-ups.ts';
import { createWebhookMetrics } from '../../../webhook/metrics.ts';
import type { Entry } from '../../../webhook/configuration/configuration.ts';
import { reviewBody } from '../../support/review-body.ts';
import { testLog } from '../../support/test-log.ts';
import type { LogLine } from '../../support/test-log.ts';

const SECRET = 'hunter2';
const NOTHING: MutationResult = { outcome: 'NoPolicy', patch: [], wrapped: [], skipped: [], warnings: [], audit: {} };
const RULES: RuleSnapshot = { version: 1, rulesFor: () => [], unusableFor: () => [] };

function body(change: object = {}): Buffer {
  return reviewBody({ object: { metadata: { name: 'web' }, spec: { password: SECRET } }, ...change });
}

function start(options: Partial<AdmissionOptions> = {}): {
  admit: (entry: Entry, body: Buffer) => Answer;
  lines: LogLine[];
  metrics: ReturnType<typeof createWebhookMetrics>;
} {
  const { logger, lines } = testLog();
  const metrics = createWebhookMetrics();
  const admission = createAdmission({ rules: () => RULES, mutate: () => NOTHING, metrics, logger, ...options });
  return {
    admit: (entry, bytes) => {
      const answer = admission(entry, bytes);
      if (answer instanceof Promise) throw new Error('the answer is not given at once');
      return answer;
    },
    lines,
    metrics,
  };
}

function responseOf(text: string): Record<string, unknown> {
  return (JSON.parse(text) as { response: Record<string, unknown> }).response;
}

/** Whether an answer waits for somebody, and not only for its turn: large bodies are decoded in steps. */
async function isWaiting(answer: Answer | Promise<Answer>): Promise<boolean> {
  let isDone = false;
  void Promise.resolve(answer).then(() => (isDone = true));
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  return !isDone;
}

describe('admission', () => {
  it('asks the pure core about a workload, with the current rules', () => {
    let seen: unknown;
    const { admit } = start({
      mutate: (input) => {
        seen = input;
        return NOTHING;
      },
    });
    const review = body({ operation: 'UPDATE', kind: { group: 'apps', version: 'v1', kind: 'StatefulSet' } });
    admit('ignore', review);
    expect(seen).to.deep.equal({
      characters: review.length,
      kind: 'StatefulSet',
      namespace: 'shop',
      name: 'web',
      object: { metadata: { name: 'web' }, spec: { password: SECRET } },
      rules: RULES,
    });
  });

  it('answers with patch, warnings and audit annotations', () => {
    const patch = [{ op: 'remove', path: '/spec/template/x' }] as const;
    const policy = { name: 'default', generation: 7 };
    const { admit } = start({
      mutate: () => ({
        ...NOTHING,
        outcome: 'Injected',
        patch,
        warnings: ['mind the gap'],
        policy,
        audit: { containers: 'app' },
      }),
    });
    const { status, body: text } = admit('fail', body());
    expect(status).to.equal(200);
    expect(responseOf(text)).to.deep.equal({
      uid: 'uid-1',
      allowed: true,
      patchType: 'JSONPatch',
      patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      warnings: ['mind the gap'],
      auditAnnotations: { result: 'Injected', policy: 'default', generation: '7', containers: 'app' },
    });
  });

  it('passes on what is stored, if it is an update', () => {
    const seen: unknown[] = [];
    const { admit } = start({ mutate: ({ stored }) => (seen.push(stored), NOTHING) });
    const oldObject = { spec: { old: true } };
    admit('ignore', body({ operation: 'UPDATE', oldObject }));
    admit('ignore', body({ operation: 'CREATE', oldObject }));
    expect(seen).to.deep.equal([oldObject, undefined]);
  });

  it('asks to send the review again if this replica knows too little, and decides nothing', async () => {
    const asked: unknown[] = [];
    const decided: unknown[] = [];
    const { admit, metrics } = start({
      ignorance: (entry, namespace) => (asked.push([entry, namespace]), entry === 'fail' ? 'not known yet' : undefined),
      mutate: (input) => (decided.push(input.name), NOTHING),
      onReviewed: (reviewed) => decided.push(reviewed),
    });
    const { status, headers, body: text } = admit('fail', body());
    expect([status, text, decided]).to.deep.equal([503, 'not known yet\n', []]);
    expect(headers).to.deep.equal({ 'Retry-After': '1', Connection: 'close' });
    expect(admit('ignore', body()).status).to.equal(200);
    expect(asked).to.deep.equal([
      ['fail', 'shop'],
      ['ignore', 'shop'],
    ]);
    expect(await metrics.register.metrics()).to.contain('outcome="Postponed"} 1');
  });

  it('denies with a reason, and says so in the log', () => {
    const denial = { reason: 'PathNotAllowed', message: 'secret/data/x is outside of allowedPaths' } as const;
    const { admit, lines } = start({ mutate: () => ({ ...NOTHING, outcome: 'Denied', denial }) });
    const response = responseOf(admit('fail', body()).body);
    expect(response.allowed).to.equal(false);
    expect(response.status).to.deep.equal({ status: 'Failure', code: 403, ...denial });
    expect(lines).to.have.length(1);
    expect(lines[0]?.level).to.equal('info');
    expect(lines[0]?.fields).to.include({ uid: 'uid-1', namespace: 'shop', name: 'web', reason: 'PathNotAllowed' });
  });

  const strangers: readonly [string, object][] = [
    ['a ConfigMap', { kind: { group: '', version: 'v1', kind: 'ConfigMap' } }],
    ['a Deployment of another group', { kind: { group: 'example.com', version: 'v1', kind: 'Deployment' } }],
    ['a DELETE', { operation: 'DELETE', object: null }],
    ['a CONNECT', { operation: 'CONNECT', object: null }],
  ];
  for (const [what, change] of strangers) {
    it(`allows ${what} unchanged, without looking at it`, () => {
      const { admit } = start({
        mutate: () => {
          throw new Error('asked');
        },
      });
      expect(responseOf(admit('ignore', body(change)).body)).to.deep.equal({ uid: 'uid-1', allowed: true });
    });
  }

  it('answers 400 to what is not a review', () => {
    expect(start().admit('ignore', Buffer.from('{'))).to.deep.equal({
      status: 400,
      contentType: 'text/plain; charset=utf-8',
      body: 'the body is not JSON\n',
    });
  });

  it('turns a bug into HTTP 500, so that failurePolicy decides, and logs no content', async () => {
    const { admit, lines, metrics } = start({
      mutate: ({ object }) => {
        throw new TypeError(`cannot read ${JSON.stringify(object)}`);
      },
    });
    expect(admit('fail', body()).status).to.equal(500);
    expect(lines.map(({ level }) => level)).to.deep.equal(['error']);
    expect(lines[0]?.fields).to.include({ uid: 'uid-1', error: 'TypeError' });
    expect(JSON.stringify(lines)).not.to.contain(SECRET);
    expect(await metrics.register.metrics()).to.match(/reviews_total\{.*outcome="Error"\} 1/);
  });

  it('logs one line per review, without the object or the patch', () => {
    const patch = [{ op: 'add', path: '/x', value: SECRET }] as const;
    const policy = { name: 'default', generation: 1 };
    const { admit, lines } = start({ mutate: () => ({ ...NOTHING, outcome: 'Injected', patch, policy }) });
    admit('ignore', body());
    expect(lines).to.have.length(1);
    expect(lines[0]).to.include({ level: 'info', message: 'injected' });
    expect(lines[0]?.fields).to.include({ kind: 'Deployment', policy: 'default', outcome: 'Injected' });
    expect(JSON.stringify(lines)).not.to.contain(SECRET);
  });

  it('reports what was decided, but not a dry run', () => {
    const told: Reviewed[] = [];
    const { admit } = start({ onReviewed: (reviewed) => void told.push(reviewed) });
    admit('ignore', body({ dryRun: true }));
    admit('ignore', body());
    const about = { kind: 'Deployment', namespace: 'shop', name: 'web', operation: 'CREATE', skipped: [] };
    expect(told).to.deep.equal([{ ...about, outcome: 'NoPolicy' }]);
  });

  it('reports what it denied and why, and what was left out, and no content', () => {
    const told: Reviewed[] = [];
    const about = {
      policy: { name: 'default', generation: 7 },
      denial: { reason: 'PathNotAllowed', message: 'why' },
    } as const;
    const skipped = [{ name: 'app', reason: 'EntrypointUnknown', message: 'not known' }] as const;
    const mutate = (): MutationResult => ({ ...NOTHING, ...about, skipped, outcome: 'Denied' });
    const { admit } = start({ mutate, onReviewed: (reviewed) => void told.push(reviewed) });
    const object = { metadata: { name: 'web', uid: 'uid-of-web' }, spec: { password: SECRET } };
    admit('fail', body({ operation: 'UPDATE', object }));
    const workload = { kind: 'Deployment', namespace: 'shop', name: 'web', uid: 'uid-of-web', operation: 'UPDATE' };
    expect(told).to.deep.equal([{ ...workload, ...about, outcome: 'Denied', skipped }]);
  });

  it('counts by entry, operation and outcome, and invents no series for unknown operations', async () => {
    const { admit, metrics } = start();
    admit('ignore', body());
    admit('fail', body({ operation: 'PATCHWORK' }));
    const text = await metrics.register.metrics();
    expect(text).to.contain('vault_injection_reviews_total{entry="ignore",operation="CREATE",outcome="NoPolicy"} 1');
    expect(text).to.contain('vault_injection_reviews_total{entry="fail",operation="other",outcome="Skipped"} 1');
  });

  describe('of a workload whose images have to be known', () => {
    const needs = { images: ['nginx:1'], serviceAccount: 'default', pullSecrets: [] };
    const known = (): ImageAnswer => ({ entrypoint: ['/entry'], cmd: [] });

    /** A core that needs to know an image, and says what it was told. */
    const asking = ({ images }: MutationInput): MutationResult =>
      images === undefined
        ? { ...NOTHING, outcome: 'Denied', denial: { reason: 'EntrypointUnknown', message: 'not known' }, needs }
        : { ...NOTHING, outcome: 'Injected', warnings: [JSON.stringify(images('nginx:1'))] };

    const lookUp = (options: Partial<LookUp<ImageNeeds, KnownImages>>): LookUps => ({
      images: { known: () => undefined, find: () => Promise.resolve(known), ...options },
    });

    function admission(options: Partial<AdmissionOptions>) {
      const { logger, lines } = testLog();
      const metrics = createWebhookMetrics();
      return {
        admit: createAdmission({ rules: () => RULES, mutate: asking, metrics, logger, ...options }),
        lines,
        metrics,
      };
    }
    const warningsOf = (answer: Answer): unknown => responseOf(answer.body).warnings;

    it('is answered at once if they are remembered', () => {
      const { admit } = start({ mutate: asking, lookUps: lookUp({ known: () => known }) });
      expect(warningsOf(admit('fail', body()))).to.deep.equal(['{"entrypoint":["/entry"],"cmd":[]}']);
    });

    it('is answered when they are found, for the namespace of the review and by the rules of the first look', async () => {
      let asked: unknown;
      let rulesAsked = 0;
      const find = (...of: unknown[]): Promise<KnownImages> => ((asked = of), Promise.resolve(known));
      const { admit, metrics } = admission({
        lookUps: lookUp({ find }),
        rules: () => (rulesAsked++, RULES),
      });
      const answer = admit('fail', body());
      expect(answer).to.be.instanceOf(Promise);
      expect(warningsOf(await answer)).to.deep.equal(['{"entrypoint":["/entry"],"cmd":[]}']);
      expect(asked).to.deep.equal(['shop', needs, 0]);
      expect(rulesAsked).to.equal(1);
      expect(await metrics.register.metrics(), 'one review').to.match(/reviews_total\{[^}]*outcome="Injected"\} 1\n/);
    });

    it('is answered as if nothing were known if nobody can be asked', () => {
      const { admit } = start({ mutate: asking });
      expect(responseOf(admit('fail', body()).body).allowed).to.equal(false);
    });

    it('does not wait if too much is already waiting, and waits again when that is done', async () => {
      const waiting: ((images: KnownImages) => void)[] = [];
      const find = (): Promise<KnownImages> => new Promise((resolve) => waiting.push(resolve));
      const { admit } = admission({ lookUps: lookUp({ find }) });
      const large = body({ padding: 'x'.repeat(5 * 2 ** 20) });
      const first = admit('fail', large);
      expect(await isWaiting(first)).to.equal(true);
      expect(warningsOf(await admit('fail', large))).to.deep.equal([
        '{"why":"too many reviews are waiting for registries; try again"}',
      ]);
      waiting.shift()?.(known);
      await first;
      const third = admit('fail', large);
      expect(await isWaiting(third)).to.equal(true);
      waiting.shift()?.(known);
      expect(warningsOf(await third)).to.deep.equal(['{"entrypoint":["/entry"],"cmd":[]}']);
    });

    it('lets reviews of another namespace wait although one namespace has too many', async () => {
      const find = (): Promise<KnownImages> => new Promise(() => undefined);
      const { admit, metrics } = admission({ lookUps: lookUp({ find }) });
      const padding = 'x'.repeat(2 ** 20);
      const waits: boolean[] = [];
      for (const namespace of ['a', 'a', 'a', 'b', 'b']) {
        waits.push(await isWaiting(admit('fail', body({ namespace, padding }))));
      }
      expect(waits).to.deep.equal([true, false, false, true, false]);
      expect(await metrics.register.metrics()).to.contain('vault_injection_review_bounds_total{bound="Waiting"} 3\n');
      expect(warningsOf(await admit('fail', body({ namespace: 'a', padding })))).to.deep.equal([
        '{"why":"too many reviews are waiting for registries; try again"}',
      ]);
    });

    it('answers 500 to a bug after the wait, and logs no content', async () => {
      const find = (): Promise<KnownImages> => Promise.reject(new TypeError(SECRET));
      const { admit, lines } = admission({ lookUps: lookUp({ find }) });
      expect((await admit('fail', body())).status).to.equal(500);
      expect(lines[0]?.fields).to.include({ uid: 'uid-1', error: 'TypeError' });
      expect(JSON.stringify(lines)).not.to.contain(SECRET);
    });
  });

  describe('of a workload whose environment comes from objects', () => {
    const sourceNeeds: SourceNeeds = { objects: [{ kind: 'ConfigMap', name: 'app' }] };
    const needs: ImageNeeds = { images: ['nginx:1'], serviceAccount: 'default', pullSecrets: [] };
    const held: KnownSources = () => ({ data: { A: 'vault:kv/a#b' } });
    const opened: KnownImages = (image) => (image === 'nginx:1' ? { entrypoint: ['/entry'], cmd: [] } : undefined);

    /** A core that has to know an object, and then, if `wraps` says so, an image. */
    const asking =
      (wraps: boolean) =>
      ({ images, sources }: MutationInput): MutationResult => {
        if (sources === undefined) return { ...NOTHING, outcome: 'Unchanged', sourceNeeds };
        if (wraps && images === undefined) return { ...NOTHING, outcome: 'Denied', needs };
        return { ...NOTHING, outcome: 'Injected', warnings: [JSON.stringify(images?.('nginx:1') ?? 'no image')] };
      };

    function admission(options: Partial<AdmissionOptions>) {
      const { logger } = testLog();
      return createAdmission({
        rules: () => RULES,
        mutate: asking(false),
        metrics: createWebhookMetrics(),
        logger,
        ...options,
      });
    }
    const warningsOf = (answer: Answer): unknown => responseOf(answer.body).warnings;
    const remembered = { known: () => held, find: () => Promise.reject(new Error('asked')) };

    it('is answered at once if they are remembered', () => {
      const answer = admission({ lookUps: { sources: remembered } })('fail', body());
      expect(warningsOf(answer as Answer)).to.deep.equal(['"no image"']);
    });

    it('is answered when they are found, for the namespace of the review', async () => {
      let asked: unknown;
      const find = (...of: unknown[]): Promise<KnownSources> => ((asked = of), Promise.resolve(held));
      const answer = await admission({ lookUps: { sources: { known: () => undefined, find } } })('fail', body());
      expect([asked, warningsOf(answer)]).to.deep.equal([['shop', sourceNeeds, 0], ['"no image"']]);
    });

    it('is answered as if nothing were known if nobody can be asked', () => {
      const answer = admission({})('fail', body()) as Answer;
      expect(responseOf(answer.body)).to.deep.include({ allowed: true, auditAnnotations: { result: 'Unchanged' } });
    });

    it('is asked about once more for the image of a container that is wrapped because of an object', async () => {
      const waited: number[] = [];
      const find = (_namespace: string, _needs: ImageNeeds, waitedMs: number): Promise<KnownImages> => (
        waited.push(waitedMs),
        Promise.resolve(opened)
      );
      const sources = {
        known: () => undefined,
        find: () => new Promise<KnownSources>((resolve) => setTimeout(() => resolve(held), 20)),
      };
      const admit = admission({ mutate: asking(true), lookUps: { sources, images: { known: () => undefined, find } } });
      expect(warningsOf(await admit('fail', body()))).to.deep.equal(['{"entrypoint":["/entry"],"cmd":[]}']);
      // gets the time that has already passed, so that both fit into one deadline
      expect(waited).to.have.length(1);
      expect(waited[0]).to.be.greaterThan(0);
    });

    it('has both asked for at the same time if both are needed from the start', async () => {
      const begun: string[] = [];
      const ends: (() => void)[] = [];
      const later = <T>(name: string, value: T): Promise<T> => {
        begun.push(name);
        return new Promise((resolve) => ends.push(() => resolve(value)));
      };
      const answer = admission({
        mutate: ({ images, sources }) =>
          images === undefined || sources === undefined
            ? { ...NOTHING, needs, sourceNeeds }
            : { ...NOTHING, warnings: [JSON.stringify([images('nginx:1'), sources({ kind: 'Secret', name: 'x' })])] },
        lookUps: {
          images: { known: () => undefined, find: () => later('images', opened) },
          sources: { known: () => undefined, find: () => later('sources', held) },
        },
      })('fail', body());
      expect(begun).to.deep.equal(['images', 'sources']);
      for (const end of ends) end();
      expect(warningsOf(await answer)).to.deep.equal([
        '[{"entrypoint":["/entry"],"cmd":[]},{"data":{"A":"vault:kv/a#b"}}]',
      ]);
    });

    it('keeps what it knows of one image when it asks for another', async () => {
      const image = (name: string): ImageNeeds => ({ ...needs, images: [name] });
      const admit = admission({
        mutate: ({ images, sources }) => {
          if (sources === undefined) return { ...NOTHING, needs: image('a'), sourceNeeds };
          if (images?.('b') === undefined) return { ...NOTHING, needs: image('b') };
          return { ...NOTHING, warnings: [JSON.stringify([images('a'), images('b')])] };
        },
        lookUps: {
          sources: remembered,
          images: {
            known: () => undefined,
            find: (_namespace, { images }) =>
              Promise.resolve((name) => (images.includes(name) ? { entrypoint: [name], cmd: [] } : undefined)),
          },
        },
      });
      expect(warningsOf(await admit('fail', body()))).to.deep.equal([
        '[{"entrypoint":["a"],"cmd":[]},{"entrypoint":["b"],"cmd":[]}]',
      ]);
    });

    it('does not wait if too much is already waiting', async () => {
      const sources = { known: () => undefined, find: () => new Promise<KnownSources>(() => undefined) };
      const admit = admission({
        mutate: ({ sources: known }) =>
          known === undefined
            ? { ...NOTHING, sourceNeeds }
            : { ...NOTHING, warnings: [JSON.stringify(known({ kind: 'ConfigMap', name: 'app' }))] },
        lookUps: { sources },
      });
      const large = body({ padding: 'x'.repeat(5 * 2 ** 20) });
      expect(await isWaiting(admit('fail', large))).to.equal(true);
      expect(warningsOf(await admit('fail', large))).to.deep.equal([
        '{"unreadable":"too many reviews are waiting; try again"}',
      ]);
    });
  });
});
