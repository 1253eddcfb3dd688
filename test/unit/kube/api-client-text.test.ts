import { expect } from 'chai';

import type { Resource } from '../../../core/object.ts';
import { ApiError } from '../../../kube/object-client.ts';
import { hiddenIn, HOSTILE } from '../../support/hostile-text.ts';
import { ApiClientScene } from '../../support/api-client-scene.ts';

const THINGS: Resource = { group: 'example.dev', version: 'v1', plural: 'things', namespace: 'shop' };

describe('ApiClient, with names and texts of others', () => {
  const scene = new ApiClientScene();

  async function errorOf(promise: Promise<unknown>): Promise<ApiError> {
    const error: unknown = await promise.catch((reason: unknown) => reason);
    if (!(error instanceof ApiError)) throw new Error(`no ApiError: ${String(error)}`);
    return error;
  }

  it('asks nobody for a name that would get out of its place in a path, which API servers decode', async () => {
    for (const name of ['../../../api/v1/secrets?x=', '..', '', 'a%2Fstatus', 'a?b', 'x'.repeat(1_000_000)]) {
      const errors = [
        await errorOf(scene.client.get(THINGS, name)),
        await errorOf(scene.client.list({ ...THINGS, namespace: name })),
        await errorOf(scene.client.patch(THINGS, name, {}, { fieldManager: 'x' })),
        await errorOf(scene.client.delete(THINGS, name)),
      ];
      for (const { code, reason, message } of errors) {
        expect([code, reason]).to.deep.equal([400, 'NameInvalid']);
        expect(message.length).to.be.below(200);
      }
    }
    expect(scene.server.requests).to.deep.equal([]);
  });

  it('shows what the server says, which may quote what others wrote', async () => {
    scene.server.failNext(403, 1, {}, { kind: 'Status', reason: HOSTILE, message: HOSTILE });
    const { message, reason } = await errorOf(scene.client.list(THINGS));
    expect(hiddenIn(message + reason)).to.deep.equal([]);
    expect(message).to.match(/: 403 web vault-env: .*…: web vault-env: .*…$/);
    expect(message.length).to.be.below(700);
  });
});
