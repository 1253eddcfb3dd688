import { expect } from 'chai';

import type { ApiClient } from '../../../../kube/api-client.ts';
import { ApiError } from '../../../../kube/object-client.ts';
import { firstLine } from '../../../../operator/composition/first-line.ts';
import { readSettings, type Settings } from '../../../../operator/settings.ts';
import { testLog, type LogLine } from '../../../support/test-log.ts';

describe('the first line of the log', () => {
  async function lines(argv: readonly string[], answer: Promise<unknown>): Promise<readonly LogLine[]> {
    const { logger, lines: all } = testLog();
    const clientWithin = (): ApiClient => ({ document: () => answer }) as unknown as ApiClient;
    await firstLine({ settings: readSettings(argv, {}) as Settings, logger, clientWithin }).start?.();
    return all;
  }
  const VERSION = Promise.resolve({ gitVersion: 'v1.37.2' });

  it('says versions, namespace, webhook, injector image and what is set', async () => {
    const argv = ['--injector-image', 'registry.example.com/vault-env:1', '--webhook-service-port', '8443'];
    const [line, ...more] = await lines(argv, VERSION);
    expect(more).to.deep.equal([]);
    expect(line?.fields.version).to.match(/^\d+\.\d+\.\d+$/);
    expect({ ...line?.fields, version: '' }).to.deep.equal({
      version: '',
      kubernetes: 'v1.37.2',
      namespace: 'vault-injection-system',
      webhook: 'service vault-injection-operator.vault-injection-system:8443',
      injectorImage: 'registry.example.com/vault-env:1',
      settings: { injectorImage: 'registry.example.com/vault-env:1', webhookServicePort: 8443 },
    });
  });

  it('passes the version on, so that nobody asks again, and nothing where it is not known', async () => {
    const learned: string[] = [];
    const { logger } = testLog();
    const settings = readSettings([], {}) as Settings;
    for (const answer of [VERSION, Promise.reject(new ApiError(503, 'ServiceUnavailable', 'later'))]) {
      const clientWithin = (): ApiClient => ({ document: () => answer }) as unknown as ApiClient;
      await firstLine({ settings, logger, clientWithin }, (version) => learned.push(version)).start?.();
    }
    expect(learned).to.deep.equal(['v1.37.2']);
  });

  it('says that policies have to name an image if nothing else does, and by which URL the webhook is called', async () => {
    const [line, warning] = await lines(['--webhook-url', 'https://host:9443'], VERSION);
    expect(line?.fields.webhook).to.equal('https://host:9443');
    expect(warning).to.deep.include({ level: 'warn' });
    expect(warning?.message).to.contain('--injector-image');
  });

  it('says why the version of the API server is not known, and the operator starts all the same', async () => {
    const gone = Promise.reject(new ApiError(0, 'Unreachable', 'GET /version: connection refused'));
    for (const [answer, text] of [
      [gone, 'unknown: GET /version: connection refused'],
      [Promise.resolve({}), 'unknown: GET /version: the answer names no version'],
    ] as const) {
      expect((await lines([], answer))[0]?.fields.kubernetes).to.equal(text);
    }
  });
});
