import { expect } from 'chai';
import { Registry as Register } from 'prom-client';
import { ImageFailure } from '../../../../webhook/image-config/failure.ts';
import type { FailureCode } from '../../../../webhook/image-config/failure.ts';
import { ImageConfigs } from '../../../../webhook/image-config/image-configs.ts';
import { createImageMetrics } from '../../../../webhook/image-config/metrics.ts';
import type { PullSecrets } from '../../../../webhook/image-config/pull-secrets.ts';
import type { Found, LookUpOptions } from '../../../../webhook/image-config/registry.ts';
import type { ImageReference } from '../../../../webhook/image-config/reference.ts';
import type { ImageAnswer, ImageNeeds } from '../../../../core/injection/images.ts';
import { ManualClock, settle } from '../../../support/manual-clock.ts';

const NGINX = { entrypoint: ['/docker-entrypoint.sh'], cmd: ['nginx'] };
const DIGEST = `sha256:${'a'.repeat(64)}`;
const FOUND: Found = { digest: DIGEST, entryPoint: NGINX, isShared: true };
const MINUTE = 60_000;

const needs = (image: string, pullSecrets: string[] = []): ImageNeeds => ({
  images: [image],
  serviceAccount: 'default',
  pullSecrets,
});

/** A registry that a test answers for, and the cache in front of it. */
function start(secrets: PullSecrets = { entries: [], unread: [] }) {
  const clock = new ManualClock();
  const asked: { reference: ImageReference; options: LookUpOptions }[] = [];
  const answers: ((found: Found | ImageFailure) => void)[] = [];
  const register = new Register();
  const configs = new ImageConfigs({
    registry: {
      lookUp: (reference, options) => {
        asked.push({ reference, options });
        return new Promise((resolve, reject) =>
          answers.push((found) => (found instanceof ImageFailure ? reject(found) : resolve(found))),
        );
      },
    },
    pullSecrets: () => Promise.resolve(secrets),
    ownEntries: () => Promise.resolve([{ pattern: 'own.example', credential: { username: 'own', password: 'p' } }]),
    metrics: createImageMetrics(register),
    clock,
  });
  const find = async (image: string, waitMs = 2500, namespace = 'shop', pullSecrets?: string[]) =>
    (await configs.find(namespace, needs(image, pullSecrets), waitMs))(image);
  return {
    clock,
    configs,
    asked,
    find,
    /** Answers all that was asked and not answered yet. */
    answer: async (found: Found | ImageFailure): Promise<void> => {
      await settle();
      for (const each of answers.splice(0)) each(found);
      await settle();
    },
    /** Asks, is answered, and resolves with the result. */
    asking: async (found: Found | ImageFailure, ...of: Parameters<typeof find>): Promise<ImageAnswer | undefined> => {
      const promise = find(...of);
      await settle();
      for (const each of answers.splice(0)) each(found);
      return promise;
    },
    count: async (result: string): Promise<string | undefined> =>
      new RegExp(`lookups_total\\{result="${result}"\\} (\\d+)`).exec(await register.metrics())?.[1],
    metrics: () => register.metrics(),
  };
}

const failed = (code: FailureCode, message = 'no'): ImageFailure => new ImageFailure(code, message);

describe('the memory of images', () => {
  it('asks once, and then knows at once', async () => {
    const { configs, asking, asked, count, metrics } = start();
    expect(configs.known('shop', needs('nginx:1'))).to.equal(undefined);
    expect(await asking(FOUND, 'nginx:1')).to.deep.equal(NGINX);
    expect(configs.known('shop', needs('nginx:1'))?.('nginx:1')).to.deep.equal(NGINX);
    expect(asked).to.have.length(1);
    expect(asked[0]?.reference.repository).to.equal('library/nginx');
    expect([await count('Found'), await count('Remembered')]).to.deep.equal(['1', '1']);
    expect(await metrics()).to.contain('vault_injection_image_cache_size 1');
  });

  it('asks once for all who want to know at the same time', async () => {
    const { find, answer, asked } = start();
    const all = [find('nginx:1'), find('nginx:1'), find('nginx:1')];
    await answer(FOUND);
    expect(await Promise.all(all)).to.deep.equal([NGINX, NGINX, NGINX]);
    expect(asked).to.have.length(1);
  });

  it('asks for all images of a workload at the same time', async () => {
    const { configs, asked, answer } = start();
    const both = { ...needs('nginx:1'), images: ['nginx:1', 'redis:7'] };
    const found = configs.find('shop', both, 2500);
    await settle();
    expect(asked).to.have.length(2);
    await answer(FOUND);
    const known = await found;
    expect([known('nginx:1'), known('redis:7'), known('other')]).to.deep.equal([NGINX, NGINX, undefined]);
  });

  describe('waits no longer than it may', () => {
    it('and says so', async () => {
      const { clock, find, count } = start();
      const found = find('registry.example.com/app:1');
      await clock.advance(2500);
      expect(await found).to.deep.equal({ why: 'registry.example.com did not answer within 2.5 s; try again' });
      expect(await count('TooSlow')).to.equal('1');
    });

    it('and goes on asking, so that the next one knows', async () => {
      const { clock, configs, find, answer, asked } = start();
      const found = find('nginx:1');
      await clock.advance(2500);
      await found;
      await answer(FOUND);
      expect(configs.known('shop', needs('nginx:1'))?.('nginx:1')).to.deep.equal(NGINX);
      expect(asked).to.have.length(1);
    });
  });

  describe('asks again', () => {
    it('what a tag stands for after five minutes, and says what it stood for', async () => {
      const { clock, configs, asking, asked } = start();
      await asking(FOUND, 'nginx:1');
      await clock.advance(5 * MINUTE - 1);
      expect(configs.known('shop', needs('nginx:1'))).not.to.equal(undefined);
      await clock.advance(1);
      expect(configs.known('shop', needs('nginx:1'))).to.equal(undefined);
      const moved = {
        digest: `sha256:${'b'.repeat(64)}`,
        entryPoint: { entrypoint: [], cmd: ['new'] },
        isShared: true,
      };
      expect(await asking(moved, 'nginx:1')).to.deep.equal(moved.entryPoint);
      expect(asked[1]?.options.lastDigest).to.equal(DIGEST);
      expect(asked[1]?.options.remembered(DIGEST)).to.deep.equal(NGINX);
    });

    it('in time when the clock is set back or forward', async () => {
      const { clock, configs, asking } = start();
      const isKnown = (): boolean => configs.known('shop', needs('nginx:1')) !== undefined;
      await asking(FOUND, 'nginx:1');
      clock.set(60 * MINUTE);
      expect(isKnown()).to.equal(true);
      clock.set(-120 * MINUTE);
      await clock.advance(5 * MINUTE);
      expect(isKnown()).to.equal(false);
      await asking(failed('NotFound'), 'nginx:1');
      clock.set(-60 * MINUTE);
      await clock.advance(10_000);
      expect(isKnown(), 'nor is a failure remembered for longer').to.equal(false);
    });

    it('never for a digest that everybody may pull', async () => {
      const { clock, configs, asking } = start();
      await asking(FOUND, `nginx@${DIGEST}`);
      await clock.advance(30 * 24 * 60 * MINUTE);
      expect(configs.known('elsewhere', needs(`nginx@${DIGEST}`))).not.to.equal(undefined);
    });

    it('whether a digest may still be pulled with credentials', async () => {
      const { clock, configs, asking } = start();
      await asking({ ...FOUND, isShared: false }, `nginx@${DIGEST}`);
      await clock.advance(5 * MINUTE);
      expect(configs.known('shop', needs(`nginx@${DIGEST}`))).to.equal(undefined);
    });
  });

  describe('keeps to itself what was pulled with credentials of a pod', () => {
    const PRIVATE = { ...FOUND, isShared: false };
    it('from other namespaces, other secrets and other ServiceAccounts', async () => {
      const { configs, asking } = start();
      await asking(PRIVATE, 'app:1', 2500, 'shop', ['pull']);
      const known = (namespace: string, of: Partial<ImageNeeds>): boolean =>
        configs.known(namespace, { ...needs('app:1', ['pull']), ...of }) !== undefined;
      expect(known('shop', {})).to.equal(true);
      expect(known('evil', {})).to.equal(false);
      expect(known('shop', { pullSecrets: [] })).to.equal(false);
      expect(known('shop', { pullSecrets: ['pull', 'more'] })).to.equal(false);
      expect(known('shop', { serviceAccount: 'other' })).to.equal(false);
    });

    it('and says nothing about it to those whom the registry refuses', async () => {
      const { asking, find, asked } = start();
      await asking(PRIVATE, 'app:1', 2500, 'shop', ['pull']);
      expect(await asking(failed('Unauthorized', 'refused'), 'app:1', 2500, 'evil', ['pull'])).to.deep.equal({
        why: 'refused',
      });
      expect(asked[1]?.options.lastDigest, 'nor which digest it is').to.equal(undefined);
      expect(await find('app:1', 2500, 'shop', ['pull'])).to.deep.equal(NGINX);
    });

    it('but not what was pulled anonymously', async () => {
      const { configs, asking } = start();
      await asking(FOUND, 'app:1', 2500, 'shop', ['pull']);
      expect(configs.known('elsewhere', needs('app:1'))).not.to.equal(undefined);
    });
  });

  describe('remembers a failure', () => {
    for (const code of ['NotFound', 'Unauthorized', 'Unreachable', 'WrongPlatform'] as const) {
      it(`for ten seconds: ${code}`, async () => {
        const { clock, configs, asking, count } = start();
        expect(await asking(failed(code, 'because'), 'app:1')).to.deep.equal({ why: 'because' });
        expect(await count(code)).to.equal('1');
        expect(configs.known('shop', needs('app:1'))?.('app:1')).to.deep.equal({ why: 'because' });
        await clock.advance(10_000);
        expect(await asking(FOUND, 'app:1')).to.deep.equal(NGINX);
      });
    }

    it('of one pod and not of another: it may have the right secret', async () => {
      const { configs, asking } = start();
      await asking(failed('Unauthorized'), 'app:1');
      expect(configs.known('shop', needs('app:1', ['pull']))).to.equal(undefined);
    });

    it('of an invalid name without asking anybody', async () => {
      const { configs, find, asked } = start();
      const why = { why: 'not a valid image name' };
      for (const name of ['Not An Image', 'registry.example.com/../v2/x', 'a%2fb', 'a?b', `a/${'b'.repeat(1_000)}`]) {
        expect(await find(name)).to.deep.equal(why);
        expect(configs.known('shop', needs(name))?.(name), 'without waiting').to.deep.equal(why);
      }
      expect(asked).to.deep.equal([]);
    });
  });

  describe('keeps what it knew', () => {
    for (const code of ['Unreachable', 'RateLimited'] as const) {
      it(`while the registry is ${code}`, async () => {
        const { clock, configs, asking, count } = start();
        await asking(FOUND, 'nginx:1');
        await clock.advance(5 * MINUTE);
        expect(await asking(failed(code), 'nginx:1')).to.deep.equal(NGINX);
        expect(await count('Kept')).to.equal('1');
        expect(configs.known('shop', needs('nginx:1')), 'and does not ask for a while').not.to.equal(undefined);
        await clock.advance(30_000);
        expect(configs.known('shop', needs('nginx:1'))).to.equal(undefined);
      });
    }

    it('while the registry takes too long', async () => {
      const { clock, asking, find } = start();
      await asking(FOUND, 'nginx:1');
      await clock.advance(5 * MINUTE);
      const found = find('nginx:1');
      await clock.advance(2500);
      expect(await found).to.deep.equal(NGINX);
    });

    for (const code of ['NotFound', 'Unauthorized'] as const) {
      it(`but not once the registry says ${code}`, async () => {
        const { clock, asking } = start();
        await asking(FOUND, 'nginx:1');
        await clock.advance(5 * MINUTE);
        expect(await asking(failed(code, 'gone'), 'nginx:1')).to.deep.equal({ why: 'gone' });
        await clock.advance(10_000);
        expect(await asking(failed('Unreachable', 'away'), 'nginx:1')).to.deep.equal({ why: 'away' });
      });
    }
  });

  describe('offers the registry', () => {
    const entry = (pattern: string, username: string) => ({ pattern, credential: { username, password: 'p' } });
    const users = async (image: string, secrets: PullSecrets): Promise<unknown> => {
      const { find, asked, answer } = start(secrets);
      void find(image);
      await settle();
      const [first] = asked;
      const candidates = await first?.options.candidates(first.reference);
      await answer(FOUND);
      return candidates?.map(({ credential, isShared }) => [credential?.username, isShared]);
    };

    it('the secrets of the pod, then what the operator has of its own', async () => {
      const secrets = { entries: [entry('own.example', 'a'), entry('other.example', 'b')], unread: [] };
      expect(await users('own.example/app', secrets)).to.deep.equal([
        ['a', false],
        ['own', true],
      ]);
    });
    it('nothing if neither is for it', async () => {
      expect(await users('quay.io/app', { entries: [entry('other.example', 'b')], unread: [] })).to.deep.equal([
        [undefined, true],
      ]);
    });
  });

  it('names the pull secrets that it may not read, if they could be the reason', async () => {
    const { find, asked, answer } = start({ entries: [], unread: ['regcred'] });
    const found = find('app:1');
    await settle();
    const [first] = asked;
    await first?.options.candidates(first.reference);
    await answer(failed('Unauthorized', 'refused'));
    expect(await found).to.deep.equal({
      why: 'refused',
      advice: 'see docs/guides/private-registries.md: the operator could not read pull secret regcred',
    });
  });
});
